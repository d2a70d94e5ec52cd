/* Samples of the stable watermark: up to which cursor no row can appear any more. Logic only. */
#include "connect/postgres/postgres_samples.h"

#include "foundation/base/number.h"

enum { SAMPLES_BYTES_MAX = 64 << 20 };

void postgres_samples_init(PostgresSamples *samples)
{
    *samples = (PostgresSamples){.arena = arena_make(SAMPLES_BYTES_MAX)};
}

void postgres_samples_done(PostgresSamples *samples)
{
    arena_done(&samples->arena);
    samples->count = 0;
}

void postgres_samples_forget(PostgresSamples *samples)
{
    arena_clear(&samples->arena);
    samples->count = 0;
}

/* ---- adding ---- */

static Status wait_add(PostgresSamples *samples, PostgresSample *sample, PostgresWait wait,
                       Err *err)
{
    TRY(arena_copy(&samples->arena, wait.transaction, &wait.transaction, err));
    sample->waits[sample->count++] = wait;
    return OK;
}

static void sample_put(PostgresSamples *samples, const PostgresSample *sample)
{
    if (samples->count == POSTGRES_SAMPLES_MAX) samples->count--;
    samples->items[samples->count++] = *sample;
}

Status postgres_samples_add(PostgresSamples *samples, int64_t cursor, int64_t ripe_us,
                            const PostgresLook *look, Err *err)
{
    PostgresSample sample = {.cursor = cursor, .ripe_us = ripe_us, .lsn = -1};
    sample.waits =
        ARENA_ARRAY(&samples->arena, PostgresWait, look->session_count + look->prepared_count);
    if (!sample.waits) return err_memory(err);
    for (int32_t i = 0; i < look->session_count; i++) {
        const PostgresSession *session = &look->sessions[i];
        bool idle = !session->transaction.len && session->message_us == POSTGRES_MESSAGE_NONE;
        if (!idle) TRY(wait_add(samples, &sample, *session, err));
    }
    for (int32_t i = 0; i < look->prepared_count; i++) {
        PostgresWait wait = {.transaction = look->prepared[i]};
        TRY(wait_add(samples, &sample, wait, err));
    }
    sample_put(samples, &sample);
    return OK;
}

/* ---- a later look ---- */

static bool is_prepared(const PostgresLook *look, Str id)
{
    for (int32_t i = 0; i < look->prepared_count; i++) {
        if (str_eq(look->prepared[i], id)) return true;
    }
    return false;
}

static const PostgresSession *session_of(const PostgresLook *look, const PostgresWait *wait)
{
    for (int32_t i = 0; i < look->session_count; i++) {
        const PostgresSession *at = &look->sessions[i];
        bool shown = at->start_us && wait->start_us;
        if (at->pid == wait->pid && (!shown || at->start_us == wait->start_us)) return at;
    }
    return NULL;
}

static bool message_has_ended(const PostgresWait *wait, const PostgresSession *session)
{
    if (session->message_us == POSTGRES_MESSAGE_NONE) return true;
    bool hidden = wait->message_us == POSTGRES_MESSAGE_HIDDEN ||
                  session->message_us == POSTGRES_MESSAGE_HIDDEN;
    return hidden ? session->transaction.len == 0 : session->message_us != wait->message_us;
}

/* Its message has ended: a transaction that it left open is as old as itself. */
static Status message_end(PostgresSamples *samples, PostgresWait *wait,
                          const PostgresSession *session, Err *err)
{
    bool left = session && session->transaction.len && session->began_us <= wait->message_us;
    wait->message_us = POSTGRES_MESSAGE_NONE;
    if (!left) return OK;
    return arena_copy(&samples->arena, session->transaction, &wait->transaction, err);
}

/* *ended true when something of it ended, which may have been prepared. */
static Status wait_pass(PostgresSamples *samples, PostgresWait *wait, const PostgresLook *look,
                        bool *ended, Err *err)
{
    const PostgresSession *session = session_of(look, wait);
    bool open = session && str_eq(session->transaction, wait->transaction);
    if (wait->transaction.len && !open) {
        wait->transaction = STR_NULL;
        *ended = true;
    }
    if (wait->message_us == POSTGRES_MESSAGE_NONE) return OK;
    if (session && !message_has_ended(wait, session)) return OK;
    *ended = true;
    return message_end(samples, wait, session, err);
}

static bool is_over(const PostgresWait *wait)
{
    return !wait->transaction.len && wait->message_us == POSTGRES_MESSAGE_NONE;
}

static bool waits_for_prepared(const PostgresSample *sample, Str id)
{
    for (int32_t i = 0; i < sample->count; i++) {
        if (sample->waits[i].pid == 0 && str_eq(sample->waits[i].transaction, id)) return true;
    }
    return false;
}

/* What ended of it may be among the prepared ones that are there now. */
static Status heirs_add(PostgresSamples *samples, PostgresSample *sample, const PostgresLook *look,
                        Err *err)
{
    PostgresWait *waits =
        ARENA_ARRAY(&samples->arena, PostgresWait, sample->count + look->prepared_count);
    if (!waits) return err_memory(err);
    for (int32_t i = 0; i < sample->count; i++) waits[i] = sample->waits[i];
    sample->waits = waits;
    for (int32_t i = 0; i < look->prepared_count; i++) {
        PostgresWait wait = {.transaction = look->prepared[i]};
        if (waits_for_prepared(sample, wait.transaction)) continue;
        TRY(wait_add(samples, sample, wait, err));
    }
    return OK;
}

static Status sample_pass(PostgresSamples *samples, PostgresSample *sample,
                          const PostgresLook *look, Err *err)
{
    bool ended = false;
    int32_t kept = 0;
    for (int32_t i = 0; i < sample->count; i++) {
        PostgresWait wait = sample->waits[i];
        if (wait.pid) TRY(wait_pass(samples, &wait, look, &ended, err));
        else if (!is_prepared(look, wait.transaction)) continue;
        if (!is_over(&wait)) sample->waits[kept++] = wait;
    }
    sample->count = kept;
    return ended && look->prepared_count ? heirs_add(samples, sample, look, err) : OK;
}

Status postgres_samples_pass(PostgresSamples *samples, const PostgresLook *look, bool *ret_freed,
                             Err *err)
{
    *ret_freed = false;
    for (int32_t i = 0; i < samples->count; i++) {
        PostgresSample *sample = &samples->items[i];
        TRY(sample_pass(samples, sample, look, err));
        if (sample->count == 0 && sample->lsn < 0) *ret_freed = true;
    }
    return OK;
}

void postgres_samples_free(PostgresSamples *samples, int64_t lsn)
{
    for (int32_t i = 0; i < samples->count; i++) {
        PostgresSample *sample = &samples->items[i];
        if (sample->count == 0 && sample->lsn < 0) sample->lsn = lsn;
    }
}

bool postgres_samples_decide(PostgresSamples *samples, int64_t clock_us, int64_t lsn,
                             int64_t *ret_cursor)
{
    for (int32_t i = samples->count - 1; i >= 0; i--) {
        const PostgresSample *sample = &samples->items[i];
        bool stable = sample->lsn >= 0 && sample->lsn <= lsn && sample->ripe_us <= clock_us;
        if (!stable) continue;
        *ret_cursor = sample->cursor;
        samples->count -= i + 1;
        memmove(samples->items, samples->items + i + 1,
                (size_t)samples->count * sizeof *samples->items);
        return true;
    }
    return false;
}

/* ---- JSON: {"cursor":1,"ripe":0,"lsn":-1,"waits":[[pid,start,message,"3/12"]]} ---- */

static bool member_int64(const JsonSlot *object, const char *key, int64_t *ret_value)
{
    JsonSlot slot = json_get_key(object, str_from(key));
    return slot.kind == JSON_NUMBER && number_parse_int64(slot.text, ret_value) == NUMBER_OK;
}

static bool wait_load(const JsonSlot *json, PostgresWait *ret_wait)
{
    int64_t *const numbers[] = {&ret_wait->pid, &ret_wait->start_us, &ret_wait->message_us};
    if (json->kind != JSON_ARRAY || json_count(json) != COUNT_OF(numbers) + 1) return false;
    for (int64_t i = 0; i < COUNT_OF(numbers); i++) {
        JsonSlot slot = json_get_index(json, i);
        bool good =
            slot.kind == JSON_NUMBER && number_parse_int64(slot.text, numbers[i]) == NUMBER_OK;
        if (!good) return false;
    }
    JsonSlot transaction = json_get_index(json, COUNT_OF(numbers));
    ret_wait->transaction = transaction.text;
    return transaction.kind == JSON_STRING && !transaction.escaped;
}

static Status sample_load(PostgresSamples *samples, const JsonSlot *json, Err *err)
{
    PostgresSample sample = {0};
    JsonSlot list = json_get_key(json, STR("waits"));
    bool good = member_int64(json, "cursor", &sample.cursor) &&
                member_int64(json, "ripe", &sample.ripe_us) &&
                member_int64(json, "lsn", &sample.lsn) && list.kind == JSON_ARRAY &&
                json_count(&list) <= POSTGRES_WAITS_SAVED_MAX;
    if (!good) return OK;
    sample.waits = ARENA_ARRAY(&samples->arena, PostgresWait, json_count(&list));
    if (!sample.waits) return err_memory(err);
    JsonIter iter = json_iter(&list);
    JsonSlot item;
    while (json_iter_next(&iter, NULL, &item)) {
        PostgresWait wait = {0};
        if (!wait_load(&item, &wait)) return OK;
        TRY(wait_add(samples, &sample, wait, err));
    }
    sample_put(samples, &sample);
    return OK;
}

Status postgres_samples_load(PostgresSamples *samples, const JsonSlot *json, Err *err)
{
    if (json->kind != JSON_ARRAY) return OK;
    JsonIter iter = json_iter(json);
    JsonSlot sample;
    while (json_iter_next(&iter, NULL, &sample)) {
        if (sample.kind == JSON_OBJECT) TRY(sample_load(samples, &sample, err));
    }
    return OK;
}

static void wait_save(const PostgresWait *wait, JsonWriter *w)
{
    json_array_begin(w);
    json_write_int64(w, wait->pid);
    json_write_int64(w, wait->start_us);
    json_write_int64(w, wait->message_us);
    json_write_text(w, wait->transaction.len ? wait->transaction : STR(""));
    json_array_end(w);
}

void postgres_samples_save(const PostgresSamples *samples, JsonWriter *w)
{
    json_array_begin(w);
    for (int32_t i = 0; i < samples->count; i++) {
        const PostgresSample *sample = &samples->items[i];
        if (sample->count > POSTGRES_WAITS_SAVED_MAX) continue;
        json_object_begin(w);
        json_key(w, "cursor");
        json_write_int64(w, sample->cursor);
        json_key(w, "ripe");
        json_write_int64(w, sample->ripe_us);
        json_key(w, "lsn");
        json_write_int64(w, sample->lsn);
        json_key(w, "waits");
        json_array_begin(w);
        for (int32_t k = 0; k < sample->count; k++) {
            wait_save(&sample->waits[k], w);
        }
        json_array_end(w);
        json_object_end(w);
    }
    json_array_end(w);
}
