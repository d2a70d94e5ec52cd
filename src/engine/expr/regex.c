/* Compiled regular expressions: PostgreSQL's, matched by PCRE2 within limits. */
#include "engine/expr/regex.h"

#include "foundation/base/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { REGEX_MATCH_LIMIT = 1000000, REGEX_DEPTH_LIMIT = 10000, REGEX_WORKSPACE = 8192 };

/* Where several ends are possible, the whole match is what PostgreSQL takes, the longest one or the
 * shortest one from the first place on: pcre2_dfa_match finds it. The groups are then those of the
 * first way to that end: a callout at the pattern's end refuses the others. */
struct Regex {
    RegexPattern pattern;
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    int *workspace; /* NULL: the first match is the right one */
    int64_t end;    /* what the callout waits for */
};

static int at_end(pcre2_callout_block *block, void *data)
{
    const Regex *regex = data;
    return (int64_t)block->current_position == regex->end ? 0 : 1;
}

void regex_free(Regex *regex)
{
    if (!regex) return;
    pcre2_code_free(regex->code);
    pcre2_match_data_free(regex->match);
    pcre2_match_context_free(regex->limits);
    mem_free(regex->workspace);
    mem_free(regex);
}

static Status compile(Regex *regex, Str text, Err *err)
{
    uint32_t options = PCRE2_UTF | PCRE2_DOTALL | (regex->pattern.fold ? PCRE2_CASELESS : 0);
    if (regex->workspace) options |= PCRE2_NO_AUTO_POSSESS;
    int code = 0;
    PCRE2_SIZE offset = 0;
    regex->code = pcre2_compile((PCRE2_SPTR)(text.ptr ? text.ptr : ""), (PCRE2_SIZE)text.len,
                                options, &code, &offset, NULL);
    if (!regex->code) {
        PCRE2_UCHAR message[160];
        (void)pcre2_get_error_message(code, message, sizeof message);
        return err_set(err, ERR_EXPRESSION, "invalid regular expression: %s", (char *)message);
    }
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    regex->match = pcre2_match_data_create_from_pattern(regex->code, NULL);
    regex->limits = pcre2_match_context_create(NULL);
    if (!regex->match || !regex->limits) return err_memory(err);
    (void)pcre2_set_match_limit(regex->limits, REGEX_MATCH_LIMIT);
    (void)pcre2_set_depth_limit(regex->limits, REGEX_DEPTH_LIMIT);
    return OK;
}

Status regex_new(Str pattern, RegexOptions options, Regex **ret_regex, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(INT64_C(1) << 24);
    RegexPattern read;
    TRY(buf_append(&text, STR("(?:"), err));
    TRY(regex_pattern_read(pattern, options, &text, &read, err));
    bool competes = read.competes && !read.references;
    TRY(buf_append(&text, competes ? STR(")(?C1)") : STR(")"), err));
    Regex *regex = mem_zalloc((int64_t)sizeof *regex);
    if (!regex) return err_memory(err);
    regex->pattern = read;
    if (competes) regex->workspace = mem_array(REGEX_WORKSPACE, sizeof(int));
    Status status =
        competes && !regex->workspace ? err_memory(err) : compile(regex, buf_str(&text), err);
    if (status == OK) *ret_regex = regex;
    else regex_free(regex);
    return status;
}

static int run(Regex *regex, Str text, int64_t from, uint32_t options)
{
    int count =
        pcre2_match(regex->code, (PCRE2_SPTR)(text.ptr ? text.ptr : ""), (PCRE2_SIZE)text.len,
                    (PCRE2_SIZE)from, options | PCRE2_NO_UTF_CHECK, regex->match, regex->limits);
    return count == PCRE2_ERROR_NOMATCH ? 0 : count > 0 ? 1 : -1;
}

int regex_test(Regex *regex, Str text, int64_t from)
{
    (void)pcre2_set_callout(regex->limits, NULL, NULL);
    return run(regex, text, from, 0);
}

int regex_find(Regex *regex, Str text, int64_t from)
{
    if (!regex->workspace) return run(regex, text, from, 0);
    (void)pcre2_set_callout(regex->limits, NULL, NULL);
    int count = pcre2_dfa_match(
        regex->code, (PCRE2_SPTR)(text.ptr ? text.ptr : ""), (PCRE2_SIZE)text.len, (PCRE2_SIZE)from,
        PCRE2_NO_UTF_CHECK | (regex->pattern.shortest ? PCRE2_DFA_SHORTEST : 0), regex->match,
        regex->limits, regex->workspace, REGEX_WORKSPACE);
    if (count < 0) return count == PCRE2_ERROR_NOMATCH ? 0 : -1;
    const PCRE2_SIZE *place = pcre2_get_ovector_pointer(regex->match);
    if (regex->pattern.groups == 0) return 1;
    regex->end = (int64_t)place[1];
    (void)pcre2_set_callout(regex->limits, at_end, regex);
    return run(regex, text, (int64_t)place[0], PCRE2_ANCHORED) > 0 ? 1 : -1;
}

int32_t regex_groups(const Regex *regex)
{
    return regex->pattern.groups;
}

bool regex_group(const Regex *regex, int32_t n, int64_t *ret_from, int64_t *ret_to)
{
    const PCRE2_SIZE *place = pcre2_get_ovector_pointer(regex->match);
    if (n > regex->pattern.groups || place[2 * n] == PCRE2_UNSET) return false;
    *ret_from = (int64_t)place[2 * n];
    *ret_to = (int64_t)place[2 * n + 1];
    return true;
}
