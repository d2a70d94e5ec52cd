/* Regular expressions: ~, SIMILAR TO, regexp_replace, regexp_match… */
#include "engine/expr/kernel.h"
#include "engine/expr/regex.h"
#include "engine/expr/utf8_text.h"
#include "foundation/codec/json_writer.h"

/* How a function takes its pattern, which is always the second argument. */
typedef struct PatternUse {
    int32_t flags_at; /* the argument with the flags; 0: none */
    bool fold;        /* in any case */
    bool global;      /* g is a flag of the function */
    bool similar;     /* SQL's pattern, with its escape at flags_at */
} PatternUse;

static const PatternUse PLAIN = {0};
static const PatternUse FOLD = {.fold = true};
static const PatternUse SIMILAR = {.similar = true, .flags_at = 2};
static const PatternUse FLAGS_2 = {.flags_at = 2};
static const PatternUse FLAGS_3 = {.flags_at = 3};
static const PatternUse FLAGS_4 = {.flags_at = 4};
static const PatternUse FLAGS_5 = {.flags_at = 5};
static const PatternUse REPLACE = {.flags_at = 3, .global = true};
static const PatternUse REPLACE_FROM = {.flags_at = 5, .global = true};

static Status pattern_compile(const PatternUse *use, Str pattern, Str flags, bool has_flags,
                              Regex **ret_regex, Err *err)
{
    RegexOptions options = {.fold = use->fold};
    if (use->similar) {
        CLEANUP(buf_done) Buf text = buf_make(INT64_C(1) << 24);
        TRY(regex_from_similar(pattern, has_flags ? flags : STR("\\"), &text, err));
        return regex_new(buf_str(&text), options, ret_regex, err);
    }
    if (!use->global && str_find_char(flags, 'g') >= 0) {
        (void)err_set(err, ERR_EXPRESSION, "the option \"g\" has no meaning here");
        return err_hint(err, "regexp_replace knows it");
    }
    if (!regex_options_read(flags, &options)) {
        (void)err_set(err, ERR_EXPRESSION, "invalid regular expression option: \"%.*s\"",
                      STR_ARG(str_slice(flags, 0, 40)));
        return err_hint(err, "there are c i m n p q s t w x (and g where all matches count)");
    }
    return regex_new(pattern, options, ret_regex, err);
}

static Status prepare(const PatternUse *use, const Vector *const *constants, int32_t count,
                      void **ret_state, Err *err)
{
    bool has_flags = use->flags_at && count > use->flags_at;
    if (!constants[1] || (has_flags && !constants[use->flags_at])) return OK;
    Str flags = has_flags ? vector_text(constants[use->flags_at])[0] : STR_NULL;
    return pattern_compile(use, vector_text(constants[1])[0], flags, has_flags, (Regex **)ret_state,
                           err);
}

static void release(void *state)
{
    regex_free(state);
}

#define PREPARE(name, use)                                                                         \
    static Status prepare_##name(const Vector *const *constants, int32_t count, void **ret_state,  \
                                 Err *err)                                                         \
    {                                                                                              \
        return prepare(&(use), constants, count, ret_state, err);                                  \
    }
PREPARE(plain, PLAIN)
PREPARE(fold, FOLD)
PREPARE(similar, SIMILAR)
PREPARE(flags_2, FLAGS_2)
PREPARE(flags_3, FLAGS_3)
PREPARE(flags_4, FLAGS_4)
PREPARE(flags_5, FLAGS_5)
PREPARE(replace, REPLACE)
PREPARE(replace_from, REPLACE_FROM)

/* The call site's pattern, or one made for the row (to be dropped). NULL: the row failed. */
static Regex *row_regex(KernelCall *call, int64_t row, const PatternUse *use)
{
    if (call->state) return call->state;
    Err err = {0};
    Regex *regex = NULL;
    bool has_flags = use->flags_at && call->arg_count > use->flags_at;
    Str flags = has_flags ? kernel_text(call, use->flags_at, row) : STR_NULL;
    if (pattern_compile(use, kernel_text(call, 1, row), flags, has_flags, &regex, &err) == OK) {
        return regex;
    }
    if (err.kind == ERR_MEMORY) call->lane->full = true;
    else call_error(call, row, "2201B", "%s", err.message);
    return NULL;
}

static void drop_regex(const KernelCall *call, Regex *regex)
{
    if (regex != call->state) regex_free(regex);
}

static int checked(KernelCall *call, int64_t row, int found)
{
    if (found < 0) {
        call_error(call, row, "2201B", "the regular expression needs too many steps on this text");
    }
    return found;
}

static int find(KernelCall *call, int64_t row, Regex *regex, Str text, int64_t from)
{
    return checked(call, row, regex_find(regex, text, from));
}

static Str group_text(const Regex *regex, Str text, int32_t n, bool *ret_set)
{
    int64_t from = 0, to = 0;
    *ret_set = regex_group(regex, n, &from, &to);
    return *ret_set ? str_slice(text, from, to) : STR_NULL;
}

/* Where the next match is looked for: after this one, or a character on where it is empty. */
static int64_t next_start(Str text, int64_t from, int64_t to)
{
    if (to > from) return to;
    return to < text.len ? to + utf8_char_at(text, to).len : to + 1;
}

/* ---- whether it matches ---- */

static Status match_loop(KernelCall *call, const PatternUse *use, bool wanted)
{
    FOR_ACTIVE (call, row) {
        Regex *regex = row_regex(call, row, use);
        if (!regex) continue;
        int found = checked(call, row, regex_test(regex, kernel_text(call, 0, row), 0));
        if (found >= 0) vector_bool(call->result)[row] = (found > 0) == wanted;
        drop_regex(call, regex);
    }
    return OK;
}

static Status kernel_match(KernelCall *call, Err *err UNUSED)
{
    return match_loop(call, &PLAIN, true);
}
static Status kernel_match_fold(KernelCall *call, Err *err UNUSED)
{
    return match_loop(call, &FOLD, true);
}
static Status kernel_no_match(KernelCall *call, Err *err UNUSED)
{
    return match_loop(call, &PLAIN, false);
}
static Status kernel_no_match_fold(KernelCall *call, Err *err UNUSED)
{
    return match_loop(call, &FOLD, false);
}
static Status kernel_similar_to(KernelCall *call, Err *err UNUSED)
{
    return match_loop(call, &SIMILAR, true);
}
static Status kernel_regexp_like(KernelCall *call, Err *err UNUSED)
{
    return match_loop(call, &FLAGS_2, true);
}

/* ---- regexp_replace ---- */

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
        bool number = next >= '1' && next <= '9', set = false;
        if (number || next == '&') {
            TRY(buf_append(out, group_text(regex, text, number ? next - '0' : 0, &set), err));
        } else {
            if (next != '\\') TRY(buf_append_char(out, '\\', err));
            TRY(buf_append_char(out, next, err));
        }
    }
    return OK;
}

/* From byte `at` on, the nth match (0: all of them) replaced. */
static Status replace_row(KernelCall *call, int64_t row, Regex *regex, int64_t at, int64_t nth,
                          Buf *out, Err *err)
{
    Str text = kernel_text(call, 0, row), with = kernel_text(call, 2, row);
    int64_t copied = 0;
    buf_clear(out);
    for (int64_t count = 1; at <= text.len && (nth == 0 || count <= nth); count++) {
        int found = find(call, row, regex, text, at);
        if (found < 0) return OK;
        if (found == 0) break;
        int64_t from = 0, to = 0;
        (void)regex_group(regex, 0, &from, &to);
        if (nth == 0 || count == nth) {
            TRY(buf_append(out, str_slice(text, copied, from), err));
            TRY(put_replacement(regex, text, with, out, err));
            copied = to;
        }
        at = next_start(text, from, to);
    }
    TRY(buf_append(out, str_slice(text, copied, text.len), err));
    kernel_put_copy(call, row, out->data ? out->data : "", out->len);
    return OK;
}

static Status kernel_regexp_replace(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        Str flags = call->arg_count > 3 ? kernel_text(call, 3, row) : STR_NULL;
        Regex *regex = row_regex(call, row, &REPLACE);
        if (!regex) continue;
        int64_t nth = str_find_char(flags, 'g') >= 0 ? 0 : 1;
        Status status = replace_row(call, row, regex, 0, nth, &out, err);
        drop_regex(call, regex);
        TRY(status);
    }
    return OK;
}

/* An argument that counts; false: it is less than `min`, and the row failed. */
static bool count_at(KernelCall *call, int64_t row, int32_t arg, const char *what, int64_t min,
                     int64_t otherwise, int64_t *ret_count)
{
    *ret_count = call->arg_count > arg ? kernel_int64(call, arg, row) : otherwise;
    if (*ret_count >= min) return true;
    call_error(call, row, "22023", "invalid value for parameter \"%s\": %lld", what,
               (long long)*ret_count);
    return false;
}

/* The byte of a place that counts characters from 1; past the end: one byte more. */
static int64_t start_byte(Str text, int64_t start)
{
    return start > utf8_count(text) + 1 ? text.len + 1 : utf8_offset(text, start - 1);
}

static Status kernel_replace_from(KernelCall *call, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        int64_t start = 1, nth = 1;
        if (!count_at(call, row, 3, "start", 1, 1, &start)) continue;
        if (!count_at(call, row, 4, "n", 0, 1, &nth)) continue;
        Regex *regex = row_regex(call, row, &REPLACE_FROM);
        if (!regex) continue;
        int64_t at = start_byte(kernel_text(call, 0, row), start);
        Status status = replace_row(call, row, regex, at, nth, &out, err);
        drop_regex(call, regex);
        TRY(status);
    }
    return OK;
}

/* ---- arrays of texts ---- */

static Status put_item(Buf *out, Str text, bool set, Err *err)
{
    if (out->len > 1) TRY(buf_append_char(out, ',', err));
    return set ? json_put_text(out, text, err) : buf_append(out, STR("null"), err);
}

/* The groups, or the whole match where there is none. */
static Status match_row(KernelCall *call, int64_t row, Regex *regex, Buf *out, Err *err)
{
    Str text = kernel_text(call, 0, row);
    int found = find(call, row, regex, text, 0);
    if (found == 0) call_null(call, row);
    if (found <= 0) return OK;
    int32_t groups = regex_groups(regex);
    TRY(buf_append_char(out, '[', err));
    for (int32_t i = groups > 0; i <= groups; i++) {
        bool set = false;
        Str part = group_text(regex, text, i, &set);
        TRY(put_item(out, part, set, err));
    }
    TRY(buf_append_char(out, ']', err));
    kernel_put_copy(call, row, out->data, out->len);
    return OK;
}

/* What is between the matches; empty ones at the ends or right after another don't split. */
static Status split_row(KernelCall *call, int64_t row, Regex *regex, Buf *out, Err *err)
{
    Str text = kernel_text(call, 0, row);
    int64_t at = 0, begin = 0, last_end = 0;
    TRY(buf_append_char(out, '[', err));
    while (at <= text.len) {
        int found = find(call, row, regex, text, at);
        if (found < 0) return OK;
        if (found == 0) break;
        int64_t from = 0, to = 0;
        (void)regex_group(regex, 0, &from, &to);
        if (from < text.len && to > last_end) {
            TRY(put_item(out, str_slice(text, begin, from), true, err));
            begin = to;
        }
        last_end = to;
        at = next_start(text, from, to);
    }
    TRY(put_item(out, str_slice(text, begin, text.len), true, err));
    TRY(buf_append_char(out, ']', err));
    kernel_put_copy(call, row, out->data, out->len);
    return OK;
}

static Status array_loop(KernelCall *call,
                         Status (*make)(KernelCall *, int64_t, Regex *, Buf *, Err *), Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    FOR_ACTIVE (call, row) {
        Regex *regex = row_regex(call, row, &FLAGS_2);
        if (!regex) continue;
        buf_clear(&out);
        Status status = make(call, row, regex, &out, err);
        drop_regex(call, regex);
        TRY(status);
    }
    return OK;
}

static Status kernel_regexp_match(KernelCall *call, Err *err)
{
    return array_loop(call, match_row, err);
}
static Status kernel_regexp_split(KernelCall *call, Err *err)
{
    return array_loop(call, split_row, err);
}

/* ---- parts and places ---- */

/* The first group, or the whole match where there is none; NULL where nothing matches. */
static Status substring_loop(KernelCall *call, const PatternUse *use)
{
    FOR_ACTIVE (call, row) {
        Regex *regex = row_regex(call, row, use);
        if (!regex) continue;
        Str text = kernel_text(call, 0, row);
        int found = find(call, row, regex, text, 0);
        bool set = false;
        Str part = found > 0 ? group_text(regex, text, regex_groups(regex) > 0, &set) : STR_NULL;
        if (set) kernel_put_text(call, row, part);
        else if (found >= 0) call_null(call, row);
        drop_regex(call, regex);
    }
    return OK;
}

static Status kernel_substring(KernelCall *call, Err *err UNUSED)
{
    return substring_loop(call, &PLAIN);
}
static Status kernel_substring_similar(KernelCall *call, Err *err UNUSED)
{
    return substring_loop(call, &SIMILAR);
}

/* The nth match from a place on, with its groups: 1, 0: there is none, -1: the row failed. */
static int find_nth(KernelCall *call, int64_t row, Regex *regex, int64_t start, int64_t nth)
{
    Str text = kernel_text(call, 0, row);
    int64_t at = start_byte(text, start);
    for (; at <= text.len; nth--) {
        int found = find(call, row, regex, text, at);
        if (found <= 0 || nth == 1) return found;
        int64_t from = 0, to = 0;
        (void)regex_group(regex, 0, &from, &to);
        at = next_start(text, from, to);
    }
    return 0;
}

static Status kernel_regexp_substr(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t start = 1, nth = 1, part = 0;
        if (!count_at(call, row, 2, "start", 1, 1, &start)) continue;
        if (!count_at(call, row, 3, "n", 1, 1, &nth)) continue;
        if (!count_at(call, row, 5, "subexpr", 0, 0, &part)) continue;
        Regex *regex = row_regex(call, row, &FLAGS_4);
        if (!regex) continue;
        int found = find_nth(call, row, regex, start, nth);
        int64_t from = 0, to = 0;
        bool set = found > 0 && part <= regex_groups(regex) &&
                   regex_group(regex, (int32_t)part, &from, &to);
        if (set) kernel_put_text(call, row, str_slice(kernel_text(call, 0, row), from, to));
        else if (found >= 0) call_null(call, row);
        drop_regex(call, regex);
    }
    return OK;
}

static Status kernel_regexp_instr(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t start = 1, nth = 1, end = 0, part = 0;
        if (!count_at(call, row, 2, "start", 1, 1, &start)) continue;
        if (!count_at(call, row, 3, "n", 1, 1, &nth)) continue;
        if (!count_at(call, row, 4, "endoption", 0, 0, &end)) continue;
        if (!count_at(call, row, 6, "subexpr", 0, 0, &part)) continue;
        if (end > 1) {
            call_error(call, row, "22023", "invalid value for parameter \"endoption\": %lld",
                       (long long)end);
            continue;
        }
        Regex *regex = row_regex(call, row, &FLAGS_5);
        if (!regex) continue;
        int64_t from = 0, to = 0;
        bool set = find_nth(call, row, regex, start, nth) > 0 && part <= regex_groups(regex) &&
                   regex_group(regex, (int32_t)part, &from, &to);
        Str head = str_slice(kernel_text(call, 0, row), 0, end ? to : from);
        vector_int64(call->result)[row] = set ? utf8_count(head) + 1 : 0;
        drop_regex(call, regex);
    }
    return OK;
}

static Status kernel_regexp_count(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t start = 1, count = 0;
        if (!count_at(call, row, 2, "start", 1, 1, &start)) continue;
        Regex *regex = row_regex(call, row, &FLAGS_3);
        if (!regex) continue;
        Str text = kernel_text(call, 0, row);
        int64_t at = start_byte(text, start);
        while (at <= text.len && find(call, row, regex, text, at) > 0) {
            int64_t from = 0, to = 0;
            (void)regex_group(regex, 0, &from, &to);
            at = next_start(text, from, to);
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
     prepare_plain, release, 0},
    {"~*", "text, text -> boolean", kernel_match_fold, FALLIBLE, R, "Matches in any case.",
     "'ABC' ~* '^a' = true", prepare_fold, release, 0},
    {"!~", "text, text -> boolean", kernel_no_match, FALLIBLE, R, "Doesn't match.",
     "'abc' !~ 'x' = true", prepare_plain, release, 0},
    {"!~*", "text, text -> boolean", kernel_no_match_fold, FALLIBLE, R,
     "Doesn't match in any case.", "'abc' !~* 'A' = false", prepare_fold, release, 0},
    {"similar_to", "text, text, [text] -> boolean", kernel_similar_to, FALLIBLE, R,
     "SIMILAR TO: SQL's pattern for the whole text; the third is the escape.",
     "'abc' SIMILAR TO '(a|x)%' = true", prepare_similar, release, 0},
    {"regexp_like", "text, text, [text] -> boolean", kernel_regexp_like, FALLIBLE, R,
     "Matches, with flags.", "regexp_like('ABC', 'b', 'i') = true", prepare_flags_2, release, 0},
    {"regexp_replace", "text, text, text, [text] -> text", kernel_regexp_replace, FALLIBLE, R,
     "The first match replaced (all with flag g); \\1 is a group.",
     "regexp_replace('a1b2', '[0-9]', '#', 'g') = \"a#b#\"", prepare_replace, release, 0},
    {"regexp_replace", "text, text, text, bigint, [bigint, text] -> text", kernel_replace_from,
     FALLIBLE, R, "From a character on, the n-th match (0: all) replaced.",
     "regexp_replace('a1b2c3', '[0-9]', '#', 2, 2) = \"a1b#c3\"", prepare_replace_from, release, 0},
    {"regexp_match", "text, text, [text] -> text[]", kernel_regexp_match, FALLIBLE, R,
     "The first match's groups as an array; NULL: none.",
     "regexp_match('k=v', '(.)=(.)') = [\"k\",\"v\"]", prepare_flags_2, release, 0},
    {"regexp_split_to_array", "text, text, [text] -> text[]", kernel_regexp_split, FALLIBLE, R,
     "What is between the matches.",
     "regexp_split_to_array('a1b22c', '[0-9]+') = [\"a\",\"b\",\"c\"]", prepare_flags_2, release,
     0},
    {"regexp_substr", "text, text, [bigint, bigint, text, bigint] -> text", kernel_regexp_substr,
     FALLIBLE, R, "A match; after the pattern: first character, which match, flags, which group.",
     "regexp_substr('ab12', '[0-9]+') = \"12\"", prepare_flags_4, release, 0},
    {"regexp_instr", "text, text, [bigint, bigint, bigint, text, bigint] -> bigint",
     kernel_regexp_instr, FALLIBLE, R,
     "Where a match is (0: nowhere); first character, which match, 1 for its end, flags, which "
     "group.",
     "regexp_instr('ab12', '[0-9]+') = 3", prepare_flags_5, release, 0},
    {"substring", "text, text -> text", kernel_substring, FALLIBLE, R,
     "The first match's first group, or the match.", "substring('ab12' FROM '[0-9]+') = \"12\"",
     prepare_plain, release, 0},
    {"substring", "text, text, text -> text", kernel_substring_similar, FALLIBLE, R,
     "The marked part of SQL's pattern.",
     "substring('abcde' SIMILAR 'a#\"_c#\"%' ESCAPE '#') = \"bc\"", prepare_similar, release, 0},
    {"regexp_count", "text, text, [bigint, text] -> bigint", kernel_regexp_count, FALLIBLE, R,
     "How many matches; first character, flags.", "regexp_count('a1b2', '[0-9]') = 2",
     prepare_flags_3, release, 0},
};
const FunctionTable REGEX_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
