/* SQL's patterns (SIMILAR TO) as regular expressions. */
#include "engine/expr/regex_pattern.h"
#include "engine/expr/utf8_text.h"

typedef struct Similar {
    Buf *out;
    bool parted;   /* the pattern has marks: its first part is the shortest that fits */
    int32_t marks; /* read so far */
    bool in_class; /* between [ and ] */
} Similar;

static Status put_mark(Similar *s, Err *err)
{
    if (s->marks++ == 2) {
        return err_set(err, ERR_EXPRESSION,
                       "an SQL regular expression has at most two escaped double quotes");
    }
    return buf_append(s->out, s->marks == 1 ? STR(")(") : STR(")(?:"), err);
}

static Status put_lazy(const Similar *s, Err *err)
{
    return s->parted && s->marks == 0 ? buf_append_char(s->out, '?', err) : OK;
}

static Status put_plain(Similar *s, Str c, Err *err)
{
    char first = c.ptr[0];
    if (s->in_class) {
        if (first == '\\') TRY(buf_append_char(s->out, '\\', err));
        if (first == ']') s->in_class = false;
        return buf_append(s->out, c, err);
    }
    switch (first) {
    case '[':
        s->in_class = true;
        return buf_append(s->out, c, err);
    case '%':
        TRY(buf_append(s->out, STR(".*"), err));
        return put_lazy(s, err);
    case '*':
    case '+':
    case '?':
    case '}':
        TRY(buf_append(s->out, c, err));
        return put_lazy(s, err);
    case '_':
        return buf_append_char(s->out, '.', err);
    case '(':
        return buf_append(s->out, STR("(?:"), err);
    case '\\':
    case '.':
    case '^':
    case '$':
        TRY(buf_append_char(s->out, '\\', err));
        return buf_append(s->out, c, err);
    default:
        return buf_append(s->out, c, err);
    }
}

Status regex_from_similar(Str pattern, Str escape, Buf *out, Err *err)
{
    if (escape.len > 0 && utf8_char_at(escape, 0).len != escape.len) {
        return err_set(err, ERR_EXPRESSION, "the escape must be one character");
    }
    Similar s = {.out = out};
    CLEANUP(buf_done) Buf mark = buf_make(1 << 10);
    TRY(buf_append(&mark, escape, err));
    TRY(buf_append_char(&mark, '"', err));
    s.parted = escape.len > 0 && str_find(pattern, buf_str(&mark)) >= 0;
    bool escaped = false;
    TRY(buf_append(out, STR("^(?:"), err));
    for (int64_t at = 0; at < pattern.len;) {
        Str c = utf8_char_at(pattern, at);
        at += c.len;
        if (escaped && c.ptr[0] == '"' && !s.in_class) {
            TRY(put_mark(&s, err));
        } else if (escaped) {
            TRY(buf_append_char(out, '\\', err));
            TRY(buf_append(out, c, err));
        } else if (!str_eq(c, escape)) {
            TRY(put_plain(&s, c, err));
        }
        escaped = !escaped && str_eq(c, escape);
    }
    return buf_append(out, STR(")$"), err);
}
