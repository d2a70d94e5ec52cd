/* Bracket expressions of PostgreSQL's regular expressions, written anew for PCRE2. */
#include "engine/expr/regex_read.h"

typedef struct Class {
    const char *name;
    const char *items; /* for [ ]; NULL: */
    const char *whole; /* an expression of one character that no list can say */
} Class;

#define ALPHA "(?![0-9])[" REGEX_ALNUM "]"
#define SHOWN "\\p{M}\\p{P}\\p{S}\\p{No}\\p{Cf}\\p{Co}\\x{a0}\\x{2007}\\x{202f}"

static const Class CLASSES[] = {
    {"alnum", REGEX_ALNUM, NULL},
    {"alpha", NULL, ALPHA},
    {"ascii", "\\x{1}-\\x{7f}", NULL},
    {"blank", "\\x{9} ", NULL},
    {"cntrl", "\\x{1}-\\x{1f}\\x{7f}-\\x{9f}", NULL},
    {"digit", "0-9", NULL},
    {"graph", REGEX_ALNUM SHOWN, NULL},
    {"lower", "\\p{Lowercase}\\x{1c5}\\x{1c8}\\x{1cb}\\x{1f2}", NULL},
    {"print", REGEX_ALNUM SHOWN "\\p{Zs}", NULL},
    {"punct", NULL, "(?![" REGEX_ALNUM "])[" SHOWN "]"},
    {"space", REGEX_SPACES, NULL},
    {"upper", "\\p{Uppercase}\\p{Lt}", NULL},
    {"word", REGEX_WORDS, NULL},
    {"xdigit", "0-9A-Fa-f", NULL},
};

typedef struct Bracket {
    RegexReader *reader;
    Buf items;    /* for one [ ] */
    Buf wholes;   /* |-separated expressions of one character each */
    int64_t from; /* of its content */
} Bracket;

static void bracket_done(Bracket *b)
{
    buf_done(&b->items);
    buf_done(&b->wholes);
}

static Status put_whole(Bracket *b, Str whole, Err *err)
{
    if (b->wholes.len) TRY(buf_append_char(&b->wholes, '|', err));
    return buf_append(&b->wholes, whole, err);
}

/* What is between [x and x]; the reader is at the [. */
static Status inner_text(Bracket *b, Str *ret_text, Err *err)
{
    RegexReader *r = b->reader;
    char end[2] = {r->text.ptr[r->at + 1], ']'};
    Str rest = str_slice(r->text, r->at + 2, r->text.len);
    int64_t len = str_find(rest, str_make(end, 2));
    if (len < 0) return regex_bad(r, "brackets [] not balanced", err);
    *ret_text = str_slice(rest, 0, len);
    r->at += len + 4;
    return OK;
}

static Status put_class(Bracket *b, Err *err)
{
    Str name;
    TRY(inner_text(b, &name, err));
    bool any_case = str_eq(name, STR("upper")) || str_eq(name, STR("lower"));
    if (b->reader->options.fold && any_case) name = STR("alpha");
    for (int64_t i = 0; i < COUNT_OF(CLASSES); i++) {
        if (!str_eq(name, str_from(CLASSES[i].name))) continue;
        if (CLASSES[i].whole) return put_whole(b, str_from(CLASSES[i].whole), err);
        return buf_append(&b->items, str_from(CLASSES[i].items), err);
    }
    return regex_bad(b->reader, "invalid character class", err);
}

/* A character, or the end of a range: as it is, escaped, or as [.x.]. */
static Status read_end(Bracket *b, uint32_t *ret_char, Err *err)
{
    RegexReader *r = b->reader;
    bool collating =
        regex_peek(r, 0) == '[' && (regex_peek(r, 1) == '.' || regex_peek(r, 1) == '=');
    if (collating) {
        Str name;
        TRY(inner_text(b, &name, err));
        RegexReader one = {.text = name};
        if (name.len > 0) *ret_char = regex_next_char(&one);
        if (name.len == 0 || one.at != name.len) {
            return regex_bad(r, "invalid collating element", err);
        }
        return OK;
    }
    if (regex_peek(r, 0) == '\\') {
        r->at++;
        char c = regex_peek(r, 0);
        if (regex_class_of(c) || (c >= '1' && c <= '9')) {
            return regex_bad(r, "invalid escape \\ sequence", err);
        }
        return regex_read_escape(r, ret_char, err);
    }
    *ret_char = regex_next_char(r);
    return OK;
}

static Status put_range(Bracket *b, Err *err)
{
    RegexReader *r = b->reader;
    bool dash = regex_peek(r, 0) == '-' && r->at > b->from && regex_peek(r, 1) != ']';
    if (dash) return regex_bad(r, "invalid character range", err);
    uint32_t first = 0, last = 0;
    TRY(read_end(b, &first, err));
    TRY(regex_put_char(&b->items, first, err));
    if (regex_peek(r, 0) != '-' || regex_peek(r, 1) == ']' || r->at + 1 >= r->text.len) return OK;
    r->at++;
    TRY(read_end(b, &last, err));
    if (last < first) return regex_bad(r, "invalid character range", err);
    TRY(buf_append_char(&b->items, '-', err));
    return regex_put_char(&b->items, last, err);
}

static Status put_part(Bracket *b, Err *err)
{
    RegexReader *r = b->reader;
    const char *class = regex_peek(r, 0) == '\\' ? regex_class_of(regex_peek(r, 1)) : NULL;
    bool named = regex_peek(r, 0) == '[' && regex_peek(r, 1) == ':';
    if (!class && !named) return put_range(b, err);
    if (named) TRY(put_class(b, err));
    else {
        r->at += 2;
        TRY(put_whole(b, str_from(class), err));
    }
    bool range = regex_peek(r, 0) == '-' && regex_peek(r, 1) != ']';
    return range ? regex_bad(r, "invalid character range", err) : OK;
}

static Status write_bracket(Bracket *b, bool negated, Err *err)
{
    RegexReader *r = b->reader;
    Buf *out = r->out;
    Str items = buf_str(&b->items), wholes = buf_str(&b->wholes);
    if (negated) {
        if (r->options.dot_stops) {
            TRY(buf_append(&b->items, STR("\\n"), err));
            items = buf_str(&b->items);
        }
        TRY(buf_append(out, STR("(?:"), err));
        if (wholes.len) TRY(buf_printf(out, err, "(?!%.*s)", (int)wholes.len, wholes.ptr));
        if (items.len == 0) return buf_append(out, STR(".)"), err);
        TRY(buf_append(out, STR("[^"), err));
        TRY(buf_append(out, items, err));
        return buf_append(out, STR("])"), err);
    }
    TRY(buf_append(out, STR("(?:"), err));
    if (items.len) {
        TRY(buf_append_char(out, '[', err));
        TRY(buf_append(out, items, err));
        TRY(buf_append_char(out, ']', err));
    }
    if (items.len && wholes.len) TRY(buf_append_char(out, '|', err));
    TRY(buf_append(out, wholes, err));
    return buf_append_char(out, ')', err);
}

bool regex_at_word_edge(const RegexReader *r)
{
    Str rest = str_slice(r->text, r->at, r->text.len);
    return str_starts(rest, STR("[[:<:]]")) || str_starts(rest, STR("[[:>:]]"));
}

Status regex_read_bracket(RegexReader *r, Err *err)
{
    if (regex_at_word_edge(r)) {
        bool start = regex_peek(r, 3) == '<';
        r->at += 7;
        return buf_append(r->out,
                          start ? STR("(?<!" REGEX_WORD ")(?=" REGEX_WORD ")")
                                : STR("(?<=" REGEX_WORD ")(?!" REGEX_WORD ")"),
                          err);
    }
    CLEANUP(bracket_done)
    Bracket b = {.reader = r, .items = buf_make(1 << 22), .wholes = buf_make(1 << 22)};
    r->at++;
    bool negated = regex_peek(r, 0) == '^';
    r->at += negated;
    b.from = r->at;
    while (r->at < r->text.len && (regex_peek(r, 0) != ']' || r->at == b.from)) {
        TRY(put_part(&b, err));
    }
    if (r->at >= r->text.len) return regex_bad(r, "brackets [] not balanced", err);
    r->at++;
    return write_bracket(&b, negated, err);
}
