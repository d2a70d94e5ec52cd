/* Fuzzing the JSON readers: all of them agree on what is valid, and what they find is there. */
#include "foundation/base/mem.h"
#include "foundation/codec/json_extract.h"
#include "foundation/codec/json_tree.h"
#include "foundation/codec/json_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const JsonStep STEPS[] = {
    {{"a", 1}, 0, false}, {{"b", 1}, 0, false}, {{NULL, 0}, 0, true}, {{NULL, 0}, -1, true}};
static const JsonPath PATHS[] = {{STEPS, 1}, {STEPS, 2}, {STEPS + 2, 1}, {STEPS + 3, 1}};

static bool slots_eq(const JsonSlot *a, const JsonSlot *b)
{
    return a->kind == b->kind && a->text.ptr == b->text.ptr && a->text.len == b->text.len;
}

static void check_extract(Str text, bool valid)
{
    JsonExtractor *extractor;
    Err err = {0};
    JsonSlot slots[COUNT_OF(PATHS)], value;
    if (json_extractor_new(PATHS, COUNT_OF(PATHS), &extractor, &err) != OK) return;
    bool good = json_extract(extractor, text, 0, slots, &value, NULL);
    assert(good == valid);
    for (int64_t i = 0; good && i < COUNT_OF(PATHS); i++) {
        JsonSlot single = json_get_path(text, &PATHS[i]);
        assert(slots_eq(&slots[i], &single));
    }
    json_extractor_free(extractor);
}

static void check_members(Str text, bool valid)
{
    JsonMembers members = {NULL, 0, 0};
    JsonDocument document;
    Err err = {0};
    if (json_members_read(&members, text, 0, &document, NULL, &err) == OK) {
        assert((document != JSON_DOCUMENT_INVALID) == valid);
    }
    json_members_done(&members);
}

/* What a string decodes to, written again, is the same string. */
static void check_string(const JsonSlot *slot)
{
    Buf out = buf_make(INT64_C(1) << 26);
    Err err = {0};
    char *plain = mem_alloc(slot->text.len + 1);
    if (!plain) return;
    Str decoded = str_make(plain, json_decode(slot->text, plain));
    assert(str_is_utf8(decoded) && json_text_is(slot, decoded));
    if (json_put_text(&out, decoded, &err) == OK) {
        JsonSlot again;
        assert(json_scan(buf_str(&out), &again, NULL) && json_text_is(&again, decoded));
    }
    mem_free(plain);
    buf_done(&out);
}

static void check_path(Str text)
{
    Arena arena = arena_make(INT64_C(1) << 24);
    Buf once = buf_make(INT64_C(1) << 24), twice = buf_make(INT64_C(1) << 24);
    Err err = {0};
    JsonPath path;
    if (json_path_parse(text, &arena, &path, &err) == OK &&
        json_path_format(&path, &once, &err) == OK) {
        assert(json_path_parse(buf_str(&once), &arena, &path, &err) == OK);
        if (json_path_format(&path, &twice, &err) == OK) {
            assert(str_eq(buf_str(&once), buf_str(&twice)));
        }
    }
    buf_done(&once);
    buf_done(&twice);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str text = str_make((const char *)data, (int64_t)size);
    JsonSlot value;
    JsonError error = {0, NULL};
    bool valid = json_scan(text, &value, &error);
    assert(valid || (error.reason && error.offset >= 0 && error.offset <= text.len));
    check_extract(text, valid);
    check_members(text, valid);
    check_path(text);
    if (valid && value.kind == JSON_STRING) check_string(&value);
    Arena arena = arena_make(INT64_C(1) << 28);
    Err err = {0};
    JsonValue *root;
    if (json_parse(text, &arena, &root, &err) == OK) {
        assert(valid);
    } else {
        assert(!valid || err.kind == ERR_MEMORY);
    }
    arena_done(&arena);
    return 0;
}
