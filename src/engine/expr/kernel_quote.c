/* Text made for SQL: quote_ident, quote_literal, format; and the Unicode forms of text. */
#include <utf8proc.h>

#include "engine/expr/kernel.h"
#include "engine/expr/text_value.h"
#include "engine/expr/unicode_escape.h"
#include "engine/expr/utf8_text.h"
#include "foundation/base/mem.h"

/* PostgreSQL 15's words that a name can't be without quotes. */
static const char *const KEYWORDS[] = {"all",
                                       "analyse",
                                       "analyze",
                                       "and",
                                       "any",
                                       "array",
                                       "as",
                                       "asc",
                                       "asymmetric",
                                       "authorization",
                                       "between",
                                       "bigint",
                                       "binary",
                                       "bit",
                                       "boolean",
                                       "both",
                                       "case",
                                       "cast",
                                       "char",
                                       "character",
                                       "check",
                                       "coalesce",
                                       "collate",
                                       "collation",
                                       "column",
                                       "concurrently",
                                       "constraint",
                                       "create",
                                       "cross",
                                       "current_catalog",
                                       "current_date",
                                       "current_role",
                                       "current_schema",
                                       "current_time",
                                       "current_timestamp",
                                       "current_user",
                                       "dec",
                                       "decimal",
                                       "default",
                                       "deferrable",
                                       "desc",
                                       "distinct",
                                       "do",
                                       "else",
                                       "end",
                                       "except",
                                       "exists",
                                       "extract",
                                       "false",
                                       "fetch",
                                       "float",
                                       "for",
                                       "foreign",
                                       "freeze",
                                       "from",
                                       "full",
                                       "grant",
                                       "greatest",
                                       "group",
                                       "grouping",
                                       "having",
                                       "ilike",
                                       "in",
                                       "initially",
                                       "inner",
                                       "inout",
                                       "int",
                                       "integer",
                                       "intersect",
                                       "interval",
                                       "into",
                                       "is",
                                       "isnull",
                                       "join",
                                       "lateral",
                                       "leading",
                                       "least",
                                       "left",
                                       "like",
                                       "limit",
                                       "localtime",
                                       "localtimestamp",
                                       "national",
                                       "natural",
                                       "nchar",
                                       "none",
                                       "normalize",
                                       "not",
                                       "notnull",
                                       "null",
                                       "nullif",
                                       "numeric",
                                       "offset",
                                       "on",
                                       "only",
                                       "or",
                                       "order",
                                       "out",
                                       "outer",
                                       "overlaps",
                                       "overlay",
                                       "placing",
                                       "position",
                                       "precision",
                                       "primary",
                                       "real",
                                       "references",
                                       "returning",
                                       "right",
                                       "row",
                                       "select",
                                       "session_user",
                                       "setof",
                                       "similar",
                                       "smallint",
                                       "some",
                                       "substring",
                                       "symmetric",
                                       "table",
                                       "tablesample",
                                       "then",
                                       "time",
                                       "timestamp",
                                       "to",
                                       "trailing",
                                       "treat",
                                       "trim",
                                       "true",
                                       "union",
                                       "unique",
                                       "user",
                                       "using",
                                       "values",
                                       "varchar",
                                       "variadic",
                                       "verbose",
                                       "when",
                                       "where",
                                       "window",
                                       "with",
                                       "xmlattributes",
                                       "xmlconcat",
                                       "xmlelement",
                                       "xmlexists",
                                       "xmlforest",
                                       "xmlnamespaces",
                                       "xmlparse",
                                       "xmlpi",
                                       "xmlroot",
                                       "xmlserialize",
                                       "xmltable"};

/* A name that SQL reads as it is: lower case, and no keyword. */
static bool is_plain_name(Str name)
{
    bool plain = name.len > 0 && !(name.ptr[0] >= '0' && name.ptr[0] <= '9');
    for (int64_t i = 0; plain && i < name.len; i++) {
        char c = name.ptr[i];
        plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    }
    for (int64_t i = 0; plain && i < COUNT_OF(KEYWORDS); i++) {
        plain = !str_eq(name, str_from(KEYWORDS[i]));
    }
    return plain;
}

static Status put_quoted(Buf *out, Str text, char mark, Err *err)
{
    bool escapes = mark == '\'' && str_find_char(text, '\\') >= 0;
    if (escapes) TRY(buf_append_char(out, 'E', err));
    TRY(buf_append_char(out, mark, err));
    for (int64_t i = 0; i < text.len; i++) {
        bool doubled = text.ptr[i] == mark || (escapes && text.ptr[i] == '\\');
        if (doubled) TRY(buf_append_char(out, text.ptr[i], err));
        TRY(buf_append_char(out, text.ptr[i], err));
    }
    return buf_append_char(out, mark, err);
}

static Status put_ident(Buf *out, Str name, Err *err)
{
    return is_plain_name(name) ? buf_append(out, name, err) : put_quoted(out, name, '"', err);
}

static Status put_result(KernelCall *call, int64_t row, const Buf *out)
{
    kernel_put_copy(call, row, out->data ? out->data : "", out->len);
    return OK;
}

static Status kernel_quote_ident(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        buf_clear(&out);
        TRY(put_ident(&out, kernel_text(call, 0, row), err));
        TRY(put_result(call, row, &out));
    }
    return OK;
}

static Status kernel_quote_literal(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        buf_clear(&out);
        if (kernel_valid(&call->args[0], row)) {
            text_of_value(call, row, &call->args[0]);
            TRY(put_quoted(&out, vector_text(call->result)[row], '\'', err));
        } else {
            TRY(buf_append(&out, STR("NULL"), err));
        }
        TRY(put_result(call, row, &out));
    }
    return OK;
}

/* ---- format ---- */

/* %[position$][-][width]type, width a number, * or *position$. */
typedef struct FormatItem {
    int64_t position; /* of the value's argument; 0: the next one */
    int64_t width_position;
    int64_t width;
    bool left, width_is_argument;
    char type;
} FormatItem;

static bool format_number(Str format, int64_t *at, int64_t *ret_number)
{
    int64_t start = *at;
    *ret_number = 0;
    while (*at < format.len && format.ptr[*at] >= '0' && format.ptr[*at] <= '9' &&
           *ret_number < 1000000) {
        *ret_number = *ret_number * 10 + (format.ptr[(*at)++] - '0');
    }
    return *at > start;
}

static char format_char(Str format, int64_t at)
{
    return at < format.len ? format.ptr[at] : 0;
}

/* From after the %; *at moves past the item. False: malformed. */
static bool format_item(Str format, int64_t *at, FormatItem *item)
{
    *item = (FormatItem){0};
    int64_t number = 0, start = *at;
    if (format_number(format, at, &number) && format_char(format, *at) == '$') {
        if (number == 0) return false;
        item->position = number;
        (*at)++;
    } else {
        *at = start;
    }
    for (; format_char(format, *at) == '-'; (*at)++) item->left = true;
    if (format_char(format, *at) == '*') {
        item->width_is_argument = true;
        (*at)++;
        if (format_number(format, at, &number)) {
            if (format_char(format, *at) != '$' || number == 0) return false;
            item->width_position = number;
            (*at)++;
        }
    } else {
        (void)format_number(format, at, &item->width);
    }
    item->type = format_char(format, (*at)++);
    return item->type == 's' || item->type == 'I' || item->type == 'L';
}

static bool too_few(KernelCall *call, int64_t row)
{
    call_error(call, row, "22023", "too few arguments for format()");
    return false;
}

/* The width that an argument gives; negative ones are to the left. */
static bool format_width(KernelCall *call, int64_t row, FormatItem *item, int64_t *next)
{
    if (!item->width_is_argument) return true;
    int64_t arg = item->width_position ? item->width_position : *next;
    *next = arg + 1;
    if (arg >= call->arg_count) return too_few(call, row);
    const Vector *v = &call->args[arg];
    if (v->type != TYPE_INT64) {
        call_error(call, row, "22023", "the width in format() must be an integer");
        return false;
    }
    int64_t width = kernel_valid(v, row) ? vector_int64(v)[row & v->mask] : 0;
    item->left |= width < 0;
    item->width = int64_min(width < 0 ? -width : width, 1000000);
    return true;
}

static Status format_value(KernelCall *call, int64_t row, const FormatItem *item, int64_t arg,
                           Buf *out, Err *err)
{
    char scratch[TEXT_VALUE_MAX];
    Str text = STR("");
    bool valid = text_of_argument(call, &call->args[arg], row, scratch, &text);
    CLEANUP(buf_done) Buf shown = buf_make(INT64_C(1) << 28);
    if (!valid && item->type == 'I') {
        call_error(call, row, "22004", "null values cannot be formatted as an SQL identifier");
        return OK;
    }
    if (item->type == 'I') TRY(put_ident(&shown, text, err));
    else if (item->type == 's') TRY(buf_append(&shown, text, err));
    else if (valid) TRY(put_quoted(&shown, text, '\'', err));
    else TRY(buf_append(&shown, STR("NULL"), err));
    int64_t pad = item->width - utf8_count(buf_str(&shown));
    if (item->left) TRY(buf_append(out, buf_str(&shown), err));
    for (; pad > 0; pad--) TRY(buf_append_char(out, ' ', err));
    return item->left ? OK : buf_append(out, buf_str(&shown), err);
}

static Status format_row(KernelCall *call, int64_t row, Buf *out, Err *err)
{
    Str format = kernel_text(call, 0, row);
    int64_t next = 1;
    buf_clear(out);
    for (int64_t at = 0; at < format.len;) {
        char c = format.ptr[at++];
        if (c != '%' || format_char(format, at) == '%') {
            at += c == '%';
            TRY(buf_append_char(out, c, err));
            continue;
        }
        FormatItem item;
        if (!format_item(format, &at, &item)) {
            call_error(call, row, "22023", "format() knows %%s, %%I, %%L, %%1$s and widths");
            return OK;
        }
        if (!format_width(call, row, &item, &next)) return OK;
        int64_t arg = item.position ? item.position : next;
        next = arg + 1;
        if (arg >= call->arg_count) {
            (void)too_few(call, row);
            return OK;
        }
        TRY(format_value(call, row, &item, arg, out, err));
    }
    return put_result(call, row, out);
}

static Status kernel_format(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        if (!kernel_valid(&call->args[0], row)) call_null(call, row);
        else TRY(format_row(call, row, &out, err));
    }
    return OK;
}

/* ---- Unicode ---- */

static bool normal_form(KernelCall *call, int64_t row, utf8proc_option_t *ret_options)
{
    static const struct {
        const char *name;
        int options;
    } FORMS[] = {{"NFC", UTF8PROC_COMPOSE},
                 {"NFD", UTF8PROC_DECOMPOSE},
                 {"NFKC", UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
                 {"NFKD", UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT}};
    Str name = call->arg_count > 1 ? kernel_text(call, 1, row) : STR("NFC");
    for (int64_t i = 0; i < COUNT_OF(FORMS); i++) {
        if (!str_eq_nocase(name, str_from(FORMS[i].name))) continue;
        *ret_options = (utf8proc_option_t)(FORMS[i].options | UTF8PROC_STABLE);
        return true;
    }
    call_error(call, row, "22023", "invalid normalization form: %.*s (NFC, NFD, NFKC, NFKD)",
               STR_ARG(str_slice(name, 0, 40)));
    return false;
}

static Status normalize_loop(KernelCall *call, bool test, Err *err)
{
    FOR_ACTIVE (call, row) {
        utf8proc_option_t options;
        utf8proc_uint8_t *made = NULL;
        Str text = kernel_text(call, 0, row);
        if (!normal_form(call, row, &options)) continue;
        utf8proc_ssize_t len = utf8proc_map((const utf8proc_uint8_t *)(text.ptr ? text.ptr : ""),
                                            text.len, &made, options);
        if (len < 0) return err_memory(err);
        Str normal = str_make((const char *)made, len);
        if (test) vector_bool(call->result)[row] = str_eq(text, normal);
        else kernel_put_copy(call, row, normal.ptr, normal.len);
        free(made);
    }
    return OK;
}

static Status kernel_normalize(KernelCall *call, Err *err)
{
    return normalize_loop(call, false, err);
}
static Status kernel_is_normalized(KernelCall *call, Err *err)
{
    return normalize_loop(call, true, err);
}

static Status kernel_unistr(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Str text = kernel_text(call, 0, row);
        char *to = call_text(call, row, text.len);
        int64_t len = 0;
        if (!to) continue;
        if (unicode_unescape(text, '\\', true, to, &len) < 0) {
            kernel_put_text(call, row, str_make(to, len));
        } else {
            call_error(call, row, "22025", "invalid Unicode escape");
        }
    }
    return OK;
}

enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define T "text"

static const Function FUNCTIONS[] = {
    {"format", "text, any… -> text", kernel_format, FUNCTION_FALLIBLE, T,
     "%s a value, %I a name, %L a literal of SQL; %1$s by position, %-10s with a width.",
     "format('%s-%L', 'a', 'it''s') = \"a-'it''s'\"", 0, 0, 0},
    {"quote_ident", "text -> text", kernel_quote_ident, FALLIBLE, T,
     "A name for SQL, in double quotes where it needs them.",
     "quote_ident('a\"b') = \"\\\"a\\\"\\\"b\\\"\"", 0, 0, 0},
    {"quote_literal", "any -> text", kernel_quote_literal, FALLIBLE, T, "A literal for SQL.",
     "quote_literal('it''s') = \"'it''s'\"", 0, 0, 0},
    {"quote_nullable", "any -> text", kernel_quote_literal, FUNCTION_FALLIBLE, T,
     "The same; NULL as a word.", "quote_nullable(NULL) = \"NULL\"", 0, 0, 0},
    {"normalize", "text, [text] -> text", kernel_normalize, FALLIBLE, T,
     "A normal form of Unicode: NFC, NFD, NFKC or NFKD.", "length(normalize('é', NFD)) = 2", 0, 0,
     0},
    {"is_normalized", "text, [text] -> boolean", kernel_is_normalized, FALLIBLE, T,
     "IS [form] NORMALIZED.", "'é' IS NFD NORMALIZED = false", 0, 0, 0},
    {"unistr", "text -> text", kernel_unistr, FALLIBLE, T,
     "Escapes like \\0061 and \\u0061 become characters.", "unistr('d\\0061ta') = \"data\"", 0, 0,
     0},
};
const FunctionTable QUOTE_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
