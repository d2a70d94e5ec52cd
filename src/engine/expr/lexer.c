/* Tokens of the expression language: SQL's, with @names and ->> style operators. */
#include "engine/expr/lexer.h"

#include <stdarg.h>
#include <stdio.h>

#include "engine/expr/unicode_escape.h"

Status expr_fail(Str text, int32_t position, Err *err, const char *format, ...)
{
    int64_t line = 1, start = 0;
    position = (int32_t)int64_min(position, text.len);
    for (int64_t i = 0; i < position; i++) {
        if (text.ptr[i] != '\n') continue;
        line++;
        start = i + 1;
    }
    char message[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    Str shown = str_slice(text, start, text.len);
    int64_t end = str_find_char(shown, '\n');
    if (end >= 0) shown.len = end;
    /* Long lines are shown around the place; columns count characters, not bytes. */
    int64_t from = position - start > 60 ? position - start - 60 : 0;
    while (from > 0 && ((uint8_t)shown.ptr[from] & 0xc0) == 0x80) from++;
    int64_t column = 1, pad = 0;
    for (int64_t i = 0; i < position - start; i++) {
        bool first = ((uint8_t)shown.ptr[i] & 0xc0) != 0x80;
        column += first;
        pad += first && i >= from;
    }
    shown = str_slice(shown, from, from + 120);
    (void)err_set(err, ERR_EXPRESSION, "%s\n    %.*s\n    %*s^", message, STR_ARG(shown), (int)pad,
                  "");
    return err_at(err, line, column);
}

static char at(const Lexer *l, int32_t ahead)
{
    return l->at + ahead < l->text.len ? l->text.ptr[l->at + ahead] : 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (uint8_t)c >= 0x80;
}

static bool is_name(char c)
{
    return is_name_start(c) || is_digit(c) || c == '$';
}

/* They may be nested. */
static Status skip_comment(Lexer *l, Err *err)
{
    int32_t start = l->at, depth = 0;
    do {
        if (l->at >= l->text.len) {
            return expr_fail(l->text, start, err, "this comment isn't closed");
        }
        bool opens = at(l, 0) == '/' && at(l, 1) == '*',
             closes = at(l, 0) == '*' && at(l, 1) == '/';
        depth += opens - closes;
        l->at += opens || closes ? 2 : 1;
    } while (depth > 0);
    return OK;
}

static Status skip_space(Lexer *l, Err *err)
{
    while (l->at < l->text.len) {
        char c = at(l, 0);
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            l->at++;
        } else if (c == '-' && at(l, 1) == '-') {
            while (l->at < l->text.len && at(l, 0) != '\n') l->at++;
        } else if (c == '/' && at(l, 1) == '*') {
            TRY(skip_comment(l, err));
        } else {
            break;
        }
    }
    return OK;
}

/* Text between quotes; the quote doubled stands for one. */
static Status quoted(Lexer *l, char quote, Str *ret_text, Err *err)
{
    int32_t start = l->at++;
    char *out = arena_alloc(l->arena, l->text.len - l->at + 1);
    if (!out) return err_memory(err);
    int64_t len = 0;
    for (; l->at < l->text.len; l->at++) {
        if (at(l, 0) == quote) {
            if (at(l, 1) != quote) {
                l->at++;
                *ret_text = str_make(out, len);
                return OK;
            }
            l->at++;
        }
        out[len++] = at(l, 0);
    }
    return expr_fail(l->text, start, err,
                     quote == '"' ? "this name isn't closed" : "this text isn't closed");
}

/* \x41, \101: the byte that they say; returns the bytes read, 0 when it is none. */
static int32_t byte_escape(Str rest, uint32_t base, int32_t max, char *out)
{
    uint32_t value = 0;
    int32_t count = 0;
    for (; count < max && count < rest.len; count++) {
        uint32_t digit = 0;
        if (!unicode_hex(str_slice(rest, count, count + 1), 1, &digit) || digit >= base) break;
        value = value * base + digit;
    }
    out[0] = (char)value;
    return value > 0 && value < 256 ? count : 0;
}

/* \u and \U with their digits, two of them where they are a pair of surrogates. */
static int32_t unicode_escape(Str rest, char *out, int32_t *ret_written)
{
    int32_t digits = rest.ptr[0] == 'u' ? 4 : 8, read = digits + 1;
    uint32_t code = 0, low = 0;
    if (!unicode_hex(str_slice(rest, 1, rest.len), digits, &code)) return 0;
    if (code >= 0xd800 && code < 0xdc00) {
        Str second = str_slice(rest, read, rest.len);
        bool starts = str_starts(second, STR("\\u")) || str_starts(second, STR("\\U"));
        digits = starts && second.ptr[1] == 'U' ? 8 : 4;
        if (!starts || !unicode_hex(str_slice(second, 2, second.len), digits, &low)) return 0;
        code = unicode_pair(code, low);
        read += digits + 2;
    }
    if (!unicode_is_char(code)) return 0;
    *ret_written = unicode_put(code, out);
    return read;
}

/* One backslash escape of an E'…' text; returns the bytes read, 0 when it is none. */
static int32_t escape(Str rest, char *out, int32_t *ret_written)
{
    static const char NAMES[] = "bfnrt";
    static const char VALUES[] = "\b\f\n\r\t";
    if (rest.len == 0) return 0;
    char c = rest.ptr[0];
    *ret_written = 1;
    if (c == 'u' || c == 'U') return unicode_escape(rest, out, ret_written);
    if (c >= '0' && c <= '7') return byte_escape(rest, 8, 3, out);
    if (c == 'x') {
        int32_t read = byte_escape(str_slice(rest, 1, rest.len), 16, 2, out);
        return read ? read + 1 : 0;
    }
    const char *name = strchr(NAMES, c);
    out[0] = name && c ? VALUES[name - NAMES] : c;
    return 1;
}

static Status escaped_string(Lexer *l, Str *ret_text, Err *err)
{
    int32_t start = l->at;
    l->at += 2;
    char *out = arena_alloc(l->arena, l->text.len - l->at + 8);
    if (!out) return err_memory(err);
    int64_t len = 0;
    while (l->at < l->text.len) {
        char c = at(l, 0);
        if (c == '\'' && at(l, 1) != '\'') {
            l->at++;
            *ret_text = str_make(out, len);
            if (str_is_utf8(*ret_text)) return OK;
            return expr_fail(l->text, start, err, "the escapes' bytes are not UTF-8");
        }
        if (c == '\'') {
            l->at++;
        } else if (c == '\\') {
            int32_t written = 0;
            int32_t read = escape(str_slice(l->text, l->at + 1, l->text.len), out + len, &written);
            if (read == 0) return expr_fail(l->text, l->at, err, "not an escape");
            l->at += read + 1;
            len += written;
            continue;
        }
        out[len++] = at(l, 0);
        l->at++;
    }
    return expr_fail(l->text, start, err, "this text isn't closed");
}

/* $$…$$ or $tag$…$tag$, nothing between is special; *ret_done false: it is none. */
static Status dollar_string(Lexer *l, Str *ret_text, bool *ret_done, Err *err)
{
    int32_t end = 1;
    while (at(l, end) != '$' && is_name(at(l, end)) && (end > 1 || !is_digit(at(l, end)))) end++;
    *ret_done = at(l, 0) == '$' && at(l, end) == '$';
    if (!*ret_done) return OK;
    Str tag = str_slice(l->text, l->at, l->at + end + 1);
    Str rest = str_slice(l->text, l->at + end + 1, l->text.len);
    int64_t len = str_find(rest, tag);
    if (len < 0) return expr_fail(l->text, l->at, err, "this text isn't closed");
    *ret_text = str_slice(rest, 0, len);
    l->at += (int32_t)(2 * tag.len + len);
    return OK;
}

/* U&'…' [UESCAPE 'c'] */
static Status unicode_string(Lexer *l, Str *ret_text, Err *err)
{
    int32_t start = l->at;
    char mark = '\\';
    Str raw, word;
    l->at += 2;
    TRY(quoted(l, '\'', &raw, err));
    int32_t end = l->at;
    TRY(skip_space(l, err));
    word = str_slice(l->text, l->at, l->text.len);
    if (str_starts_nocase(word, STR("uescape"))) {
        l->at += 7;
        TRY(skip_space(l, err));
        bool ok = at(l, 0) == '\'' && at(l, 1) != '\'' && at(l, 2) == '\'';
        mark = at(l, 1);
        bool hex = is_digit(mark) || ((mark | 32) >= 'a' && (mark | 32) <= 'f');
        if (!ok || hex || mark == '+' || mark == '"' || mark == ' ') {
            return expr_fail(l->text, l->at, err, "invalid Unicode escape character");
        }
        l->at += 3;
    } else {
        l->at = end;
    }
    char *out = arena_alloc(l->arena, raw.len + 8);
    if (!out) return err_memory(err);
    int64_t len = 0;
    if (unicode_unescape(raw, mark, false, out, &len) >= 0) {
        return expr_fail(l->text, start, err, "invalid Unicode escape");
    }
    *ret_text = str_make(out, len);
    return OK;
}

/* After a text, a line's end and another text in quotes go on with it. */
static Status continue_string(Lexer *l, Str *text, Err *err)
{
    while (true) {
        int32_t end = l->at;
        TRY(skip_space(l, err));
        bool newline = str_find_char(str_slice(l->text, end, l->at), '\n') >= 0;
        if (!newline || at(l, 0) != '\'') {
            l->at = end;
            return OK;
        }
        Str more;
        TRY(quoted(l, '\'', &more, err));
        TRY(arena_printf(l->arena, text, err, "%.*s%.*s", (int)text->len, text->ptr, (int)more.len,
                         more.ptr));
    }
}

/* digits[.digits][e±digits] */
static TokenKind number(Lexer *l)
{
    TokenKind kind = TOKEN_INTEGER;
    while (is_digit(at(l, 0))) l->at++;
    bool exponent =
        (at(l, 1) | 32) == 'e' && is_digit(at(l, at(l, 2) == '+' || at(l, 2) == '-' ? 3 : 2));
    if (at(l, 0) == '.' && (is_digit(at(l, 1)) || !is_name_start(at(l, 1)) || exponent)) {
        kind = TOKEN_NUMBER;
        l->at++;
        while (is_digit(at(l, 0))) l->at++;
    }
    bool sign = at(l, 1) == '+' || at(l, 1) == '-';
    if ((at(l, 0) == 'e' || at(l, 0) == 'E') && is_digit(at(l, sign ? 2 : 1))) {
        kind = TOKEN_NUMBER;
        l->at += sign ? 2 : 1;
        while (is_digit(at(l, 0))) l->at++;
    }
    return kind;
}

/* Longest first. */
static const char *const SYMBOLS[] = {"!~~*", "->>", "#>>", "~~*", "!~*", "!~~", "||/", "->", "#>",
                                      "#-",   "::",  "||",  "<=",  ">=",  "<>",  "!=",  "!~", "~*",
                                      "~~",   "@>",  "<@",  "?|",  "?&",  "&&",  "<<",  ">>", "^@",
                                      "@?",   "|/",  "=>",  "(",   ")",   "[",   "]",   ",",  ".",
                                      "+",    "-",   "*",   "/",   "%",   "^",   "=",   "<",  ">",
                                      "~",    "?",   "&",   "|",   "#",   "@"};

static Status symbol(Lexer *l, Token *token, Err *err)
{
    Str rest = str_slice(l->text, l->at, l->text.len);
    for (int64_t i = 0; i < COUNT_OF(SYMBOLS); i++) {
        Str text = str_from(SYMBOLS[i]);
        if (!str_starts(rest, text)) continue;
        token->kind = TOKEN_SYMBOL;
        token->text = text;
        l->at += (int32_t)text.len;
        return OK;
    }
    (void)expr_fail(l->text, l->at, err, "\"%c\" has no meaning here",
                    at(l, 0) >= ' ' ? at(l, 0) : '?');
    if (at(l, 0) == ';') return err_hint(err, "leave the semicolon out");
    return FAIL;
}

static Status word(Lexer *l, Token *token, Err *err)
{
    char c = at(l, 0);
    if (c == '"') {
        token->kind = TOKEN_NAME;
        token->quoted = true;
        return quoted(l, '"', &token->text, err);
    }
    if (c == '\'') {
        token->kind = TOKEN_STRING;
        TRY(quoted(l, '\'', &token->text, err));
        return continue_string(l, &token->text, err);
    }
    if ((c == 'e' || c == 'E') && at(l, 1) == '\'') {
        token->kind = TOKEN_STRING;
        return escaped_string(l, &token->text, err);
    }
    if ((c == 'u' || c == 'U') && at(l, 1) == '&' && at(l, 2) == '\'') {
        token->kind = TOKEN_STRING;
        return unicode_string(l, &token->text, err);
    }
    int32_t start = l->at;
    if (is_digit(c) || (c == '.' && is_digit(at(l, 1)))) {
        token->kind = number(l);
        if (is_name_start(at(l, 0))) {
            return expr_fail(l->text, l->at, err, "a letter right after a number");
        }
    } else {
        token->kind = TOKEN_NAME;
        l->at++;
        while (is_name(at(l, 0))) l->at++;
    }
    token->text = str_slice(l->text, start, l->at);
    return OK;
}

Status lexer_next(Lexer *l, Token *token, Err *err)
{
    TRY(skip_space(l, err));
    *token = (Token){.kind = TOKEN_END, .position = l->at, .end = l->at};
    if (l->at >= l->text.len) return OK;
    char c = at(l, 0);
    bool meta = c == '@' && is_name_start(at(l, 1));
    bool point = c == '.' && is_digit(at(l, 1)), dollar = false;
    if (c == '$') TRY(dollar_string(l, &token->text, &dollar, err));
    if (dollar) {
        token->kind = TOKEN_STRING;
    } else if (is_name_start(c) || is_digit(c) || c == '"' || c == '\'' || meta || point) {
        TRY(word(l, token, err));
    } else {
        TRY(symbol(l, token, err));
    }
    token->end = l->at;
    return OK;
}
