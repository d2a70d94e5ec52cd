/* Reads PostgreSQL's advanced regular expressions (its manual, 9.7.3) and writes PCRE2's. */
#include "engine/expr/regex_pattern.h"

#include "engine/expr/regex_read.h"

bool regex_options_read(Str letters, RegexOptions *options)
{
    for (int64_t i = 0; i < letters.len; i++) {
        switch (letters.ptr[i]) {
        case 'i':
        case 'c':
            options->fold = letters.ptr[i] == 'i';
            break;
        case 'n':
        case 'm':
            options->dot_stops = options->lines = true;
            break;
        case 'p':
            options->dot_stops = true;
            options->lines = false;
            break;
        case 'w':
            options->dot_stops = false;
            options->lines = true;
            break;
        case 's':
            options->dot_stops = options->lines = false;
            break;
        case 'q':
            options->literal = true;
            break;
        case 'x':
            options->expanded = true;
            break;
        case 't':
        case 'g':
            break;
        default:
            return false;
        }
    }
    return true;
}

/* ---- greediness: of a group, its first quantified atom that has one; with | greedy ---- */

static void commit_atom(RegexReader *r)
{
    RegexLevel *level = &r->levels[r->depth];
    if (level->greed == GREED_NONE) level->greed = r->atom_greed;
    r->atom_greed = GREED_NONE;
}

static void begin_atom(RegexReader *r, AtomKind kind)
{
    commit_atom(r);
    r->atom = kind;
}

/* ---- escapes ---- */

/* \m \M \y \Y \A \Z; NULL: the letter is none of them. */
static const char *constraint_of(char c)
{
    switch (c) {
    case 'm':
        return "(?<!" REGEX_WORD ")(?=" REGEX_WORD ")";
    case 'M':
        return "(?<=" REGEX_WORD ")(?!" REGEX_WORD ")";
    case 'y':
        return "(?:(?<!" REGEX_WORD ")(?=" REGEX_WORD ")|(?<=" REGEX_WORD ")(?!" REGEX_WORD "))";
    case 'Y':
        return "(?:(?<!" REGEX_WORD ")(?!" REGEX_WORD ")|(?<=" REGEX_WORD ")(?=" REGEX_WORD "))";
    case 'A':
        return "\\A";
    case 'Z':
        return "\\z";
    default:
        return NULL;
    }
}

/* A reference takes all digits where so many groups are closed, else one. */
static Status read_reference(RegexReader *r, bool *ret_done, Err *err)
{
    int64_t start = r->at, value = 0;
    while (r->at < r->text.len && regex_peek(r, 0) >= '0' && regex_peek(r, 0) <= '9') {
        value = int64_min(value * 10 + (regex_peek(r, 0) - '0'), 1000);
        r->at++;
    }
    *ret_done = r->at - start == 1 || value <= r->pattern->groups;
    if (!*ret_done) {
        r->at = start;
        return OK;
    }
    if (value > r->pattern->groups || !r->closed[value] || r->levels[r->depth].around) {
        return regex_bad(r, "invalid backreference number", err);
    }
    r->pattern->references = true;
    begin_atom(r, ATOM_PLAIN);
    return buf_printf(r->out, err, "\\g{%d}", (int)value);
}

static Status read_backslash(RegexReader *r, Err *err)
{
    char c = regex_peek(r, 0);
    const char *constraint = constraint_of(c), *class = regex_class_of(c);
    if (constraint || class) {
        r->at++;
        begin_atom(r, constraint ? ATOM_CONSTRAINT : ATOM_PLAIN);
        return buf_append(r->out, str_from(constraint ? constraint : class), err);
    }
    bool done = false;
    if (c >= '1' && c <= '9') TRY(read_reference(r, &done, err));
    if (done) return OK;
    uint32_t value = 0;
    TRY(regex_read_escape(r, &value, err));
    begin_atom(r, ATOM_PLAIN);
    return regex_put_char(r->out, value, err);
}

/* ---- quantifiers ---- */

static bool read_count(RegexReader *r, int32_t *ret_count)
{
    int32_t value = 0, digits = 0;
    while (r->at < r->text.len && regex_peek(r, 0) >= '0' && regex_peek(r, 0) <= '9') {
        value = value > 255 ? value : value * 10 + (regex_peek(r, 0) - '0');
        r->at++;
        digits++;
    }
    *ret_count = value;
    return digits > 0;
}

/* {m}, {m,}, {m,n} after the brace. */
static Status read_bounds(RegexReader *r, bool *ret_fixed, Err *err)
{
    int32_t low = 0, high = 0;
    bool ok = read_count(r, &low), open = false;
    high = low;
    *ret_fixed = regex_peek(r, 0) != ',';
    if (!*ret_fixed) {
        r->at++;
        open = !read_count(r, &high);
    }
    ok = ok && regex_peek(r, 0) == '}' && low <= 255 && high <= 255 && (open || low <= high);
    if (!ok) return regex_bad(r, "invalid repetition count(s)", err);
    r->at++;
    return OK;
}

static bool at_quantifier(const RegexReader *r)
{
    char c = regex_peek(r, 0), next = regex_peek(r, 1);
    return c == '*' || c == '+' || c == '?' || (c == '{' && next >= '0' && next <= '9');
}

static Status read_quantifier(RegexReader *r, Err *err)
{
    if (r->atom != ATOM_PLAIN) return regex_bad(r, "quantifier operand invalid", err);
    int64_t start = r->at++;
    bool fixed = false;
    if (r->text.ptr[start] == '{') TRY(read_bounds(r, &fixed, err));
    bool lazy = regex_peek(r, 0) == '?';
    r->at += lazy;
    if (!fixed) {
        r->atom_greed = lazy ? GREED_LAZY : GREED_GREEDY;
        r->pattern->competes |= r->quantified;
        r->quantified = true;
    }
    r->atom = ATOM_QUANTIFIED;
    return buf_append(r->out, str_slice(r->text, start, r->at), err);
}

/* ---- groups ---- */

static Status open_group(RegexReader *r, Err *err)
{
    static const struct {
        const char *begin;
        GroupKind kind;
    } KINDS[] = {{"(?:", GROUP_PLAIN},
                 {"(?=", GROUP_AROUND},
                 {"(?!", GROUP_AROUND},
                 {"(?<=", GROUP_AROUND},
                 {"(?<!", GROUP_AROUND}};
    Str rest = str_slice(r->text, r->at, r->text.len), begin = STR("(");
    GroupKind kind = GROUP_CAPTURE;
    for (int64_t i = 0; i < COUNT_OF(KINDS); i++) {
        if (!str_starts(rest, str_from(KINDS[i].begin))) continue;
        begin = str_from(KINDS[i].begin);
        kind = KINDS[i].kind;
    }
    if (kind == GROUP_CAPTURE && str_starts(rest, STR("(?"))) {
        return regex_bad(r, "\"(?\" begins a group (?: or a constraint (?= (?! (?<= (?<! only",
                         err);
    }
    bool around = r->levels[r->depth].around;
    int64_t len = begin.len;
    if (around && kind == GROUP_CAPTURE) {
        kind = GROUP_PLAIN;
        begin = STR("(?:");
    }
    if (r->depth + 1 == REGEX_DEPTH_MAX) return regex_bad(r, "nested too deeply", err);
    if (kind == GROUP_CAPTURE && r->pattern->groups + 1 == REGEX_GROUPS_MAX) {
        return regex_bad(r, "too many groups", err);
    }
    commit_atom(r);
    r->at += len;
    r->levels[++r->depth] = (RegexLevel){.kind = kind, .around = around || kind == GROUP_AROUND};
    if (kind == GROUP_CAPTURE) r->levels[r->depth].group = ++r->pattern->groups;
    r->atom = ATOM_NONE;
    return buf_append(r->out, begin, err);
}

static Status close_group(RegexReader *r, Err *err)
{
    if (r->depth == 0) return regex_bad(r, "parentheses () not balanced", err);
    commit_atom(r);
    const RegexLevel *level = &r->levels[r->depth--];
    if (level->kind == GROUP_CAPTURE) r->closed[level->group] = true;
    r->atom = level->kind == GROUP_AROUND ? ATOM_CONSTRAINT : ATOM_PLAIN;
    r->atom_greed = level->kind == GROUP_AROUND ? GREED_NONE
                    : level->bar                ? GREED_GREEDY
                                                : level->greed;
    r->at++;
    return buf_append_char(r->out, ')', err);
}

static Status read_bar(RegexReader *r, Err *err)
{
    commit_atom(r);
    r->levels[r->depth].bar = true;
    r->pattern->competes = true;
    r->atom = ATOM_NONE;
    r->at++;
    return buf_append_char(r->out, '|', err);
}

/* ---- the whole ---- */

/* (?#…) and, expanded, white space and # to the line's end; false: there is none here. */
static bool skip_comment(RegexReader *r)
{
    Str rest = str_slice(r->text, r->at, r->text.len);
    int64_t len = 0;
    if (str_starts(rest, STR("(?#"))) {
        int64_t end = str_find_char(rest, ')');
        len = end < 0 ? rest.len : end + 1;
    } else if (r->options.expanded && rest.ptr[0] == '#') {
        int64_t end = str_find_char(rest, '\n');
        len = end < 0 ? rest.len : end;
    } else if (r->options.expanded &&
               (rest.ptr[0] == ' ' || (rest.ptr[0] >= '\t' && rest.ptr[0] <= '\r'))) {
        len = 1;
    }
    r->at += len;
    return len > 0;
}

static Status read_one(RegexReader *r, Err *err)
{
    char c = regex_peek(r, 0);
    if (at_quantifier(r)) return read_quantifier(r, err);
    switch (c) {
    case '(':
        return open_group(r, err);
    case ')':
        return close_group(r, err);
    case '|':
        return read_bar(r, err);
    case '[':
        begin_atom(r, regex_at_word_edge(r) ? ATOM_CONSTRAINT : ATOM_PLAIN);
        return regex_read_bracket(r, err);
    case '\\':
        r->at++;
        return read_backslash(r, err);
    case '.':
        r->at++;
        begin_atom(r, ATOM_PLAIN);
        return buf_append(r->out, r->options.dot_stops ? STR("[^\\n]") : STR("."), err);
    case '^':
    case '$':
        r->at++;
        begin_atom(r, ATOM_CONSTRAINT);
        if (c == '^') {
            return buf_append(r->out, r->options.lines ? STR("(?:\\A|(?<=\\n))") : STR("\\A"), err);
        }
        return buf_append(r->out, r->options.lines ? STR("(?:\\z|(?=\\n))") : STR("\\z"), err);
    default:
        begin_atom(r, ATOM_PLAIN);
        return regex_put_char(r->out, regex_next_char(r), err);
    }
}

/* ***= and ***:, then (?letters). */
static Status read_prefix(RegexReader *r, Err *err)
{
    if (r->options.literal) return OK;
    if (str_starts(r->text, STR("***"))) {
        r->options.literal = str_starts(r->text, STR("***="));
        if (!r->options.literal && !str_starts(r->text, STR("***:"))) {
            return regex_bad(r, "quantifier operand invalid", err);
        }
        r->at = 4;
        if (r->options.literal) return OK;
    }
    Str rest = str_slice(r->text, r->at, r->text.len);
    bool letters = str_starts(rest, STR("(?")) && rest.len > 2 && (rest.ptr[2] | 32) >= 'a' &&
                   (rest.ptr[2] | 32) <= 'z';
    if (!letters) return OK;
    int64_t end = str_find_char(rest, ')');
    Str options = str_slice(rest, 2, end);
    r->at += 2;
    if (end < 0 || str_find_char(options, 'g') >= 0 || !regex_options_read(options, &r->options)) {
        return regex_bad(r, "invalid embedded option", err);
    }
    r->at += options.len + 1;
    return OK;
}

Status regex_pattern_read(Str pattern, RegexOptions options, Buf *out, RegexPattern *ret_pattern,
                          Err *err)
{
    *ret_pattern = (RegexPattern){0};
    RegexReader r = {.text = pattern, .options = options, .out = out, .pattern = ret_pattern};
    TRY(read_prefix(&r, err));
    ret_pattern->fold = r.options.fold;
    while (r.at < r.text.len) {
        if (r.options.literal) TRY(regex_put_char(out, regex_next_char(&r), err));
        else if (!skip_comment(&r)) TRY(read_one(&r, err));
    }
    if (r.depth > 0) return regex_bad(&r, "parentheses () not balanced", err);
    commit_atom(&r);
    ret_pattern->shortest = r.levels[0].greed == GREED_LAZY && !r.levels[0].bar;
    return OK;
}
