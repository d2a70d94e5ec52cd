/* What of a configuration is secret: registered with the filter before anything is said about it.
 */
#include "foundation/base/redact.h"
#include "foundation/codec/url.h"
#include "service/setup/mistake_place.h"
#include "service/setup/sections.h"

/* Below these keys stand columns, types and expressions: a column "token" is no secret. */
static bool holds_no_secrets(Str key)
{
    static const char *const KEYS[] = {"csv",   "columns",    "types",  "tests",
                                       "steps", "processors", "quality"};
    for (int64_t i = 0; i < COUNT_OF(KEYS); i++) {
        if (str_eq(key, str_from(KEYS[i]))) return true;
    }
    return false;
}

/* The address of an incoming webhook is its own password: what stands after its host. */
static Status add_webhook(const Url *url, Err *err)
{
    Str path = url->rest;
    return path.len > 1 ? redact_secret(str_slice(path, 1, path.len), err) : OK;
}

static Status add_url(Configuration *c, const YamlNode *node, Err *err)
{
    Url url;
    Err why = {0};
    bool web = str_starts(node->text, STR("http://")) || str_starts(node->text, STR("https://"));
    if (url_parse(node->text, &url, &why) != OK) {
        if (web) mistake_from(c, node, &why);
        return OK;
    }
    if (str_eq(node->key, STR("slack"))) TRY(add_webhook(&url, err));
    return url_secrets(&url, &c->arena, err);
}

static Status add_all(Configuration *c, const YamlNode *node, Err *err)
{
    if (node->kind != YAML_SCALAR) {
        for (const YamlNode *at = node->first; at; at = at->next) {
            if (!holds_no_secrets(at->key)) TRY(add_all(c, at, err));
        }
        return OK;
    }
    if (url_name_is_secret(node->key)) TRY(redact_secret(node->text, err));
    if (!node->block && str_find(node->text, STR("://")) > 0) return add_url(c, node, err);
    return OK;
}

Status secrets_register(Configuration *c, const YamlNode *root, Err *err)
{
    return add_all(c, root, err);
}

void state_check(Configuration *c)
{
    Url url;
    Err why = {0};
    const YamlNode *node = option_node(&c->options.head, "state");
    if (!node) return;
    if (state_url_check(c->options.state, &why) != OK) {
        mistake_from(c, node, &why);
        return;
    }
    if (state_url_is_file(c->options.state)) return;
    if (url_parse(c->options.state, &url, &why) != OK) mistake_from(c, node, &why);
}
