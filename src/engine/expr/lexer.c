/* Tokens of the expression language: SQL's, with @names and ->> style operators. */
#include "engine/expr/lexer.h"

#include <stdarg.h>
#include <stdio.h>

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

static Status skip_space(Lexer *l, Err *err)
{
    while (l->at < l->text.len) {
        char c = at(l, 0);
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            l->at++;
        } else if (c == '-' && at(l, 1) == '-') {
            while (l->at < l->text.len && at(l, 0) != '\n') l->at++;
        } else if (c == '/' && at(l, 1) == '*') {
            int64_t end = str_find(str_slice(l->text, l->at + 2, l->text.len), STR("*/"));
            if (end < 0) return expr_fail(l->text, l->at, err, "this comment isn't closed");
            l->at += (int32_t)end + 4;
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

static int32_t put_utf8(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    int32_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int32_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00u >> n) | c);
    return n;
}

static bool hex_value(Str digits, uint32_t *ret_value)
{
    uint32_t value = 0;
    for (int64_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        uint32_t digit = is_digit(c) ? (uint32_t)(c - '0') : (uint32_t)((c | 32) - 'a' + 10);
        if (!is_digit(c) && ((c | 32) < 'a' || (c | 32) > 'f')) return false;
        value = value * 16 + digit;
    }
    *ret_value = value;
    return digits.len > 0;
}

/* One backslash escape of an E'…' text; returns the bytes read, 0 when it is none. */
static int32_t escape(Str rest, char *out, int32_t *ret_written)
{
    static const char NAMES[] = "bfnrt";
    static const char VALUES[] = "\b\f\n\r\t";
    if (rest.len == 0) return 0;
    char c = rest.ptr[0];
    for (int32_t i = 0; NAMES[i]; i++) {
        if (c != NAMES[i]) continue;
        out[0] = VALUES[i];
        *ret_written = 1;
        return 1;
    }
    if (c == 'u' || c == 'U') {
        int32_t count = c == 'u' ? 4 : 8;
        uint32_t value;
        if (rest.len <= count || !hex_value(str_slice(rest, 1, 1 + count), &value)) return 0;
        if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000) || value == 0) return 0;
        *ret_written = put_utf8(value, out);
        return count + 1;
    }
    out[0] = c;
    *ret_written = 1;
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
            return OK;
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

/* digits[.digits][e±digits] */
static TokenKind number(Lexer *l)
{
    TokenKind kind = TOKEN_INTEGER;
    while (is_digit(at(l, 0))) l->at++;
    if (at(l, 0) == '.' && (is_digit(at(l, 1)) || !is_name_start(at(l, 1)))) {
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
static const char *const SYMBOLS[] = {"->>", "#>>", "~~*", "!~*", "->", "#>", "::", "||", "<=",
                                      ">=",  "<>",  "!=",  "!~",  "~*", "~~", "@>", "<@", "(",
                                      ")",   "[",   "]",   ",",   ".",  "+",  "-",  "*",  "/",
                                      "%",   "^",   "=",   "<",   ">",  "~",  "?"};

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
        return quoted(l, '\'', &token->text, err);
    }
    if ((c == 'e' || c == 'E') && at(l, 1) == '\'') {
        token->kind = TOKEN_STRING;
        return escaped_string(l, &token->text, err);
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
    bool point = c == '.' && is_digit(at(l, 1));
    if (is_name_start(c) || is_digit(c) || c == '"' || c == '\'' || meta || point) {
        TRY(word(l, token, err));
    } else {
        TRY(symbol(l, token, err));
    }
    token->end = l->at;
    return OK;
}
