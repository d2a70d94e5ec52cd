/* config_update: the few things that may be changed from outside, checked whole before any is, and
 * kept part by part. */
#include "foundation/base/arena.h"
#include "foundation/codec/json_tree.h"
#include "service/daemon/control_calls.h"
#include "service/daemon/daemon_state.h"

/* What of the update was understood. */
typedef struct Update {
    bool has_level;
    LogLevel level;
    int64_t heartbeat_s; /* 0: not named */
    const JsonValue *schedules, *paused;
} Update;

static Status check_schedule(Daemon *d, const JsonValue *at, Err *err)
{
    Schedule schedule = {0};
    if (!job_find(d, JOB_PIPELINE, at->key) && !job_find(d, JOB_DATASET, at->key)) {
        return err_set(err, ERR_USAGE, "schedules: no pipeline \"%.*s\"", STR_ARG(at->key));
    }
    if (at->kind != JSON_STRING) {
        return err_set(err, ERR_USAGE, "schedules.%.*s must be a text", STR_ARG(at->key));
    }
    if (at->text.len && schedule_parse(at->text, &schedule, err) != OK) {
        if (err) err->kind = ERR_USAGE;
        return FAIL;
    }
    schedule_done(&schedule);
    return OK;
}

static Status check_paused(Daemon *d, const JsonValue *at, Err *err)
{
    if (!job_find(d, JOB_PIPELINE, at->key) && !job_find(d, JOB_DATASET, at->key) &&
        !stream_find(d, at->key)) {
        return err_set(err, ERR_USAGE, "paused: no pipeline or stream \"%.*s\"", STR_ARG(at->key));
    }
    if (at->kind == JSON_BOOL) return OK;
    return err_set(err, ERR_USAGE, "paused.%.*s must be true or false", STR_ARG(at->key));
}

static Status check_all(Daemon *d, const JsonValue *map,
                        Status (*check)(Daemon *d, const JsonValue *at, Err *err), Err *err)
{
    if (map->kind != JSON_OBJECT) {
        return err_set(err, ERR_USAGE, "%.*s must be an object", STR_ARG(map->key));
    }
    for (const JsonValue *at = map->first; at; at = at->next) TRY(check(d, at, err));
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
        return check_all(d, at, check_schedule, err);
    }
    if (str_eq(at->key, STR("paused"))) {
        u->paused = at;
        return check_all(d, at, check_paused, err);
    }
    (void)err_set(err, ERR_USAGE, "\"%.*s\" can't be changed from outside", STR_ARG(at->key));
    return err_hint(err, "heartbeat_interval, log_level, schedules and paused can");
}

static Status set_paused(Daemon *d, const JsonValue *at, Err *err UNUSED)
{
    pthread_mutex_lock(&d->lock);
    for (int32_t i = 0; i < d->table.job_count; i++) {
        if (str_eq(d->table.jobs[i].name, at->key)) d->table.jobs[i].paused = at->boolean;
    }
    pthread_mutex_unlock(&d->lock);
    Stream *stream = stream_find(d, at->key);
    if (stream) stream_pause(stream, at->boolean);
    return OK;
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
        d->beside.heartbeat_us = u->heartbeat_s * 1000000;
        pthread_mutex_unlock(&d->lock);
    }
    for (const JsonValue *at = u->schedules ? u->schedules->first : NULL; at; at = at->next) {
        TRY(set_schedule(d, at, err));
    }
    for (const JsonValue *at = u->paused ? u->paused->first : NULL; at; at = at->next) {
        TRY(set_paused(d, at, err));
    }
    life_wake(&d->life);
    return OK;
}

static Status update_parse(Daemon *d, Str json, Arena *arena, Update *u, Err *err)
{
    JsonValue *root = NULL;
    if (json_parse(json, arena, &root, err) != OK || root->kind != JSON_OBJECT) {
        return err_set(err, ERR_USAGE, "the update is not a JSON object");
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

/* ---- at the start ---- */

/* What an earlier life was told, as it is taken up again. */
typedef struct Restore {
    Daemon *d;
    JsonWriter kept; /* what still fits, for the next start */
    int64_t dropped;
} Restore;

static void keep(Restore *r, const JsonValue *at)
{
    json_key_str(&r->kept, at->key);
    if (at->kind == JSON_STRING) json_write_text(&r->kept, at->text);
    else json_write_raw(&r->kept, at->text);
}

static void drop(Restore *r, const Err *why)
{
    LOG_ERR(LOG_WARN, "control", "an earlier change no longer fits and is forgotten", why);
    r->dropped++;
}

/* Each of a map's members stands for itself. */
static void restore_map(Restore *r, const JsonValue *map,
                        Status (*check)(Daemon *d, const JsonValue *at, Err *err),
                        Status (*set)(Daemon *d, const JsonValue *at, Err *err))
{
    json_key_str(&r->kept, map->key);
    json_object_begin(&r->kept);
    for (const JsonValue *at = map->first; at; at = at->next) {
        Err err = {0};
        if (check(r->d, at, &err) == OK && set(r->d, at, &err) == OK) keep(r, at);
        else drop(r, &err);
    }
    json_object_end(&r->kept);
}

static void restore_member(Restore *r, const JsonValue *at)
{
    Err err = {0};
    Update update = {0};
    if (str_eq(at->key, STR("schedules"))) {
        restore_map(r, at, check_schedule, set_schedule);
    } else if (str_eq(at->key, STR("paused"))) {
        restore_map(r, at, check_paused, set_paused);
    } else if (update_member(r->d, at, &update, &err) == OK && apply(r->d, &update, &err) == OK) {
        keep(r, at);
    } else {
        drop(r, &err);
    }
}

static Status restore(Restore *r, Str json, Arena *arena, Buf *kept, Err *err)
{
    JsonValue *root = NULL;
    Err damaged = {0};
    r->kept = json_writer_make(kept, err);
    json_object_begin(&r->kept);
    Status status = json_parse(json, arena, &root, &damaged);
    if (status == OK && root->kind != JSON_OBJECT) {
        status = err_set(&damaged, ERR_DATA, "the kept update is not a JSON object");
        root = NULL;
    }
    if (status != OK) drop(r, &damaged);
    for (const JsonValue *at = root ? root->first : NULL; at; at = at->next) restore_member(r, at);
    json_object_end(&r->kept);
    life_wake(&r->d->life);
    return json_writer_end(&r->kept);
}

/* Part by part: what no longer fits is said once and leaves the store, and takes nothing with it.
 */
void config_update_restore(Daemon *d)
{
    Err err = {0};
    CLEANUP(buf_done) Buf json = buf_make(1 << 20);
    CLEANUP(buf_done) Buf kept = buf_make(1 << 20);
    Arena arena = arena_make(1 << 20);
    Restore r = {.d = d};
    Status status = state_value_get(d->store, STR("config_update"), &json, &err);
    if (status == OK && json.len > 0) {
        status = restore(&r, buf_str(&json), &arena, &kept, &err);
        if (status == OK && r.dropped) {
            status = state_value_put(d->store, STR("config_update"), buf_str(&kept), &err);
        }
    }
    if (status != OK) LOG_ERR(LOG_WARN, "control", "earlier changes can't be taken up", &err);
    arena_done(&arena);
}
