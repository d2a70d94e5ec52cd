/* A query's named parameters become literals: COPY takes none. */
#include "connect/postgres/postgres_impl.h"
#include "foundation/base/decimal.h"

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

/* Behind a quoted text or identifier that begins at `at`. */
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

static const SourceParam *param_find(const SourceReq *req, Str name)
{
    for (int32_t i = 0; i < req->param_count; i++) {
        if (str_eq(req->params[i].name, name)) return &req->params[i];
    }
    return NULL;
}

static Status param_missing(Str name, Err *err)
{
    (void)err_set(err, ERR_CONFIG, "the query's parameter :%.*s has no value", STR_ARG(name));
    return err_hint(err, "give it under `params:` or with --param %.*s=…", STR_ARG(name));
}

/* Numbers stand as they are, in brackets when negative; the rest is a quoted text that PostgreSQL
 * takes for the type that it is compared with. */
static Status param_literal(PostgresDb *db, const SourceParam *param, Buf *out, Err *err)
{
    if (param->null) return buf_append(out, STR("NULL"), err);
    Decimal number;
    bool numeric = param->type == TYPE_INT64 || param->type == TYPE_NUMERIC;
    if (numeric && decimal_parse(param->text, &number) == DECIMAL_OK) {
        Str text = str_trim(param->text);
        if (text.ptr[0] != '-') return buf_append(out, text, err);
        return buf_printf(out, err, "(%.*s)", STR_ARG(text));
    }
    if (param->type == TYPE_BOOL) {
        bool value = str_eq(param->text, STR("true"));
        return buf_append(out, value ? STR("TRUE") : STR("FALSE"), err);
    }
    return postgres_db_literal(db, out, param->text, err);
}

/* A colon in front of a name, but not in a slice: a[lo:hi], a[1:n]. */
static bool is_param(const Scanner *s)
{
    char before = char_at(s, s->at - 1);
    return char_at(s, s->at) == ':' && is_letter(char_at(s, s->at + 1)) && !is_name(before) &&
           before != ']' && before != ')' && before != ':';
}

static Status bind_param(PostgresDb *db, const SourceReq *req, Scanner *s, Buf *out, Err *err)
{
    int64_t end = s->at + 1;
    while (is_name(char_at(s, end))) end++;
    Str name = str_slice(s->text, s->at + 1, end);
    const SourceParam *param = param_find(req, name);
    if (!param) return param_missing(name, err);
    TRY(param_literal(db, param, out, err));
    s->at = end;
    return OK;
}

Status postgres_query_bind(PostgresDb *db, const SourceReq *req, Buf *out, Err *err)
{
    Str query = str_trim(req->query);
    while (str_ends(query, STR(";"))) query = str_trim(str_slice(query, 0, query.len - 1));
    Scanner s = {.text = query};
    while (s.at < query.len) {
        int64_t next = skip_opaque(&s);
        if (next > s.at) {
            TRY(buf_append(out, str_slice(query, s.at, next), err));
            s.at = next;
        } else if (char_at(&s, s.at) == '\\' && char_at(&s, s.at + 1) == ':') {
            TRY(buf_append_char(out, ':', err));
            s.at += 2;
        } else if (is_param(&s)) {
            TRY(bind_param(db, req, &s, out, err));
        } else {
            TRY(buf_append_char(out, char_at(&s, s.at++), err));
        }
    }
    return OK;
}
