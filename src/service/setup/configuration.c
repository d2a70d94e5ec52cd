/* The configuration file: read whole, checked whole, turned into what the drivers take. */
#include "service/setup/configuration.h"

#include "foundation/base/file.h"
#include "foundation/base/redact.h"
#include "foundation/codec/url.h"
#include "foundation/net/listen_address.h"
#include "service/federate/federate_url.h"
#include "service/setup/mistake_place.h"
#include "service/setup/sections.h"

#define CONFIGURATION_MAX (INT64_C(16) << 20)
#define CONFIGURATION_ARENA_MAX (INT64_C(256) << 20)
enum { MISTAKES_SHOWN = 5 };

static void configuration_init(const Registry *registry, Configuration *c)
{
    *c = (Configuration){.registry = registry};
    c->arena = arena_make(CONFIGURATION_ARENA_MAX);
    c->text = buf_make(CONFIGURATION_MAX);
    c->mistakes = (MistakeList){.arena = &c->arena};
}

void configuration_done(Configuration *c)
{
    buf_done(&c->text);
    arena_done(&c->arena);
}

Status configuration_begin(const Registry *registry, Str path, Configuration *c, Err *err)
{
    configuration_init(registry, c);
    return arena_copy(&c->arena, path, &c->path, err);
}

static void http_check(Configuration *c)
{
    Err why = {0};
    Str host = STR_NULL;
    int32_t port = 0;
    const HttpOptions *o = &c->options.http;
    const YamlNode *node = option_node(&o->head, "listen");
    if (node && listen_address_parse(o->listen, &host, &port, &why) != OK) {
        mistake_from(c, node, &why);
    }
}

/* The core takes a neuron for dead that it didn't hear for 120 s. */
static void federation_numbers_check(Configuration *c)
{
    enum { SECOND_US = 1000000 };
    const FederationOptions *o = &c->options.federation;
    const YamlNode *heartbeat = option_node(&o->head, "heartbeat");
    const YamlNode *outbox = option_node(&o->head, "outbox");
    if (heartbeat && (o->heartbeat_us < SECOND_US || o->heartbeat_us > 90 * SECOND_US)) {
        mistake_add(&c->mistakes, heartbeat->line, heartbeat->column, STR("from 1s to 90s"),
                    "`heartbeat` can't be \"%.*s\"", STR_ARG(heartbeat->text));
    }
    if (outbox && o->outbox < 1) {
        mistake_add(&c->mistakes, outbox->line, outbox->column, STR("at least 1"),
                    "`outbox` can't be \"%.*s\"", STR_ARG(outbox->text));
    }
}

/* An empty address is none: off. */
static void federation_check(Configuration *c)
{
    const FederationOptions *o = &c->options.federation;
    const struct {
        const char *key;
        Str url;
    } URLS[] = {{"url", o->url}, {"former_url", o->former_url}};
    for (int32_t i = 0; i < COUNT_OF(URLS); i++) {
        Err why = {0};
        CLEANUP(buf_done) Buf out = buf_make(FEDERATE_URL_MAX);
        Url url;
        if (!URLS[i].url.len || federate_url(URLS[i].url, true, &out, &why) == OK) continue;
        /* What doesn't even parse was a mistake when its secrets were looked for. */
        bool is_url = str_find(URLS[i].url, STR("://")) > 0;
        if (is_url && url_parse(URLS[i].url, &url, NULL) != OK) continue;
        mistake_from(c, option_node(&o->head, URLS[i].key), &why);
    }
}

static Status check(Configuration *c, const SubstituteFrom *from, Err *err)
{
    YamlNode *root = NULL;
    if (yaml_parse(buf_str(&c->text), &c->arena, &root, err) != OK) {
        return err_where(err, "%.*s:%lld:%lld", STR_ARG(c->path), (long long)err->line,
                         (long long)err->column);
    }
    TRY(substitute_tree(root, from, &c->mistakes, err));
    TRY(secrets_register(c, root, err));
    TRY(option_fill(&CONFIGURATION_GROUP, root, &c->options, &c->mistakes, err));
    state_check(c);
    http_check(c);
    federation_check(c);
    federation_numbers_check(c);
    TRY(connections_check(c, err));
    TRY(quality_make(c, err));
    TRY(pipelines_make(c, err));
    TRY(streams_make(c, err));
    file_targets_check(c);
    TRY(alerts_make(c, err));
    TRY(timing_check(c, err));
    if (c->mistakes.count == 0) tests_check(c);
    if (c->mistakes.count == 0) redact_values_set(c->options.values == 1);
    return OK;
}

Status configuration_parse(const Registry *registry, Str path, Str text, const SubstituteFrom *from,
                           Configuration *c, Err *err)
{
    configuration_init(registry, c);
    TRY(arena_copy(&c->arena, path, &c->path, err));
    TRY(buf_append(&c->text, text, err));
    return check(c, from, err);
}

Status configuration_load(const Registry *registry, Str path, const SubstituteFrom *from,
                          Configuration *c, Err *err)
{
    configuration_init(registry, c);
    TRY(arena_copy(&c->arena, path, &c->path, err));
    if (file_load(path, &c->text, err) != OK) {
        (void)err_hint(err, "name the configuration with -c FILE; `neuron init` writes a starter");
        if (err) err->kind = ERR_CONFIG;
        return FAIL;
    }
    return check(c, from, err);
}

static Status put_mistake(const Configuration *c, const Mistake *m, Buf *out, Err *err)
{
    TRY(buf_append(out, c->path, err));
    if (m->line) {
        TRY(buf_printf(out, err, ":%lld:%lld", (long long)m->line, (long long)m->column));
    }
    TRY(buf_append(out, STR(": "), err));
    TRY(buf_append(out, m->what, err));
    if (!m->hint.len) return OK;
    TRY(buf_append(out, STR(" ("), err));
    TRY(buf_append(out, m->hint, err));
    return buf_append_char(out, ')', err);
}

Status configuration_print_mistakes(const Configuration *c, Buf *out, Err *err)
{
    for (int32_t i = 0; i < c->mistakes.count; i++) {
        TRY(put_mistake(c, &c->mistakes.items[i], out, err));
        TRY(buf_append_char(out, '\n', err));
    }
    return OK;
}

Status configuration_check(const Configuration *c, Err *err)
{
    if (c->mistakes.count == 0) return OK;
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    for (int32_t i = 0; i < c->mistakes.count && i < MISTAKES_SHOWN; i++) {
        if (i) TRY(buf_append_char(&text, '\n', err));
        TRY(put_mistake(c, &c->mistakes.items[i], &text, err));
    }
    (void)err_set(err, ERR_CONFIG, "%.*s", STR_ARG(buf_str(&text)));
    if (c->mistakes.count <= MISTAKES_SHOWN) return FAIL;
    return err_hint(err, "%d mistakes in all; `neuron validate` shows them", c->mistakes.count);
}
