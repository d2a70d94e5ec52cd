/* ${NAME}, ${NAME:-default} and ${file:/path} in the values of a document. */
#include "foundation/config/substitute.h"

#include "foundation/base/file.h"
#include "foundation/base/redact.h"

enum { SUBSTITUTE_VALUE_MAX = 1 << 20 };

typedef struct Substitution {
    const SubstituteFrom *from;
    MistakeList *mistakes;
    const YamlNode *node;
    Buf out;
    bool known; /* the neuron's own name and id: no secret, wherever they come from */
} Substitution;

static Status put_file(Substitution *s, Str path, Err *err)
{
    CLEANUP(buf_done) Buf content = buf_make(SUBSTITUTE_VALUE_MAX);
    Err why = {0};
    if (file_load(path, &content, &why) != OK) {
        mistake_add(s->mistakes, s->node->line, s->node->column, STR_NULL, "${file:%.*s}: %s",
                    STR_ARG(path), why.message);
        return OK;
    }
    /* Secrets are written with a newline at the end by most tools. */
    Str text = buf_str(&content);
    while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
        text.len--;
    if (!s->known) TRY(redact_secret(text, err));
    return buf_append(&s->out, text, err);
}

static Status put_variable(Substitution *s, Str inside, Err *err)
{
    if (str_starts(inside, STR("file:"))) {
        return put_file(s, str_slice(inside, 5, inside.len), err);
    }
    int64_t at = str_find(inside, STR(":-"));
    Str name = at < 0 ? inside : str_slice(inside, 0, at);
    Str copy;
    TRY(arena_copy(s->mistakes->arena, name, &copy, err));
    const char *value = s->from->environment(s->from->arg, copy.ptr);
    if (value && (value[0] || at < 0)) return buf_append(&s->out, str_from(value), err);
    if (at >= 0) return buf_append(&s->out, str_slice(inside, at + 2, inside.len), err);
    mistake_add(s->mistakes, s->node->line, s->node->column,
                STR("set it, or write a default: ${NAME:-default}"),
                "the environment variable %.*s is not set", STR_ARG(name));
    return OK;
}

/* The text between the braces of `rest`, which begins after "${"; -1 when they aren't closed. */
static int64_t closing_brace(Str rest)
{
    int32_t depth = 1;
    for (int64_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] == '{' && i > 0 && rest.ptr[i - 1] == '$') depth++;
        if (rest.ptr[i] == '}' && --depth == 0) return i;
    }
    return -1;
}

static Status substitute_text(Substitution *s, Str text, Err *err)
{
    while (text.len) {
        int64_t at = str_find_char(text, '$');
        if (at < 0) return buf_append(&s->out, text, err);
        TRY(buf_append(&s->out, str_slice(text, 0, at), err));
        Str rest = str_slice(text, at + 1, text.len);
        if (str_starts(rest, STR("$"))) {
            TRY(buf_append_char(&s->out, '$', err));
            text = str_slice(rest, 1, rest.len);
            continue;
        }
        if (!str_starts(rest, STR("{"))) {
            TRY(buf_append_char(&s->out, '$', err));
            text = rest;
            continue;
        }
        Str inside = str_slice(rest, 1, rest.len);
        int64_t end = closing_brace(inside);
        if (end < 0) {
            mistake_add(s->mistakes, s->node->line, s->node->column, STR("write $$ for a dollar"),
                        "${ without its closing brace");
            return OK;
        }
        TRY(put_variable(s, str_slice(inside, 0, end), err));
        text = str_slice(inside, end + 1, inside.len);
    }
    return OK;
}

static Status substitute_node(Substitution *s, YamlNode *node, Err *err)
{
    if (node->substituted) return OK;
    node->substituted = true;
    for (YamlNode *at = node->first; at; at = at->next) TRY(substitute_node(s, at, err));
    if (node->kind != YAML_SCALAR || str_find_char(node->text, '$') < 0) return OK;
    s->node = node;
    buf_clear(&s->out);
    TRY(substitute_text(s, node->text, err));
    return arena_copy(s->mistakes->arena, buf_str(&s->out), &node->text, err);
}

Status substitute_tree(YamlNode *root, const SubstituteFrom *from, MistakeList *mistakes, Err *err)
{
    Substitution s = {.from = from, .mistakes = mistakes, .out = buf_make(SUBSTITUTE_VALUE_MAX)};
    Status status = OK;
    for (YamlNode *at = root->first; at && status == OK; at = at->next) {
        s.known = str_eq(at->key, STR("neuron"));
        status = substitute_node(&s, at, err);
    }
    if (status == OK && !root->first) status = substitute_node(&s, root, err);
    buf_done(&s.out);
    return status;
}
