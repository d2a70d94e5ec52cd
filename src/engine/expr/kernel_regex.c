/* Regular expressions (PCRE2 with JIT and match limits): ~, regexp_replace, regexp_match… */
#include "engine/expr/kernel.h"
#include "engine/expr/utf8_text.h"
#include "foundation/base/mem.h"
#include "foundation/codec/json_writer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { REGEX_MATCH_LIMIT = 1000000, REGEX_DEPTH_LIMIT = 10000 };

typedef struct Regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
} Regex;

static void regex_release(void *state)
{
    Regex *regex = state;
    if (!regex) return;
    pcre2_code_free(regex->code);
    pcre2_match_data_free(regex->match);
    pcre2_match_context_free(regex->limits);
    mem_free(regex);
}

/* PostgreSQL's flags: i, c, n and m (newline-sensitive), s, x, g (others look at that one). */
static bool flag_options(Str flags, uint32_t *options, bool *global)
{
    for (int64_t i = 0; i < flags.len; i++) {
        switch (flags.ptr[i]) {
        case 'i':
            *options |= PCRE2_CASELESS;
            break;
        case 'n':
        case 'm':
            *options |= PCRE2_MULTILINE;
            *options &= ~(uint32_t)PCRE2_DOTALL;
            break;
        case 'x':
            *options |= PCRE2_EXTENDED;
            break;
        case 'g':
            *global = true;
            break;
        case 's':
        case 'c':
            break;
        default:
            return false;
        }
    }
    return true;
}

static Status regex_new(Str pattern, uint32_t options, Regex **ret_regex, Err *err)
{
    int code = 0;
    PCRE2_SIZE offset = 0;
    Regex *regex = mem_zalloc((int64_t)sizeof *regex);
    if (!regex) return err_memory(err);
    regex->code = pcre2_compile((PCRE2_SPTR)(pattern.ptr ? pattern.ptr : ""),
                                (PCRE2_SIZE)pattern.len, options, &code, &offset, NULL);
    if (!regex->code) {
        PCRE2_UCHAR text[160];
        (void)pcre2_get_error_message(code, text, sizeof text);
        regex_release(regex);
        return err_set(err, ERR_EXPRESSION, "invalid regular expression: %s at %lld",
                       (const char *)text, (long long)offset + 1);
    }
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    regex->match = pcre2_match_data_create_from_pattern(regex->code, NULL);
    regex->limits = pcre2_match_context_create(NULL);
    if (!regex->match || !regex->limits) {
        regex_release(regex);
        return err_memory(err);
    }
    (void)pcre2_set_match_limit(regex->limits, REGEX_MATCH_LIMIT);
    (void)pcre2_set_depth_limit(regex->limits, REGEX_DEPTH_LIMIT);
    *ret_regex = regex;
    return OK;
}

/* A dot matches newlines and $ only the end, as in PostgreSQL; no half characters. */
#define REGEX_OPTIONS (PCRE2_UTF | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY)

static Status prepare_with(const Vector *pattern, Str flags, uint32_t options, void **ret_state,
                           Err *err)
{
    bool global = false;
    if (!pattern) return OK;
    if (!flag_options(flags, &options, &global)) {
        return err_set(err, ERR_EXPRESSION, "invalid regular expression option");
    }
    return regex_new(vector_text(pattern)[0], options, (Regex **)ret_state, err);
}

static Status prepare_match(const Vector *const *constants, int32_t count UNUSED, void **ret_state,
                            Err *err)
{
    return prepare_with(constants[1], STR_NULL, REGEX_OPTIONS, ret_state, err);
}

static Status prepare_fold(const Vector *const *constants, int32_t count UNUSED, void **ret_state,
                           Err *err)
{
    return prepare_with(constants[1], STR_NULL, REGEX_OPTIONS | PCRE2_CASELESS, ret_state, err);
}

/* Functions whose flags come at place `at`; unknown flags leave it to each row. */
static Status prepare_flags(const Vector *const *constants, int32_t count, int32_t at,
                            void **ret_state, Err *err)
{
    if (count > at && !constants[at]) return OK;
    Str flags = count > at ? vector_text(constants[at])[0] : STR_NULL;
    return prepare_with(constants[1], flags, REGEX_OPTIONS, ret_state, err);
}

static Status prepare_two(const Vector *const *constants, int32_t count, void **ret_state, Err *err)
{
    return prepare_flags(constants, count, 2, ret_state, err);
}

static Status prepare_three(const Vector *const *constants, int32_t count, void **ret_state,
                            Err *err)
{
    return prepare_flags(constants, count, 3, ret_state, err);
}

/* The call site's pattern, or one made for the row (freed by the caller when it isn't the state).
 */
static Regex *row_regex(KernelCall *call, int64_t row, Str flags, uint32_t options)
{
    if (call->state) return call->state;
    Err err = {0};
    Regex *regex = NULL;
    bool global = false;
    if (!flag_options(flags, &options, &global)) {
        call_error(call, row, "22023", "invalid regular expression option");
    } else if (regex_new(kernel_text(call, 1, row), options, &regex, &err) != OK) {
        if (err.kind == ERR_MEMORY) call->lane->full = true;
        else call_error(call, row, "2201B", "%s", err.message);
    }
    return regex;
}

static void drop_regex(const KernelCall *call, Regex *regex)
{
    if (regex != call->state) regex_release(regex);
}

/* The next match at or after `from`: groups' count + 1, 0: none, -1: the row failed. */
static int find(KernelCall *call, int64_t row, const Regex *regex, Str text, int64_t from)
{
    int count =
        pcre2_match(regex->code, (PCRE2_SPTR)(text.ptr ? text.ptr : ""), (PCRE2_SIZE)text.len,
                    (PCRE2_SIZE)from, PCRE2_NO_UTF_CHECK, regex->match, regex->limits);
    if (count == PCRE2_ERROR_NOMATCH) return 0;
    if (count > 0) return count;
    call_error(call, row, "2201B", "the regular expression needs too many steps on this text");
    return -1;
}

static Str group(const Regex *regex, Str text, int32_t n, bool *ret_set)
{
    const PCRE2_SIZE *place = pcre2_get_ovector_pointer(regex->match);
    *ret_set = place[2 * n] != PCRE2_UNSET;
    return *ret_set ? str_slice(text, (int64_t)place[2 * n], (int64_t)place[2 * n + 1]) : STR_NULL;
}

static Status match_loop(KernelCall *call, uint32_t options, bool wanted)
{
    FOR_ACTIVE (call, row) {
        Regex *regex = row_regex(call, row, STR_NULL, options);
        if (!regex) continue;
        int found = find(call, row, regex, kernel_text(call, 0, row), 0);
        if (found >= 0) vector_bool(call->result)[row] = (found > 0) == wanted;
        drop_regex(call, regex);
    }
    return OK;
}

static Status kernel_match(KernelCall *call, Err *err UNUSED)
{
    return match_loop(call, REGEX_OPTIONS, true);
}
static Status kernel_match_fold(KernelCall *call, Err *err UNUSED)
{
    return match_loop(call, REGEX_OPTIONS | PCRE2_CASELESS, true);
}
static Status kernel_no_match(KernelCall *call, Err *err UNUSED)
{
    return match_loop(call, REGEX_OPTIONS, false);
}
static Status kernel_no_match_fold(KernelCall *call, Err *err UNUSED)
{
    return match_loop(call, REGEX_OPTIONS | PCRE2_CASELESS, false);
}

static Str flags_at(const KernelCall *call, int32_t at, int64_t row)
{
    return call->arg_count > at ? kernel_text(call, at, row) : STR_NULL;
}

static Status kernel_regexp_like(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Regex *regex = row_regex(call, row, flags_at(call, 2, row), REGEX_OPTIONS);
        if (!regex) continue;
        int found = find(call, row, regex, kernel_text(call, 0, row), 0);
        vector_bool(call->result)[row] = found > 0;
        drop_regex(call, regex);
    }
    return OK;
}

/* \1…\9 and \& of a replacement. */
static Status put_replacement(const Regex *regex, Str text, Str with, Buf *out, Err *err)
{
    for (int64_t i = 0; i < with.len; i++) {
        char c = with.ptr[i], next = i + 1 < with.len ? with.ptr[i + 1] : 0;
        if (c != '\\' || !next) {
            TRY(buf_append_char(out, c, err));
            continue;
        }
        i++;
        bool number = next >= '1' && next <= '9';
        if (number || next == '&') {
            int32_t n = number ? next - '0' : 0;
            bool set = false;
            if ((uint32_t)n < pcre2_get_ovector_count(regex->match)) {
                TRY(buf_append(out, group(regex, text, n, &set), err));
            }
        } else {
            if (next != '\\') TRY(buf_append_char(out, '\\', err));
            TRY(buf_append_char(out, next, err));
        }
    }
    return OK;
}

static int64_t char_after(Str text, int64_t at)
{
    return at < text.len ? at + utf8_char_at(text, at).len : at + 1;
}

static Status replace_row(KernelCall *call, int64_t row, const Regex *regex, bool global, Buf *out,
                          Err *err)
{
    Str text = kernel_text(call, 0, row), with = kernel_text(call, 2, row);
    int64_t at = 0, copied = 0;
    buf_clear(out);
    while (at <= text.len) {
        int found = find(call, row, regex, text, at);
        if (found < 0) return OK;
        if (found == 0) break;
        const PCRE2_SIZE *place = pcre2_get_ovector_pointer(regex->match);
        int64_t from = (int64_t)place[0], to = (int64_t)place[1];
        TRY(buf_append(out, str_slice(text, copied, from), err));
        TRY(put_replacement(regex, text, with, out, err));
        copied = to;
        at = to > from ? to : char_after(text, to);
        if (!global) break;
    }
    TRY(buf_append(out, str_slice(text, copied, text.len), err));
    kernel_put_copy(call, row, out->data ? out->data : "", out->len);
    return OK;
}

static Status kernel_regexp_replace(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        Str flags = flags_at(call, 3, row);
        Regex *regex = row_regex(call, row, flags, REGEX_OPTIONS);
        if (!regex) continue;
        Status status = replace_row(call, row, regex, str_find_char(flags, 'g') >= 0, &out, err);
        drop_regex(call, regex);
        TRY(status);
    }
    return OK;
}

/* The groups (or the whole match where there is none) as a JSON array. */
static Status put_groups(KernelCall *call, int64_t row, const Regex *regex, Str text, Buf *out,
                         Err *err)
{
    uint32_t groups = pcre2_get_ovector_count(regex->match);
    uint32_t first = groups > 1;
    buf_clear(out);
    TRY(buf_append_char(out, '[', err));
    for (uint32_t i = first; i < groups || i == 0; i++) {
        bool set = false;
        Str part = group(regex, text, (int32_t)i, &set);
        if (i > first) TRY(buf_append_char(out, ',', err));
        if (set) TRY(json_put_text(out, part, err));
        else TRY(buf_append(out, STR("null"), err));
    }
    TRY(buf_append_char(out, ']', err));
    kernel_put_copy(call, row, out->data, out->len);
    return OK;
}

static Status kernel_regexp_match(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        Regex *regex = row_regex(call, row, flags_at(call, 2, row), REGEX_OPTIONS);
        if (!regex) continue;
        Str text = kernel_text(call, 0, row);
        int found = find(call, row, regex, text, 0);
        Status status = OK;
        if (found == 0) call_null(call, row);
        if (found > 0) status = put_groups(call, row, regex, text, &out, err);
        drop_regex(call, regex);
        TRY(status);
    }
    return OK;
}

/* The first group, or the whole match; NULL where nothing matches. */
static Status kernel_regexp_substr(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Regex *regex = row_regex(call, row, STR_NULL, REGEX_OPTIONS);
        if (!regex) continue;
        Str text = kernel_text(call, 0, row);
        int found = find(call, row, regex, text, 0);
        bool set = false;
        Str part = found > 0 ? group(regex, text, pcre2_get_ovector_count(regex->match) > 1, &set)
                             : STR_NULL;
        if (set) kernel_put_text(call, row, part);
        else if (found >= 0) call_null(call, row);
        drop_regex(call, regex);
    }
    return OK;
}

static Status kernel_regexp_count(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Regex *regex = row_regex(call, row, STR_NULL, REGEX_OPTIONS);
        if (!regex) continue;
        Str text = kernel_text(call, 0, row);
        int64_t count = 0, at = 0;
        while (at <= text.len && find(call, row, regex, text, at) > 0) {
            const PCRE2_SIZE *place = pcre2_get_ovector_pointer(regex->match);
            at = place[1] > place[0] ? (int64_t)place[1] : char_after(text, (int64_t)place[1]);
            count++;
        }
        vector_int64(call->result)[row] = count;
        drop_regex(call, regex);
    }
    return OK;
}

enum { FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define R "regular expression"

static const Function FUNCTIONS[] = {
    {"~", "text, text -> boolean", kernel_match, FALLIBLE, R, "Matches.", "'abc' ~ '^a' = true",
     prepare_match, regex_release, 0},
    {"~*", "text, text -> boolean", kernel_match_fold, FALLIBLE, R, "Matches in any case.",
     "'ABC' ~* '^a' = true", prepare_fold, regex_release, 0},
    {"!~", "text, text -> boolean", kernel_no_match, FALLIBLE, R, "Doesn't match.",
     "'abc' !~ 'x' = true", prepare_match, regex_release, 0},
    {"!~*", "text, text -> boolean", kernel_no_match_fold, FALLIBLE, R,
     "Doesn't match in any case.", "'abc' !~* 'A' = false", prepare_fold, regex_release, 0},
    {"regexp_like", "text, text, [text] -> boolean", kernel_regexp_like, FALLIBLE, R,
     "Matches, with flags.", "regexp_like('ABC', 'b', 'i') = true", prepare_two, regex_release, 0},
    {"regexp_replace", "text, text, text, [text] -> text", kernel_regexp_replace, FALLIBLE, R,
     "The first match replaced (all with flag g); \\1 is a group.",
     "regexp_replace('a1b2', '[0-9]', '#', 'g') = \"a#b#\"", prepare_three, regex_release, 0},
    {"regexp_match", "text, text, [text] -> json", kernel_regexp_match, FALLIBLE, R,
     "The first match's groups as an array; NULL: none.",
     "regexp_match('k=v', '(.)=(.)') = [\"k\",\"v\"]", prepare_two, regex_release, 0},
    {"regexp_substr", "text, text -> text", kernel_regexp_substr, FALLIBLE, R,
     "The first match's first group, or the match.", "regexp_substr('ab12', '[0-9]+') = \"12\"",
     prepare_match, regex_release, 0},
    {"substring", "text, text -> text", kernel_regexp_substr, FALLIBLE, R,
     "The same, as substring(x FROM pattern).", "substring('ab12' FROM '[0-9]+') = \"12\"",
     prepare_match, regex_release, "regexp_substr"},
    {"regexp_count", "text, text -> bigint", kernel_regexp_count, FALLIBLE, R, "How many matches.",
     "regexp_count('a1b2', '[0-9]') = 2", prepare_match, regex_release, 0},
};
const FunctionTable REGEX_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
