/* The columns of CSV files: names from headers, types that hold all values of the whole input. */
#include <stdio.h>

#include "connect/csv/csv_impl.h"
#include "foundation/base/mem.h"

enum { CSV_COLUMNS_MAX = 16384 };

typedef struct CsvColumns {
    CsvChunks *chunks;
    Field *fields;
    uint8_t *candidates;
    bool *given; /* the type was said by types= */
    bool texts;  /* all others are TEXT */
    int64_t count;
    int64_t rows;
    Arena arena;
    char *scratch;
    int64_t scratch_size;
} CsvColumns;

static Status name_columns(CsvColumns *k, Err *err)
{
    CsvChunks *c = k->chunks;
    int64_t first;
    k->count = csv_row_fields(c, 0, &first);
    if (k->count > CSV_COLUMNS_MAX) {
        return err_set(err, ERR_LIMIT, "%.*s: more than %d columns",
                       STR_ARG(file_source_name(c->files)), CSV_COLUMNS_MAX);
    }
    k->fields = mem_array(k->count, (int64_t)sizeof *k->fields);
    k->candidates = mem_alloc(k->count + 1);
    k->given = mem_array(k->count, 1);
    if (!k->fields || !k->candidates || !k->given) return err_memory(err);
    memset(k->candidates, CSV_ANY, (size_t)k->count);
    for (int64_t i = 0; i < k->count; i++) {
        CsvField field = csv_field(c, first + i, i + 1 == k->count);
        Str *name = &k->fields[i].name;
        if (!c->options->header || field.text.len == 0) {
            TRY(arena_printf(&k->arena, name, err, "column%lld", (long long)i + 1));
            continue;
        }
        if (field.bad || !str_is_utf8(field.text)) {
            return err_set(err, ERR_DATA, "%.*s:1: the header's field %lld can't be read",
                           STR_ARG(file_source_name(c->files)), (long long)i + 1);
        }
        char *copy = arena_alloc(&k->arena, field.text.len + 1);
        if (!copy) return err_memory(err);
        memcpy(copy, field.text.ptr, (size_t)field.text.len);
        *name = field.doubled ? csv_unquote(field.text, copy) : str_make(copy, field.text.len);
    }
    return OK;
}

static Status unique_names(const CsvColumns *k, Err *err)
{
    for (int64_t i = 0; i < k->count; i++) {
        for (int64_t j = 0; j < i; j++) {
            if (!str_eq(k->fields[i].name, k->fields[j].name)) continue;
            (void)err_set(err, ERR_DATA, "%.*s:1: columns %lld and %lld are both named \"%.*s\"",
                          STR_ARG(file_source_name(k->chunks->files)), (long long)j + 1,
                          (long long)i + 1, STR_ARG(k->fields[i].name));
            return err_hint(err, "rename one, or read without the header: header=false");
        }
    }
    return OK;
}

/* One column whose name holds another delimiter: nobody means that. */
static Status check_delimiter(const CsvColumns *k, Err *err)
{
    static const char *const OTHERS[] = {";", "\t", "|", ","};
    const CsvOptions *o = k->chunks->options;
    int64_t first;
    if (k->count != 1 || !o->header || o->delimiter_given) return OK;
    (void)csv_row_fields(k->chunks, 0, &first);
    Str name = csv_raw_field(k->chunks, first, true);
    const char *other = NULL;
    for (int32_t i = 0; i < COUNT_OF(OTHERS) && name.len && name.ptr[0] != '"' && !other; i++) {
        if (str_find_char(name, OTHERS[i][0]) > 0) other = OTHERS[i];
    }
    if (!other) return OK;
    Str file = file_source_name(k->chunks->files);
    if (other[0] == '\t') other = "tab";
    (void)err_set(err, ERR_CONFIG,
                  "%.*s:1: the header is one column, \"%.*s\"; the delimiter seems to be \"%s\"",
                  STR_ARG(file), STR_ARG(name), other);
    (void)err_where(err, "%.*s:1", STR_ARG(file));
    return err_hint(err,
                    "read it as '%.*s#delimiter=%s'; if it is one column, as '%.*s#delimiter=%s'",
                    STR_ARG(file), other, STR_ARG(file), o->delimiter == '\t' ? "tab" : ",");
}

static Status given_type(CsvColumns *k, Str name, Str type, Err *err)
{
    int64_t at = 0;
    while (at < k->count && !str_eq(k->fields[at].name, name)) at++;
    if (at == k->count) {
        (void)err_set(err, ERR_CONFIG, "csv: types names the column \"%.*s\", which isn't there",
                      STR_ARG(name));
        for (int64_t i = 0; i < k->count; i++) {
            if (str_nearest(name, &k->fields[i].name, 1).ptr) {
                return err_hint(err, "did you mean \"%.*s\"?", STR_ARG(k->fields[i].name));
            }
        }
        return FAIL;
    }
    Field *field = &k->fields[at];
    if (!type_parse(type, &field->type, &field->precision, &field->scale) ||
        field->type == TYPE_DYNAMIC) {
        return err_set(err, ERR_CONFIG, "csv: types says \"%.*s\" for %.*s, which is not a type",
                       STR_ARG(type), STR_ARG(name));
    }
    field->native = type;
    k->given[at] = true;
    return OK;
}

/* name:type,name:type; commas inside parentheses belong to the type. */
static Status given_types(CsvColumns *k, Err *err)
{
    Str rest = k->chunks->options->types;
    while (rest.len) {
        int64_t end = 0, depth = 0;
        while (end < rest.len && (rest.ptr[end] != ',' || depth > 0)) {
            depth += (rest.ptr[end] == '(') - (rest.ptr[end] == ')');
            end++;
        }
        Str one = str_trim(str_slice(rest, 0, end));
        int64_t colon = -1;
        for (int64_t i = 0; i < one.len; i++) colon = one.ptr[i] == ':' ? i : colon;
        if (colon < 0) return err_set(err, ERR_CONFIG, "csv: types must be name:type,…");
        TRY(given_type(k, str_trim(str_slice(one, 0, colon)),
                       str_trim(str_slice(one, colon + 1, one.len)), err));
        rest = str_slice(rest, end + 1, rest.len);
    }
    return OK;
}

static bool all_given(const CsvColumns *k)
{
    for (int64_t i = 0; i < k->count; i++) {
        if (!k->given[i]) return false;
    }
    return true;
}

static void narrow_row(CsvColumns *k, int64_t first)
{
    const CsvOptions *o = k->chunks->options;
    for (int64_t i = 0; i < k->count; i++) {
        if (k->candidates[i] == 0) continue;
        CsvField field = csv_field(k->chunks, first + i, i + 1 == k->count);
        bool null = !field.quoted && csv_is_null(o, field.text);
        if (!null) k->candidates[i] = csv_narrow(k->candidates[i], field.text);
    }
}

/* Every later file must have the same header. */
static Status check_header(const CsvColumns *k, Err *err)
{
    int64_t first;
    int64_t count = csv_row_fields(k->chunks, 0, &first);
    bool same = count == k->count;
    for (int64_t i = 0; i < count && same && k->chunks->options->header; i++) {
        CsvField field = csv_field(k->chunks, first + i, i + 1 == count);
        same = field.doubled || field.text.len == 0 || str_eq(field.text, k->fields[i].name);
    }
    if (same) return OK;
    return err_set(err, ERR_DATA, "%.*s: its header differs from that of the files before it",
                   STR_ARG(file_source_name(k->chunks->files)));
}

static Status infer_chunk(CsvColumns *k, Err *err)
{
    CsvChunks *c = k->chunks;
    int64_t row = 0;
    if (c->file_start) {
        if (!k->fields) {
            TRY(name_columns(k, err));
            TRY(unique_names(k, err));
            TRY(check_delimiter(k, err));
            TRY(given_types(k, err));
        } else {
            TRY(check_header(k, err));
        }
        row = c->options->header;
    }
    for (; row < c->scan.row_count && !c->unclosed; row++) {
        int64_t first;
        int64_t count = csv_row_fields(c, row, &first);
        if (count == k->count && !(k->count > 1 && csv_row_is_empty(c, row))) narrow_row(k, first);
        k->rows++;
    }
    return OK;
}

static Status infer_all(CsvColumns *k, Err *err)
{
    bool more = true;
    while (more) {
        TRY(csv_chunks_next(k->chunks, &more, err));
        if (more) TRY(infer_chunk(k, err));
        if (k->fields && (k->texts || all_given(k))) {
            k->rows = -1;
            return OK;
        }
    }
    return OK;
}

static Status make_schema(CsvColumns *k, Schema **ret_schema, Err *err)
{
    if (!k->fields) {
        (void)err_set(err, ERR_DATA, "%.*s: the file is empty, not even a header",
                      STR_ARG(file_source_name(k->chunks->files)));
        return err_where(err, "%.*s", STR_ARG(file_source_name(k->chunks->files)));
    }
    for (int64_t i = 0; i < k->count; i++) {
        if (k->given[i]) continue;
        k->fields[i].type = k->texts ? TYPE_TEXT : csv_candidate_type(k->candidates[i]);
        k->fields[i].no_values = !k->texts && k->candidates[i] == CSV_ANY;
    }
    return schema_new(k->fields, (int32_t)k->count, false, ret_schema, err);
}

Status csv_infer(CsvChunks *chunks, bool texts, Schema **ret_schema, int64_t *ret_rows, Err *err)
{
    CsvColumns k = {.chunks = chunks, .texts = texts, .arena = arena_make(INT64_C(64) << 20)};
    Status status = infer_all(&k, err);
    if (status == OK) status = make_schema(&k, ret_schema, err);
    *ret_rows = k.rows;
    mem_free(k.fields);
    mem_free(k.candidates);
    mem_free(k.given);
    arena_done(&k.arena);
    return status;
}
