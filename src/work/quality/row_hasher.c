/* Hashes of rows for counting repeats: column by column, equal by value as row_hash counts. */
#include "work/quality/row_hasher.h"

#include "engine/expr/row_encode.h"
#include "foundation/base/decimal.h"

/* NULL's two words: no short text's and no number's scale word looks like it. */
#define NULL_WORD UINT64_C(0x9e3779b97f4a7c15)
#define NUMBER_WORD UINT64_C(0x517cc1b727220a95)

Status row_hasher_init(RowHasher *mix, Err *err)
{
    return hash_random(mix->secret, (int64_t)sizeof mix->secret, err);
}

static inline uint64_t multiply(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

void row_hasher_begin(const RowHasher *mix, Hash128 *hashes, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++) {
        hashes[i] = (Hash128){.low = mix->secret[2], .high = mix->secret[3]};
    }
}

/* Two multiplications of 64 by 64 bits a value: as many independent halves of the hash. */
static void mix_words(const RowHasher *mix, const uint64_t *words, Hash128 *hashes, int64_t rows)
{
    uint64_t a = mix->secret[0], b = mix->secret[1];
    for (int64_t i = 0; i < rows; i++) {
        uint64_t w0 = words[i * 2], w1 = words[i * 2 + 1];
        hashes[i].low = multiply(w0 ^ a, w1 ^ hashes[i].low);
        hashes[i].high = multiply(w1 ^ b, w0 ^ hashes[i].high);
    }
}

/* Texts, without words between: a short one is its view (length, bytes, zeros after them), a long
 * one its XXH3. */
static void mix_texts(const RowHasher *mix, const Column *column, Hash128 *hashes)
{
    const TextView *views = column_views(column);
    const uint8_t *valid = column->valid ? column->valid->data : NULL;
    uint64_t a = mix->secret[0], b = mix->secret[1];
    for (int64_t i = 0; i < column->length; i++) {
        uint64_t word[2];
        memcpy(word, &views[i], 16);
        if (UNLIKELY(views[i].len > 12)) {
            Hash128 hash = hash_128(column_text(column, i));
            word[0] = hash.low;
            word[1] = hash.high;
        } else if (valid && !bit_get(valid, column->offset + i)) {
            word[0] = NULL_WORD;
            word[1] = ~NULL_WORD;
        }
        hashes[i].low = multiply(word[0] ^ a, word[1] ^ hashes[i].low);
        hashes[i].high = multiply(word[1] ^ b, word[0] ^ hashes[i].high);
    }
}

static void int64_words(const Column *column, uint64_t *words)
{
    const int64_t *values = column_int64(column);
    for (int64_t i = 0; i < column->length; i++) {
        words[i * 2] = (uint64_t)values[i];
        words[i * 2 + 1] = NUMBER_WORD;
    }
}

static void date_words(const Column *column, uint64_t *words)
{
    const int32_t *values = column_date(column);
    for (int64_t i = 0; i < column->length; i++) {
        words[i * 2] = (uint64_t)values[i];
        words[i * 2 + 1] = NUMBER_WORD;
    }
}

static void bool_words(const Column *column, uint64_t *words)
{
    for (int64_t i = 0; i < column->length; i++) {
        words[i * 2] = column_bool(column, i);
        words[i * 2 + 1] = NUMBER_WORD;
    }
}

/* The encoding of row_hash, value by value. */
static Status other_words(const Column *column, uint64_t *words, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(INT64_C(1) << 32);
    for (int64_t i = 0; i < column->length; i++) {
        buf_clear(&text);
        TRY(encode_column(&text, column, i, err));
        Hash128 hash = hash_128(buf_str(&text));
        words[i * 2] = hash.low;
        words[i * 2 + 1] = hash.high;
    }
    return OK;
}

static inline void decimal_words(Decimal value, uint64_t *words)
{
    /* Most amounts end in a digit that is not 0, or have few digits. */
    int64_t small = (int64_t)value.value;
    if (LIKELY(small == value.value)) {
        while (value.scale > 0 && small % 10 == 0) {
            small /= 10;
            value.scale--;
        }
        words[0] = (uint64_t)small;
        words[1] = NUMBER_WORD + (uint64_t)value.scale;
        return;
    }
    value = decimal_normalize(value);
    words[0] = (uint64_t)value.value;
    words[1] = NUMBER_WORD + (uint64_t)value.scale + ((uint64_t)(value.value >> 64) << 8);
}

static Status numeric_words(const Column *column, uint64_t *words, Err *err)
{
    const Int128 *values = column_numeric(column);
    for (int64_t i = 0; i < column->length; i++) {
        uint8_t scale = column_scale(column, i);
        if (UNLIKELY(scale == NUMERIC_SCALE_DOUBLE)) return other_words(column, words, err);
        decimal_words((Decimal){values[i], scale}, words + i * 2);
    }
    return OK;
}

static void null_words(const Column *column, uint64_t *words)
{
    if (!column->valid || column->null_count == 0) return;
    for (int64_t i = 0; i < column->length; i++) {
        if (!column_is_null(column, i)) continue;
        words[i * 2] = NULL_WORD;
        words[i * 2 + 1] = ~NULL_WORD;
    }
}

static Status column_words(const Column *column, uint64_t *words, Err *err)
{
    switch (column->type) {
    case TYPE_INT64:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        int64_words(column, words);
        return OK;
    case TYPE_DATE:
        date_words(column, words);
        return OK;
    case TYPE_BOOL:
        bool_words(column, words);
        return OK;
    case TYPE_NUMERIC:
        return numeric_words(column, words, err);
    case TYPE_DOUBLE:
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
    case TYPE_INTERVAL:
    case TYPE_UUID:
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    return other_words(column, words, err);
}

Status row_hasher_column(const RowHasher *mix, const Column *column, uint64_t *words,
                         Hash128 *hashes, Err *err)
{
    if (column->type == TYPE_TEXT) {
        mix_texts(mix, column, hashes);
        return OK;
    }
    TRY(column_words(column, words, err));
    null_words(column, words);
    mix_words(mix, words, hashes, column->length);
    return OK;
}
