/* Which types the texts of a column have: what each text is, fast for the usual forms. */
#include "work/quality/text_scan.h"

#include "engine/format/csv_field.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { SHORT_MAX = 12, SCALE_MAX = 40 };

/* Bit i: byte i of 16 is a digit. */
static inline uint32_t digits_of(const void *bytes)
{
#if defined(__SSE2__)
    __m128i all = _mm_loadu_si128((const __m128i *)bytes);
    __m128i value = _mm_sub_epi8(all, _mm_set1_epi8('0'));
    __m128i nine = _mm_min_epu8(value, _mm_set1_epi8(9));
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(value, nine));
#else
    const uint8_t *at = bytes;
    uint32_t digits = 0;
    for (int i = 0; i < 16; i++) digits |= (uint32_t)(at[i] >= '0' && at[i] <= '9') << i;
    return digits;
#endif
}

static inline int32_t two_at(const char *text)
{
    return (text[0] - '0') * 10 + (text[1] - '0');
}

/* ---- numbers ---- */

static void note_scale(TextScan *scan, Str text)
{
    int64_t point = str_find_char(text, '.');
    int64_t scale = point < 0 ? 0 : text.len - point - 1;
    int64_t bare = scale;
    while (bare > 0 && text.ptr[point + bare] == '0') bare--;
    uint64_t bit = UINT64_C(1) << int64_min(scale, SCALE_MAX);
    if (bare == scale) {
        scan->other_scales |= bit;
    } else {
        scan->zero_scales |= bit;
        scan->bare_scales |= UINT64_C(1) << int64_min(bare, SCALE_MAX);
    }
}

/* Digits but for one point at `at`. */
static inline uint8_t decimal_kind(TextScan *scan, const char *text, int32_t len, int32_t at)
{
    int32_t scale = len - 1 - at;
    if (scale == 0 || (text[0] == '0' && at != 1)) return 0;
    if (LIKELY(text[len - 1] != '0')) scan->other_scales |= UINT64_C(1) << scale;
    else note_scale(scan, str_make(text, len));
    return CSV_DECIMAL;
}

/* ---- dates and times ---- */

/* YYYY-MM-DD whose digits are known to be such; years before 1000 are left to the slow way. */
static inline bool is_date(const char *text)
{
    int32_t month = two_at(text + 5), day = two_at(text + 8);
    if (text[4] != '-' || text[7] != '-' || text[0] == '0') return false;
    if (LIKELY(day >= 1 && day <= 28)) return month >= 1 && month <= 12;
    return datetime_is_date(two_at(text) * 100 + two_at(text + 2), month, day);
}

/* YYYY-MM-DD HH:MM:SS, or with a T; 19 bytes. */
static bool is_timestamp(TextScan *scan, const char *text)
{
    enum { FIRST_16 = 0xffff & ~(1 << 4 | 1 << 7 | 1 << 10 | 1 << 13) };
    if (digits_of(text) != FIRST_16 || !is_date(text)) return false;
    bool sep = text[10] == ' ' || text[10] == 'T';
    bool good = sep && text[13] == ':' && text[16] == ':' && two_at(text + 11) < 24 &&
                text[14] < '6' && text[17] >= '0' && text[17] < '6' && text[18] >= '0' &&
                text[18] <= '9';
    if (good) scan->time_forms = (uint8_t)(scan->time_forms | (text[10] == 'T' ? 2 : 1));
    return good;
}

/* ---- any text ---- */

static uint8_t slow_kind(TextScan *scan, Str text)
{
    uint8_t kind = csv_narrow(CSV_ANY, text);
    if (kind & CSV_DECIMAL) note_scale(scan, text);
    if (kind & (CSV_TIMESTAMP | CSV_TIMESTAMPTZ)) scan->time_forms |= 4;
    return kind;
}

/* A short text that begins with a digit; -1: look at it the slow way. */
static inline int short_kind(TextScan *scan, const TextView *view)
{
    enum { DATE_MARKS = 1 << 4 | 1 << 7 };
    int32_t len = view->len;
    uint32_t others = ~(digits_of(view) >> 4) & ((1u << len) - 1);
    if (others == 0) {
        if (view->inlined[0] == '0' && len > 1) return 0;
        scan->other_scales |= 1;
        return CSV_INT | CSV_DECIMAL;
    }
    int32_t at = __builtin_ctz(others);
    if ((others & (others - 1)) == 0 && view->inlined[at] == '.') {
        return decimal_kind(scan, view->inlined, len, at);
    }
    if (others == DATE_MARKS && len == 10 && is_date(view->inlined)) return CSV_DATE;
    return -1;
}

static inline uint8_t kind_of(TextScan *scan, const Column *column, const TextView *view,
                              int64_t row)
{
    char first = view->inlined[0];
    bool digit = first >= '0' && first <= '9';
    if (!digit && first != '-' && first != 't' && first != 'f') return 0;
    if (digit && view->len <= SHORT_MAX) {
        int kind = short_kind(scan, view);
        if (kind >= 0) return (uint8_t)kind;
    }
    Str text = column_text(column, row);
    if (digit && text.len == 19 && is_timestamp(scan, text.ptr)) return CSV_TIMESTAMP;
    return slow_kind(scan, text);
}

static inline ValueClass class_of(uint8_t kind)
{
    static const uint8_t CLASSES[CSV_ANY + 1] = {
        [0] = VALUE_TEXT,
        [CSV_BOOL] = VALUE_BOOLEAN,
        [CSV_DECIMAL] = VALUE_NUMBER,
        [CSV_INT | CSV_DECIMAL] = VALUE_NUMBER,
        [CSV_DATE] = VALUE_TIME,
        [CSV_TIMESTAMP] = VALUE_TIME,
        [CSV_TIMESTAMPTZ] = VALUE_TIME,
    };
    return (ValueClass)CLASSES[kind];
}

void text_scan_add(TextScan *scan, TypeProfile *type_profile, const Column *column,
                   int64_t first_row)
{
    const TextView *views = column_views(column);
    const uint8_t *valid = column->valid ? column->valid->data : NULL;
    int64_t offset = column->offset, rows = column->length;
    TextScan s = *scan;
    for (int64_t row = 0; row < rows; row++) {
        if (valid && !bit_get(valid, offset + row)) continue;
        uint8_t kind = kind_of(&s, column, &views[row], row);
        s.kinds &= kind;
        ValueClass value_class = class_of(kind);
        int64_t seen = type_profile->counts[value_class]++;
        if (UNLIKELY(seen < TYPE_PROFILE_ROWS_KEPT))
            type_profile->rows[value_class][seen] = first_row + row;
    }
    *scan = s;
}

void text_scan_merge(TextScan *scan, const TextScan *next)
{
    scan->kinds &= next->kinds;
    scan->zero_scales |= next->zero_scales;
    scan->bare_scales |= next->bare_scales;
    scan->other_scales |= next->other_scales;
    scan->time_forms |= next->time_forms;
}

TypeId text_scan_type(const TextScan *scan)
{
    return csv_candidate_type(scan->kinds);
}

bool text_scan_has_variants(const TextScan *scan)
{
    TypeId type = text_scan_type(scan);
    if (type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMPTZ) {
        return scan->time_forms == 3 || (scan->time_forms & 4);
    }
    if (type != TYPE_NUMERIC) return false;
    bool several = (scan->zero_scales & (scan->zero_scales - 1)) != 0;
    return several || (scan->bare_scales & scan->other_scales) != 0;
}
