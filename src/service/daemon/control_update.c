/* config_update: the few things that may be changed from outside, checked whole before any is. */
#include "foundation/base/arena.h"
#include "foundation/codec/json_tree.h"
#include "service/daemon/daemon_impl.h"

/* What of the update was understood. */
typedef struct Update {
    bool has_level;
    LogLevel level;
    int64_t heartbeat_s; /* 0: not named */
    const JsonValue *schedules, *paused;
} Update;

static Status check_schedules(Daemon *d, const JsonValue *map, Err *err)
{
    if (map->kind != JSON_OBJECT) return err_set(err, ERR_USAGE, "schedules must be an object");
    for (const JsonValue *at = map->first; at; at = at->next) {
        Schedule schedule = {0};
        if (!job_find(d, JOB_PIPELINE, at->key) && !job_find(d, JOB_DATASET, at->key)) {
            return err_set(err, ERR_USAGE, "schedules: no pipeline «%.*s»", STR_ARG(at->key));
        }
        if (at->kind != JSON_STRING) {
            return err_set(err, ERR_USAGE, "schedules.%.*s must be a text", STR_ARG(at->key));
        }
        if (at->text.len && schedule_parse(at->text, &schedule, err) != OK) {
            if (err) err->kind = ERR_USAGE;
            return FAIL;
        }
        schedule_done(&schedule);
    }
    return OK;
}

static Status check_paused(Daemon *d, const JsonValue *map, Err *err)
{
    if (map->kind != JSON_OBJECT) return err_set(err, ERR_USAGE, "paused must be an object");
    for (const JsonValue *at = map->first; at; at = at->next) {
        if (!job_find(d, JOB_PIPELINE, at->key) && !job_find(d, JOB_DATASET, at->key) &&
            !stream_find(d, at->key)) {
            return err_set(err, ERR_USAGE, "paused: no pipeline or stream «%.*s»",
                           STR_ARG(at->key));
        }
        if (at->kind != JSON_BOOL) {
            return err_set(err, ERR_USAGE, "paused.%.*s must be true or false", STR_ARG(at->key));
        }
    }
    return OK;
}

static Status update_member(Daemon *d, const JsonValue *at, Update *u, Err *err)
{
    if (str_eq(at->key, STR("log_level"))) {
        u->has_level = at->kind == JSON_STRING && log_level_parse(at->text, &u->level);
        return u->has_level ? OK : err_set(err, ERR_USAGE, "log_level: debug, info, warn or error");
    }
    if (str_eq(at->key, STR("heartbeat_interval"))) {
        if (json_int64(at, &u->heartbeat_s) && u->heartbeat_s >= 1 && u->heartbeat_s <= 86400) {
            return OK;
        }
        return err_set(err, ERR_USAGE, "heartbeat_interval: whole seconds from 1 to 86400");
    }
    if (str_eq(at->key, STR("schedules"))) {
        u->schedules = at;
        return check_schedules(d, at, err);
    }
    if (str_eq(at->key, STR("paused"))) {
        u->paused = at;
        return check_paused(d, at, err);
    }
    (void)err_set(err, ERR_USAGE, "«%.*s» can't be changed from outside", STR_ARG(at->key));
    return err_hint(err, "heartbeat_interval, log_level, schedules and paused can");
}

static void set_paused(Daemon *d, Str name, bool paused)
{
    pthread_mutex_lock(&d->lock);
    for (int32_t i = 0; i < d->job_count; i++) {
        if (str_eq(d->jobs[i].name, name)) d->jobs[i].paused = paused;
    }
    pthread_mutex_unlock(&d->lock);
    Stream *stream = stream_find(d, name);
    if (stream) stream_pause(stream, paused);
}

static Status set_schedule(Daemon *d, const JsonValue *at, Err *err)
{
    Job *job = job_find(d, JOB_PIPELINE, at->key);
    if (!job) job = job_find(d, JOB_DATASET, at->key);
    return job_set_schedule(d, job, at->text, err);
}

static Status apply(Daemon *d, const Update *u, Err *err)
{
    if (u->has_level) log_level_set(u->level);
    if (u->heartbeat_s) {
        pthread_mutex_lock(&d->lock);
        d->heartbeat_us = u->heartbeat_s * 1000000;
        pthread_mutex_unlock(&d->lock);
    }
    for (const JsonValue *at = u->schedules ? u->schedules->first : NULL; at; at = at->next) {
        TRY(set_schedule(d, at, err));
    }
    for (const JsonValue *at = u->paused ? u->paused->first : NULL; at; at = at->next) {
        set_paused(d, at->key, at->boolean);
    }
    daemon_wake(d);
    return OK;
}

static Status update_parse(Daemon *d, Str json, Arena *arena, Update *u, Err *err)
{
    JsonValue *root = NULL;
    if (json_parse(json, arena, &root, err) != OK || root->kind != JSON_OBJECT) {
        return err_set(err, ERR_USAGE, "the update is no JSON object");
    }
    for (const JsonValue *at = root->first; at; at = at->next) {
        TRY(update_member(d, at, u, err));
    }
    return OK;
}

/* Members of `newer` win; those of `older` that it has not follow. `deep`: of nested objects too.
 */
static void write_merged(JsonWriter *w, const JsonValue *newer, const JsonValue *older, bool deep)
{
    json_object_begin(w);
    for (const JsonValue *at = newer ? newer->first : NULL; at; at = at->next) {
        const JsonValue *was = json_member(older, at->key);
        json_key_str(w, at->key);
        if (deep && at->kind == JSON_OBJECT) write_merged(w, at, was, false);
        else if (at->kind == JSON_STRING) json_write_text(w, at->text);
        else json_write_raw(w, at->text);
    }
    for (const JsonValue *at = older ? older->first : NULL; at; at = at->next) {
        if (json_member(newer, at->key)) continue;
        json_key_str(w, at->key);
        if (at->kind == JSON_STRING) json_write_text(w, at->text);
        else json_write_raw(w, at->text);
    }
    json_object_end(w);
}

/* What was told before and now, as one update for the next start. */
static Status keep_update(Daemon *d, Str json, Arena *arena, Err *err)
{
    CLEANUP(buf_done) Buf before = buf_make(1 << 20);
    CLEANUP(buf_done) Buf both = buf_make(1 << 20);
    JsonValue *older = NULL, *newer = NULL;
    TRY(state_value_get(d->store, STR("config_update"), &before, err));
    TRY(json_parse(json, arena, &newer, err));
    if (before.len) TRY(json_parse(buf_str(&before), arena, &older, err));
    JsonWriter w = json_writer_make(&both, err);
    write_merged(&w, newer, older, true);
    TRY(json_writer_end(&w));
    return state_value_put(d->store, STR("config_update"), buf_str(&both), err);
}

Status control_config_update(void *arg, Str json, Buf *out, Err *err)
{
    Daemon *d = arg;
    Arena arena = arena_make(1 << 20);
    Update update = {0};
    Status status = update_parse(d, json, &arena, &update, err);
    if (status == OK) status = keep_update(d, json, &arena, err);
    if (status == OK) status = apply(d, &update, err);
    if (status == OK) LOG(LOG_INFO, "control", "configuration updated from outside");
    if (status == OK) status = buf_append(out, STR("{\"status\":\"applied\"}"), err);
    arena_done(&arena);
    return status;
}

/* At the start: what an earlier life was told. What no longer fits is dropped, and said. */
void config_update_restore(Daemon *d)
{
    Err err = {0};
    CLEANUP(buf_done) Buf json = buf_make(1 << 20);
    Arena arena = arena_make(1 << 20);
    Update update = {0};
    Status status = state_value_get(d->store, STR("config_update"), &json, &err);
    if (status == OK && json.len > 0) {
        status = update_parse(d, buf_str(&json), &arena, &update, &err);
        if (status == OK) status = apply(d, &update, &err);
    }
    if (status != OK) LOG_ERR(LOG_WARN, "control", "an earlier update is not applied", &err);
    arena_done(&arena);
}
