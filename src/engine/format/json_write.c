/* Writing rows as JSON objects. */
#include "engine/format/json_write.h"

#include "engine/format/json_value.h"
#include "foundation/base/hash.h"
#include "foundation/base/mem.h"
#include "foundation/codec/json_extract.h"
#include "foundation/codec/json_writer.h"

enum { ENCODER_TEXT_MAX = 64 << 20 };

/* A column to write: its key with quotes, escapes and colon. */
typedef struct EncoderItem {
    int32_t column;
    Str key;
} EncoderItem;

struct JsonEncoder {
    const Schema *schema;
    EncoderItem *items;
    int32_t count;
    bool spread;
    Str *hidden; /* members of the spread object that are not written */
    int32_t hidden_count;
    uint64_t hidden_lens; /* bit min(len, 63) of each */
    JsonMembers members;
    Arena keys; /* prepared texts */
    Arena row;  /* decoded keys of one row */
};

static bool is_extract(const Field *field)
{
    return str_eq(field->native, STR(JSON_EXTRACT_NATIVE));
}

static uint64_t len_bit(int64_t len)
{
    return UINT64_C(1) << int64_min(len, 63);
}

static Status prepare_key(JsonEncoder *encoder, Str name, Str *ret_key, Err *err)
{
    Buf text = buf_make(ENCODER_TEXT_MAX);
    Status status = json_put_text(&text, name, err);
    if (status == OK) status = buf_append_char(&text, ':', err);
    if (status == OK) status = arena_copy(&encoder->keys, buf_str(&text), ret_key, err);
    buf_done(&text);
    return status;
}

static void hide_member(JsonEncoder *encoder, Str name)
{
    encoder->hidden[encoder->hidden_count++] = name;
    encoder->hidden_lens |= len_bit(name.len);
}

static Status prepare_spread(JsonEncoder *encoder, Err *err)
{
    const Schema *schema = encoder->schema;
    const Field *spread = &schema->fields[0];
    int32_t most = spread->spread_except_count + schema->count;
    encoder->hidden = ARENA_ARRAY(&encoder->keys, Str, most);
    if (!encoder->hidden) return err_memory(err);
    for (int32_t i = 0; i < spread->spread_except_count; i++) {
        hide_member(encoder, spread->spread_except[i]);
    }
    for (int32_t i = 0; i < encoder->count; i++) {
        hide_member(encoder, schema->fields[encoder->items[i].column].name);
    }
    return OK;
}

static Status prepare(JsonEncoder *encoder, Err *err)
{
    const Schema *schema = encoder->schema;
    encoder->items = ARENA_ARRAY(&encoder->keys, EncoderItem, schema->count);
    if (!encoder->items) return err_memory(err);
    encoder->spread = schema->open && schema->count > 0 && schema->fields[0].spread;
    for (int32_t i = encoder->spread ? 1 : 0; i < schema->count; i++) {
        if (schema->open && is_extract(&schema->fields[i])) continue;
        EncoderItem *item = &encoder->items[encoder->count];
        item->column = i;
        TRY(prepare_key(encoder, schema->fields[i].name, &item->key, err));
        encoder->count++;
    }
    return encoder->spread ? prepare_spread(encoder, err) : OK;
}

Status json_encoder_new(const Schema *schema, JsonEncoder **ret_encoder, Err *err)
{
    CLEANUP(json_encoder_free_p) JsonEncoder *encoder = mem_zalloc((int64_t)sizeof *encoder);
    if (!encoder) return err_memory(err);
    encoder->keys = arena_make(ENCODER_TEXT_MAX);
    encoder->row = arena_make(INT64_C(512) << 20);
    encoder->schema = schema_ref(schema);
    TRY(prepare(encoder, err));
    *ret_encoder = TAKE(encoder);
    return OK;
}

void json_encoder_free(JsonEncoder *encoder)
{
    if (!encoder) return;
    json_members_done(&encoder->members);
    arena_done(&encoder->row);
    arena_done(&encoder->keys);
    /* The reference that schema_ref gave, back under its own name. */
    Schema *schema = (Schema *)(uintptr_t)encoder->schema;
    schema_unref(schema);
    mem_free(encoder);
}

/* ---- The spread object ---- */

static bool is_hidden(const JsonEncoder *encoder, const JsonSlot *key)
{
    bool possible = key->escaped || (encoder->hidden_lens & len_bit(key->text.len));
    for (int32_t i = 0; possible && i < encoder->hidden_count; i++) {
        if (json_text_is(key, encoder->hidden[i])) return true;
    }
    return false;
}

/* False only when all keys certainly differ: one bit of 64 per key. */
static bool may_repeat(const JsonMembers *members)
{
    uint64_t seen = 0;
    for (int64_t i = 0; i < members->count; i++) {
        const JsonSlot *key = &members->items[i].key;
        if (key->escaped) return true;
        Str text = key->text;
        uint64_t mix = (uint64_t)text.len * 0x9e3779b97f4a7c15u;
        if (text.len > 0) {
            mix += (uint64_t)(unsigned char)text.ptr[0] * 0xc2b2ae3d27d4eb4fu;
            mix += (uint64_t)(unsigned char)text.ptr[text.len - 1] * 0x165667b19e3779f9u;
            mix += (uint64_t)(unsigned char)text.ptr[text.len / 2] * 0x27d4eb2f165667c5u;
        }
        uint64_t bit = UINT64_C(1) << (mix >> 58);
        if (seen & bit) return true;
        seen |= bit;
    }
    return false;
}

/* Mark all but the last of equal keys by making their value MISSING; from the end, through a table
 * of the keys seen so far. */
static Status drop_repeated(JsonEncoder *encoder, Err *err)
{
    JsonMembers *members = &encoder->members;
    int64_t size = 16;
    while (size < 2 * members->count) size *= 2;
    arena_clear(&encoder->row);
    Str *table = ARENA_ARRAY(&encoder->row, Str, size);
    bool *used = ARENA_ARRAY(&encoder->row, bool, size);
    if (!table || !used) return err_memory(err);
    for (int64_t i = members->count - 1; i >= 0; i--) {
        Str key;
        TRY(json_text(&members->items[i].key, &encoder->row, &key, err));
        int64_t at = (int64_t)hash_64(key, 0) & (size - 1);
        while (used[at] && !str_eq(table[at], key)) at = (at + 1) & (size - 1);
        if (used[at]) members->items[i].value.kind = JSON_MISSING;
        used[at] = true;
        table[at] = key;
    }
    return OK;
}

/* From the first member's key to the last one's value, as it stands. */
static Str members_source(const JsonMember *first, const JsonMember *last)
{
    const char *from = first->key.text.ptr - 1;
    const char *to = last->value.text.ptr + last->value.text.len;
    if (last->value.kind == JSON_STRING) to++;
    return str_make(from, to - from);
}

static bool is_written(const JsonEncoder *encoder, const JsonMember *member)
{
    return member->value.kind != JSON_MISSING && !is_hidden(encoder, &member->key);
}

/* Members that stand side by side and are all written are copied at once. */
static Status put_members(const JsonEncoder *encoder, bool *ret_filled, Buf *out, Err *err)
{
    const JsonMember *items = encoder->members.items;
    int64_t count = encoder->members.count, i = 0;
    *ret_filled = false;
    while (i < count) {
        if (!is_written(encoder, &items[i])) {
            i++;
            continue;
        }
        int64_t first = i++;
        while (i < count && is_written(encoder, &items[i])) i++;
        if (*ret_filled) TRY(buf_append_char(out, ',', err));
        TRY(json_value_raw(members_source(&items[first], &items[i - 1]), out, err));
        *ret_filled = true;
    }
    return OK;
}

static Status put_spread(JsonEncoder *encoder, Str object, bool *ret_filled, Buf *out, Err *err)
{
    JsonDocument document;
    JsonError error;
    TRY(json_members_read(&encoder->members, object, 0, &document, &error, err));
    if (document != JSON_DOCUMENT_OBJECT) {
        return err_set(err, ERR_DATA, "the row's value is not a JSON object");
    }
    if (may_repeat(&encoder->members)) TRY(drop_repeated(encoder, err));
    return put_members(encoder, ret_filled, out, err);
}

Status json_encoder_row(JsonEncoder *encoder, const Batch *batch, int64_t row, Buf *out, Err *err)
{
    bool filled = false;
    TRY(buf_append_char(out, '{', err));
    if (encoder->spread && !column_is_null(&batch->columns[0], row)) {
        TRY(put_spread(encoder, column_text(&batch->columns[0], row), &filled, out, err));
    }
    for (int32_t i = 0; i < encoder->count; i++) {
        const EncoderItem *item = &encoder->items[i];
        TRY(buf_reserve(out, item->key.len + 1, err));
        if (filled) out->data[out->len++] = ',';
        memcpy(out->data + out->len, item->key.ptr, (size_t)item->key.len);
        out->len += item->key.len;
        TRY(json_write_value(&batch->columns[item->column], row, out, err));
        filled = true;
    }
    return buf_append_char(out, '}', err);
}

Status json_encoder_rows(JsonEncoder *encoder, const Batch *batch, int64_t from, int64_t count,
                         Buf *out, Err *err)
{
    for (int64_t row = from; row < from + count; row++) {
        TRY(json_encoder_row(encoder, batch, row, out, err));
        TRY(buf_append_char(out, '\n', err));
    }
    return OK;
}

Status json_write_row(const Batch *batch, int64_t row, Buf *out, Err *err)
{
    CLEANUP(json_encoder_free_p) JsonEncoder *encoder = NULL;
    TRY(json_encoder_new(batch->schema, &encoder, err));
    return json_encoder_row(encoder, batch, row, out, err);
}
