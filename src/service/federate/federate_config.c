/* The configuration that the core has for this neuron: asked for, applied when it is another. */
#include "service/federate/federate_config.h"

#include "service/federate/federate_state.h"
#include "service/federate/federate_tasks.h"

#define EVERY_MAX_NS (300 * FEDERATE_S_NS)
#define CONFIG_KEY STR("federation.config")

/* What was seen last, by an earlier life: it is not applied again, for a command may have changed
 * the same thing since. */
void federate_config_load(Federate *f)
{
    Err err = {0};
    CLEANUP(buf_done) Buf text = buf_make(FEDERATE_JSON_MAX);
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    JsonValue *root = NULL;
    if (state_value_get(f->o.store, CONFIG_KEY, &text, &err) == OK && text.len &&
        json_parse(buf_str(&text), &arena, &root, &err) == OK) {
        Str version = json_member_text(root, STR("version"), STR_NULL);
        Str content = json_member_text(root, STR("content"), STR_NULL);
        const JsonValue *refused = json_member(root, STR("refused"));
        f->config.refused = json_is_true(refused);
        if (buf_append(&f->config.version, version, &err) == OK) {
            IGNORE(buf_append(&f->config.content, content, &err)); /* told below */
        }
    }
    if (err.message[0]) {
        LOG_ERR(LOG_WARN, "federation", "the last configuration is not known", &err);
    }
    arena_done(&arena);
}

static Status keep(Federate *f, const ReplyConfig *config, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(FEDERATE_JSON_MAX);
    buf_clear(&f->config.content);
    TRY(buf_append(&f->config.content, config->content, err));
    if (!f->config.refused) {
        buf_clear(&f->config.version);
        TRY(buf_append(&f->config.version, config->version, err));
    }
    JsonWriter w = json_writer_make(&text, err);
    json_object_begin(&w);
    json_key(&w, "version");
    json_write_text(&w, buf_str(&f->config.version));
    json_key(&w, "content");
    json_write_text(&w, config->content);
    json_key(&w, "refused");
    json_write_bool(&w, f->config.refused);
    json_object_end(&w);
    TRY(json_writer_end(&w));
    return state_value_put(f->o.store, CONFIG_KEY, buf_str(&text), err);
}

/* False where it was refused: the version in effect stays what it was. */
static bool apply(Federate *f, const JsonValue *config, Str version)
{
    Err err = {0};
    CLEANUP(buf_done) Buf out = buf_make(FEDERATE_JSON_MAX);
    if (task_configure(f, config, &out, &err) == OK) {
        LOG(LOG_INFO, "federation", "configuration applied", log_text("version", version));
        event_note(&f->events, "config_applied", "version %.*s", STR_ARG(version));
        return true;
    }
    LOG_ERR(LOG_WARN, "federation", "the federation's configuration is not applied", &err,
            log_text("version", version));
    event_note(&f->events, "config_refused", "version %.*s: %.200s", STR_ARG(version), err.message);
    return false;
}

static void take(Federate *f, const JsonValue *data)
{
    Err err = {0};
    ReplyConfig config;
    reply_config(data, &config);
    bool same_content = str_eq(config.content, buf_str(&f->config.content));
    bool same_version = str_eq(config.version, buf_str(&f->config.version));
    if (same_content && (same_version || f->config.refused)) return;
    f->config.refused = !same_content && config.content.len &&
                        !apply(f, json_member(data, STR("config")), config.version);
    if (keep(f, &config, &err) != OK) {
        LOG_ERR(LOG_ERROR, "federation", "the configuration's version is not kept", &err);
    }
}

bool federate_config(Federate *f)
{
    Answer a;
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    Call call = {.operation = OP_CONFIG};
    federate_call(f, &call, &arena, &a);
    if (a.outcome == CALL_OK) take(f, a.data);
    arena_done(&arena);
    return a.outcome == CALL_GONE;
}

void federate_config_due(Federate *f)
{
    int64_t every_ns = int64_min(5 * f->heartbeat_us * 1000, EVERY_MAX_NS);
    f->due.config_ns = clock_mono_ns() + every_ns;
    /* Alone that is no proof that the record is lost; with a heartbeat that fails it is. */
    if (federate_config(f)) f->due.beat_ns = clock_mono_ns();
}
