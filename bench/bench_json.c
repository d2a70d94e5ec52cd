/* How long 200-byte JSON messages take: validated, extracted, read into batches, written again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/format/json_read.h"
#include "engine/format/json_write.h"
#include "foundation/base/clock.h"
#include "foundation/codec/json_extract.h"

enum { MESSAGES = 100000, ROUNDS = 5, BATCH = 4096, PATHS = 4 };

typedef struct Messages {
    Buffer *heap;
    Str *texts;
} Messages;

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int64_t make_message(char *out, size_t room, uint64_t *state, bool nested)
{
    unsigned a = (unsigned)random_next(state), b = (unsigned)random_next(state);
    int len;
    if (nested) {
        len = snprintf(
            out, room,
            "{\"type\": \"transaction\", \"transaction\": {\"id\": \"tx-%08u\", \"amount\": "
            "%u.%02u, \"currency\": \"EUR\", \"items\": [%u, %u]}, \"user_id\": \"u%u\", "
            "\"ts\": %u, \"note\": null, \"ip\": \"10.0.%u.%u\", \"agent\": \"Mozilla/5.0\"}",
            a % 100000000, b % 20000, a % 100, a % 97, b % 97, a % 100000, 1700000000 + b % 1000000,
            a % 256, b % 256);
    } else {
        len =
            snprintf(out, room,
                     "{\"event_type\":\"%s\",\"user_id\":\"user_%06u\",\"timestamp\":\"2024-03-%02u"
                     "T12:%02u:%02u.123456Z\",\"page\":\"/products/%u\",\"session\":\"%08x%08x\","
                     "\"amount\":%u.%02u,\"ok\":%s,\"tags\":[\"a\",\"b\"]}",
                     a % 3 ? "page_view" : "click", a % 1000000, 1 + b % 28, a % 60, b % 60,
                     a % 10000, a, b, b % 10000, a % 100, a % 2 ? "true" : "false");
    }
    return len;
}

static bool make_messages(Messages *ret_messages)
{
    Err err = {0};
    uint64_t state = 88172645463325252u;
    char *at;
    ret_messages->texts = malloc(sizeof(Str) * MESSAGES);
    if (!ret_messages->texts) return false;
    if (buffer_new((int64_t)MESSAGES * 300, NULL, &ret_messages->heap, &err) != OK) return false;
    at = (char *)ret_messages->heap->data;
    for (int64_t i = 0; i < MESSAGES; i++) {
        int64_t len = make_message(at, 300, &state, i % 2 == 0);
        ret_messages->texts[i] = str_make(at, len);
        at += len + 1;
    }
    printf("%d messages, %.1f bytes on average\n", MESSAGES,
           (double)(at - (char *)ret_messages->heap->data) / MESSAGES - 1);
    return true;
}

typedef bool (*Work)(const Messages *messages, void *arg);

static void measure(const char *name, Work work, const Messages *messages, void *arg)
{
    int64_t best = INT64_MAX;
    for (int32_t round = 0; round < ROUNDS; round++) {
        int64_t start = clock_mono_ns();
        if (!work(messages, arg)) {
            printf("%-36s failed\n", name);
            return;
        }
        best = int64_min(best, clock_mono_ns() - start);
    }
    double ns = (double)best / MESSAGES;
    printf("%-36s %7.1f ns a message %8.2f M/s\n", name, ns, 1000 / ns);
}

static bool validate(const Messages *messages, void *arg)
{
    (void)arg;
    for (int64_t i = 0; i < MESSAGES; i++) {
        if (!json_validate(messages->texts[i], NULL)) return false;
    }
    return true;
}

static bool extract(const Messages *messages, void *arg)
{
    JsonSlot slots[PATHS], value;
    for (int64_t i = 0; i < MESSAGES; i++) {
        if (!json_extract(arg, messages->texts[i], 64, slots, &value, NULL)) return false;
    }
    return true;
}

static bool members(const Messages *messages, void *arg)
{
    Err err = {0};
    JsonDocument document;
    for (int64_t i = 0; i < MESSAGES; i++) {
        Status status = json_members_read(arg, messages->texts[i], 64, &document, NULL, &err);
        if (status != OK || document != JSON_DOCUMENT_OBJECT) return false;
    }
    return true;
}

/* Batches of BATCH rows, written again where `encoder` is given. */
typedef struct ReadWork {
    JsonReader *reader;
    JsonEncoder *encoder;
    Buf out;
} ReadWork;

static bool finish_batch(ReadWork *work, Err *err)
{
    Batch *batch;
    if (json_reader_finish(work->reader, &batch, err) != OK) return false;
    Status status = OK;
    buf_clear(&work->out);
    if (work->encoder) {
        status = json_encoder_rows(work->encoder, batch, 0, batch->rows, &work->out, err);
    }
    batch_unref(batch);
    return status == OK;
}

static bool read_batches(const Messages *messages, void *arg)
{
    ReadWork *work = arg;
    Err err = {0};
    json_reader_heap(work->reader, messages->heap);
    for (int64_t i = 0; i < MESSAGES; i++) {
        bool taken;
        JsonRefusal refusal;
        Str text = messages->texts[i];
        if (json_reader_add(work->reader, text, &taken, &refusal, &err) != OK || !taken)
            return false;
        if ((i + 1) % BATCH == 0 || i + 1 == MESSAGES) {
            if (!finish_batch(work, &err)) return false;
        }
    }
    return true;
}

static bool infer(const Messages *messages, void *arg)
{
    Err err = {0};
    for (int64_t i = 0; i < MESSAGES; i++) {
        bool taken;
        JsonRefusal refusal;
        Str text = messages->texts[i];
        if (json_infer_add(arg, text, 64, &taken, &refusal, &err) != OK || !taken) return false;
    }
    return true;
}

static void measure_reading(const Messages *messages, const char *name, JsonReader *reader)
{
    Err err = {0};
    char with[64];
    ReadWork work = {reader, NULL, buf_make(1 << 26)};
    measure(name, read_batches, messages, &work);
    snprintf(with, sizeof with, "%s, written again", name);
    if (json_encoder_new(json_reader_schema(reader), &work.encoder, &err) == OK) {
        measure(with, read_batches, messages, &work);
    }
    json_encoder_free(work.encoder);
    buf_done(&work.out);
}

static Status run(const Messages *messages, Err *err)
{
    static const char *const texts[PATHS] = {"event_type", "user_id", "transaction.amount",
                                             "timestamp"};
    Arena arena = arena_make(1 << 20);
    JsonPath paths[PATHS];
    PathSet set = {.count = PATHS};
    Str names[PATHS];
    for (int32_t i = 0; i < PATHS; i++) {
        names[i] = str_from(texts[i]);
        TRY(json_path_parse(names[i], &arena, &paths[i], err));
    }
    set.paths = names;
    JsonExtractor *extractor;
    TRY(json_extractor_new(paths, PATHS, &extractor, err));
    measure("validate", validate, messages, NULL);
    measure("validate and extract 4 paths", extract, messages, extractor);
    json_extractor_free(extractor);
    JsonMembers found = {NULL, 0, 0};
    measure("validate and list members", members, messages, &found);
    json_members_done(&found);
    JsonReader *reader;
    TRY(json_reader_open(&set, false, NULL, &reader, err));
    measure_reading(messages, "open rows, 4 paths", reader);
    json_reader_free(reader);
    JsonInfer *inference;
    Schema *schema;
    TRY(json_infer_new(STR_NULL, &inference, err));
    measure("infer columns", infer, messages, inference);
    TRY(json_infer_schema(inference, &schema, err));
    json_infer_free(inference);
    TRY(json_reader_columns(schema, NULL, &reader, err));
    schema_unref(schema);
    measure_reading(messages, "columns", reader);
    json_reader_free(reader);
    arena_done(&arena);
    return OK;
}

int main(void)
{
    Messages messages;
    Err err = {0};
    if (!make_messages(&messages)) return 1;
    Status status = run(&messages, &err);
    if (status != OK) printf("%s\n", err.message);
    buffer_unref(messages.heap);
    free(messages.texts);
    return status == OK ? 0 : 1;
}
