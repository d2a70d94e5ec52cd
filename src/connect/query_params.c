/* The named parameters in a query's text. */
#include "connect/query_params.h"

typedef struct Scanner {
    Str text;
    int64_t at;
} Scanner;

static char char_at(const Scanner *s, int64_t at)
{
    return at >= 0 && at < s->text.len ? s->text.ptr[at] : 0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static bool is_name(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

/* After a quoted text or identifier that begins at `at`. */
static int64_t skip_quoted(const Scanner *s)
{
    char quote = char_at(s, s->at);
    char before = char_at(s, s->at - 1);
    bool escapes =
        quote == '\'' && (before == 'E' || before == 'e') && !is_name(char_at(s, s->at - 2));
    int64_t at = s->at + 1;
    for (; at < s->text.len; at++) {
        if (escapes && char_at(s, at) == '\\') at++;
        else if (char_at(s, at) == quote && char_at(s, at + 1) == quote) at++;
        else if (char_at(s, at) == quote) return at + 1;
    }
    return s->text.len;
}

static int64_t skip_line(const Scanner *s)
{
    int64_t len = str_find_char(str_slice(s->text, s->at, s->text.len), '\n');
    return len < 0 ? s->text.len : s->at + len;
}

/* Comments with stars nest. */
static int64_t skip_block(const Scanner *s)
{
    int64_t depth = 0, at = s->at;
    do {
        if (char_at(s, at) == '/' && char_at(s, at + 1) == '*') {
            depth++;
            at += 2;
        } else if (char_at(s, at) == '*' && char_at(s, at + 1) == '/') {
            depth--;
            at += 2;
        } else {
            at++;
        }
    } while (depth > 0 && at < s->text.len);
    return int64_min(at, s->text.len);
}

/* $tag$ … $tag$; a lone dollar is left as it is. */
static int64_t skip_dollar(const Scanner *s)
{
    int64_t end = s->at + 1;
    while (is_name(char_at(s, end))) end++;
    if (char_at(s, end) != '$' || is_name(char_at(s, s->at - 1))) return s->at + 1;
    Str tag = str_slice(s->text, s->at, end + 1);
    int64_t close = str_find(str_slice(s->text, end + 1, s->text.len), tag);
    return close < 0 ? s->text.len : end + 1 + close + tag.len;
}

/* The end of what can't hold a parameter, or `at` where there is no such thing. */
static int64_t skip_opaque(const Scanner *s)
{
    char c = char_at(s, s->at), next = char_at(s, s->at + 1);
    if (c == '\'' || c == '"') return skip_quoted(s);
    if (c == '-' && next == '-') return skip_line(s);
    if (c == '/' && next == '*') return skip_block(s);
    if (c == '$') return skip_dollar(s);
    if (c == ':' && (next == ':' || next == '=')) return s->at + 2;
    return s->at;
}

/* A colon in front of a name, but not in a slice: a[lo:hi], a[1:n]. */
static bool is_param(const Scanner *s)
{
    char before = char_at(s, s->at - 1);
    return char_at(s, s->at) == ':' && is_letter(char_at(s, s->at + 1)) && !is_name(before) &&
           before != ']' && before != ')' && before != ':';
}

/* Skips what can't hold a parameter; false at a parameter or an escaped colon. */
static bool skip_text(Scanner *s)
{
    int64_t next = skip_opaque(s);
    bool escaped = char_at(s, s->at) == '\\' && char_at(s, s->at + 1) == ':';
    if (next == s->at && (escaped || is_param(s))) return false;
    s->at = next > s->at ? next : s->at + 1;
    return true;
}

bool query_piece_next(Str query, int64_t *at, QueryPiece *ret_piece)
{
    Scanner s = {.text = query, .at = *at};
    *ret_piece = (QueryPiece){0};
    if (s.at >= query.len) return false;
    while (s.at < query.len && skip_text(&s)) continue;
    ret_piece->text = str_slice(query, *at, s.at);
    *at = s.at;
    if (s.at >= query.len) return true;
    int64_t end = s.at + 1;
    if (char_at(&s, s.at) == '\\') {
        ret_piece->colon = true;
        *at = end + 1;
        return true;
    }
    while (is_name(char_at(&s, end))) end++;
    ret_piece->param = str_slice(query, s.at + 1, end);
    *at = end;
    return true;
}

bool query_uses(Str query, Str name)
{
    QueryPiece piece;
    if (!name.len) return false;
    for (int64_t at = 0; query_piece_next(query, &at, &piece);) {
        if (str_eq(piece.param, name)) return true;
    }
    /* SQLite's other two ways to write them. */
    for (int64_t at = 0; at + name.len < query.len; at++) {
        bool sign = query.ptr[at] == '@' || query.ptr[at] == '$';
        int64_t end = at + 1 + name.len;
        if (sign && str_eq(str_slice(query, at + 1, end), name) &&
            (end == query.len || !is_name(query.ptr[end]))) {
            return true;
        }
    }
    return false;
}

Str query_nearest(Str query, Str name)
{
    QueryPiece piece;
    for (int64_t at = 0; query_piece_next(query, &at, &piece);) {
        Str near = piece.param.len ? str_nearest(name, &piece.param, 1) : STR_NULL;
        if (near.len) return near;
    }
    return STR_NULL;
}
