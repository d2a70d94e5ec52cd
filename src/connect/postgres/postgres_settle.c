/* Which watermark is settled: a cursor behind which no row can appear any more. Logic only. */
#include "connect/postgres/postgres_settle.h"

#include "foundation/base/number.h"
#include "foundation/codec/json_walk.h"
#include "foundation/codec/json_writer.h"

enum { SETTLE_BYTES_MAX = 8 << 20 };

void postgres_settle_init(PostgresSettle *settle)
{
    *settle = (PostgresSettle){.arena = arena_make(SETTLE_BYTES_MAX)};
}

void postgres_settle_done(PostgresSettle *settle)
{
    arena_done(&settle->arena);
    settle->count = 0;
}

Status postgres_settle_add(PostgresSettle *settle, int64_t cursor, const Str *running,
                           int32_t count, Err *err)
{
    PostgresSample sample = {.cursor = cursor, .count = count};
    sample.running = ARENA_ARRAY(&settle->arena, Str, count);
    if (!sample.running) return err_memory(err);
    for (int32_t i = 0; i < count; i++) {
        TRY(arena_copy(&settle->arena, running[i], &sample.running[i], err));
    }
    if (settle->count == POSTGRES_SAMPLES_MAX) settle->count--;
    settle->samples[settle->count++] = sample;
    return OK;
}

static bool is_listed(const Str *list, int32_t count, Str id)
{
    for (int32_t i = 0; i < count; i++) {
        if (str_eq(list[i], id)) return true;
    }
    return false;
}

static bool is_settled(const PostgresSample *sample, const Str *now, int32_t count)
{
    for (int32_t i = 0; i < sample->count; i++) {
        if (is_listed(now, count, sample->running[i])) return false;
    }
    return true;
}

bool postgres_settle_decide(PostgresSettle *settle, const Str *now, int32_t count,
                            int64_t *ret_cursor)
{
    for (int32_t i = settle->count - 1; i >= 0; i--) {
        if (!is_settled(&settle->samples[i], now, count)) continue;
        *ret_cursor = settle->samples[i].cursor;
        settle->count -= i + 1;
        memmove(settle->samples, settle->samples + i + 1,
                (size_t)settle->count * sizeof *settle->samples);
        return true;
    }
    return false;
}

static Status load_sample(PostgresSettle *settle, const JsonSlot *sample, Err *err)
{
    Str running[POSTGRES_SAMPLE_SAVED_MAX];
    int32_t count = 0;
    int64_t cursor = 0;
    JsonSlot number = json_get_key(sample, STR("cursor"));
    JsonSlot list = json_get_key(sample, STR("running"));
    bool good = number.kind == JSON_NUMBER && list.kind == JSON_ARRAY &&
                number_parse_int64(number.text, &cursor) == NUMBER_OK &&
                json_count(&list) <= POSTGRES_SAMPLE_SAVED_MAX;
    if (!good) return OK;
    JsonIter iter = json_iter(&list);
    JsonSlot id;
    while (json_iter_next(&iter, NULL, &id)) {
        if (id.kind != JSON_STRING || id.escaped) return OK;
        running[count++] = id.text;
    }
    return postgres_settle_add(settle, cursor, running, count, err);
}

Status postgres_settle_load(PostgresSettle *settle, Str json, Err *err)
{
    JsonSlot root, sample;
    if (json.len == 0 || !json_scan(json, &root, NULL) || root.kind != JSON_ARRAY) return OK;
    JsonIter iter = json_iter(&root);
    while (json_iter_next(&iter, NULL, &sample)) {
        if (sample.kind == JSON_OBJECT) TRY(load_sample(settle, &sample, err));
    }
    return OK;
}

Status postgres_settle_save(const PostgresSettle *settle, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_array_begin(&w);
    for (int32_t i = 0; i < settle->count; i++) {
        const PostgresSample *sample = &settle->samples[i];
        if (sample->count > POSTGRES_SAMPLE_SAVED_MAX) continue;
        json_object_begin(&w);
        json_key(&w, "cursor");
        json_write_int64(&w, sample->cursor);
        json_key(&w, "running");
        json_array_begin(&w);
        for (int32_t r = 0; r < sample->count; r++) json_write_text(&w, sample->running[r]);
        json_array_end(&w);
        json_object_end(&w);
    }
    json_array_end(&w);
    return json_writer_end(&w);
}
