/* CSV structure: kernels per instruction set, growth of the result, the last partial block. */
#include "foundation/codec/csv_scan.h"

#include "foundation/base/mem.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { SCAN_SEGMENT = 64 * 256, SCAN_SLACK = 64 };

static inline uint32_t *put_ends(uint32_t *ends, uint32_t base, uint64_t marks)
{
    uint32_t *next = ends + __builtin_popcountll(marks);
    while (marks) {
        for (int i = 0; i < 8; i++) {
            ends[i] = base + (uint32_t)(marks ? __builtin_ctzll(marks) : 0);
            marks &= marks - 1;
        }
        ends += 8;
    }
    return next;
}

/* ---- any machine: eight bytes at a time ---- */

typedef struct plain_ScanVec {
    uint64_t delimiter, newline, quote;
    uint64_t high, zero;
} plain_ScanVec;

#define EACH_BYTE(c) ((uint64_t)(uint8_t)(c)*UINT64_C(0x0101010101010101))
#define LOW_BITS UINT64_C(0x7f7f7f7f7f7f7f7f)

/* The top bit of each byte that is zero; exact, no borrow between bytes. */
static inline uint64_t zero_bytes(uint64_t x)
{
    return ~(((x & LOW_BITS) + LOW_BITS) | x | LOW_BITS);
}

/* Top bits of eight bytes as eight bits, the first byte lowest. */
static inline uint64_t gather_bits(uint64_t tops)
{
    return ((tops >> 7) * UINT64_C(0x0102040810204080)) >> 56;
}

static inline void plain_vec_init(plain_ScanVec *vec, const CsvScan *scan)
{
    vec->delimiter = EACH_BYTE(scan->delimiter);
    vec->newline = EACH_BYTE(scan->newline);
    vec->quote = EACH_BYTE(scan->quote);
    vec->high = 0;
    vec->zero = 0;
}

static inline void plain_vec_masks(plain_ScanVec *vec, const uint8_t *data, uint64_t *delimiters,
                                   uint64_t *newlines, uint64_t *quotes)
{
    uint64_t d = 0;
    uint64_t n = 0;
    uint64_t q = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t word;
        memcpy(&word, data + i * 8, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        vec->high |= word;
        vec->zero |= zero_bytes(word);
        d |= gather_bits(zero_bytes(word ^ vec->delimiter)) << (i * 8);
        n |= gather_bits(zero_bytes(word ^ vec->newline)) << (i * 8);
        q |= gather_bits(zero_bytes(word ^ vec->quote)) << (i * 8);
    }
    *delimiters = d;
    *newlines = n;
    *quotes = q;
}

static inline void plain_vec_flags(const plain_ScanVec *vec, CsvScan *scan)
{
    scan->non_ascii |= (vec->high & ~LOW_BITS) != 0;
    scan->nul |= vec->zero != 0;
}

static inline uint64_t plain_prefix_xor(uint64_t x)
{
    for (int shift = 1; shift < 64; shift *= 2) x ^= x << shift;
    return x;
}

static inline uint32_t *plain_write_ends(uint32_t *ends, uint32_t base, uint64_t marks)
{
    return put_ends(ends, base, marks);
}

#define SCAN_TARGET
#define SCAN_NAME(x) plain_##x
#include "foundation/codec/csv_scan_impl.h"
#undef SCAN_TARGET
#undef SCAN_NAME

#if defined(__x86_64__)

/* ---- AVX2 ---- */

#define AVX2_TARGET __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt,pclmul")))

typedef struct avx2_ScanVec {
    __m256i delimiter, newline, quote;
    __m256i high, least;
} avx2_ScanVec;

static inline AVX2_TARGET void avx2_vec_init(avx2_ScanVec *vec, const CsvScan *scan)
{
    vec->delimiter = _mm256_set1_epi8(scan->delimiter);
    vec->newline = _mm256_set1_epi8(scan->newline);
    vec->quote = _mm256_set1_epi8(scan->quote);
    vec->high = _mm256_setzero_si256();
    vec->least = _mm256_set1_epi8(-1);
}

static inline AVX2_TARGET uint64_t avx2_equal(__m256i low, __m256i high, __m256i value)
{
    uint32_t l = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, value));
    uint32_t h = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, value));
    return (uint64_t)l | (uint64_t)h << 32;
}

static inline AVX2_TARGET void avx2_vec_masks(avx2_ScanVec *vec, const uint8_t *data,
                                              uint64_t *delimiters, uint64_t *newlines,
                                              uint64_t *quotes)
{
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)data);
    __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(data + 32));
    vec->high = _mm256_or_si256(vec->high, _mm256_or_si256(low, high));
    vec->least = _mm256_min_epu8(vec->least, _mm256_min_epu8(low, high));
    *delimiters = avx2_equal(low, high, vec->delimiter);
    *newlines = avx2_equal(low, high, vec->newline);
    *quotes = avx2_equal(low, high, vec->quote);
}

static inline AVX2_TARGET void avx2_vec_flags(const avx2_ScanVec *vec, CsvScan *scan)
{
    __m256i zero = _mm256_cmpeq_epi8(vec->least, _mm256_setzero_si256());
    scan->non_ascii |= _mm256_movemask_epi8(vec->high) != 0;
    scan->nul |= _mm256_movemask_epi8(zero) != 0;
}

static inline AVX2_TARGET uint64_t avx2_prefix_xor(uint64_t x)
{
    __m128i product = _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)x), _mm_set1_epi8(-1), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

static inline AVX2_TARGET uint32_t *avx2_write_ends(uint32_t *ends, uint32_t base, uint64_t marks)
{
    uint32_t *next = ends + __builtin_popcountll(marks);
    while (marks) {
        for (int i = 0; i < 8; i++) {
            ends[i] = base + (uint32_t)_tzcnt_u64(marks);
            marks = _blsr_u64(marks);
        }
        ends += 8;
    }
    return next;
}

#define SCAN_TARGET AVX2_TARGET
#define SCAN_NAME(x) avx2_##x
#include "foundation/codec/csv_scan_impl.h"
#undef SCAN_TARGET
#undef SCAN_NAME

/* ---- AVX-512 with VBMI2 ---- */

#define AVX512_TARGET                                                                              \
    __attribute__((target("avx2,bmi,bmi2,popcnt,lzcnt,pclmul,avx512f,avx512bw,avx512vbmi2")))

typedef struct avx512_ScanVec {
    __m512i delimiter, newline, quote, places;
    __m512i high, least;
} avx512_ScanVec;

static inline AVX512_TARGET void avx512_vec_init(avx512_ScanVec *vec, const CsvScan *scan)
{
    vec->delimiter = _mm512_set1_epi8(scan->delimiter);
    vec->newline = _mm512_set1_epi8(scan->newline);
    vec->quote = _mm512_set1_epi8(scan->quote);
    vec->high = _mm512_setzero_si512();
    vec->least = _mm512_set1_epi8(-1);
}

static inline AVX512_TARGET void avx512_vec_masks(avx512_ScanVec *vec, const uint8_t *data,
                                                  uint64_t *delimiters, uint64_t *newlines,
                                                  uint64_t *quotes)
{
    __m512i block = _mm512_loadu_si512((const void *)data);
    vec->high = _mm512_or_si512(vec->high, block);
    vec->least = _mm512_min_epu8(vec->least, block);
    *delimiters = _mm512_cmpeq_epi8_mask(block, vec->delimiter);
    *newlines = _mm512_cmpeq_epi8_mask(block, vec->newline);
    *quotes = _mm512_cmpeq_epi8_mask(block, vec->quote);
}

static inline AVX512_TARGET void avx512_vec_flags(const avx512_ScanVec *vec, CsvScan *scan)
{
    scan->non_ascii |= _mm512_movepi8_mask(vec->high) != 0;
    scan->nul |= _mm512_testn_epi8_mask(vec->least, vec->least) != 0;
}

static inline AVX512_TARGET uint64_t avx512_prefix_xor(uint64_t x)
{
    __m128i product = _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)x), _mm_set1_epi8(-1), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

/* Bytes 0 … 63 compressed to those whose mark is set, widened to 32 bits. */
static inline AVX512_TARGET uint32_t *avx512_write_ends(uint32_t *ends, uint32_t base,
                                                        uint64_t marks)
{
    static const uint8_t iota[64] __attribute__((aligned(64))) = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    int64_t count = __builtin_popcountll(marks);
    __m512i all = _mm512_load_si512((const void *)iota);
    __m512i packed = _mm512_maskz_compress_epi8(marks, all);
    __m512i offset = _mm512_set1_epi32((int)base);
    __m512i first = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(packed));
    _mm512_storeu_si512((void *)ends, _mm512_add_epi32(first, offset));
    if (UNLIKELY(count > 16)) {
        __m512i second = _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 1));
        __m512i third = _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 2));
        __m512i fourth = _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32(packed, 3));
        _mm512_storeu_si512((void *)(ends + 16), _mm512_add_epi32(second, offset));
        _mm512_storeu_si512((void *)(ends + 32), _mm512_add_epi32(third, offset));
        _mm512_storeu_si512((void *)(ends + 48), _mm512_add_epi32(fourth, offset));
    }
    return ends + count;
}

#define SCAN_TARGET AVX512_TARGET
#define SCAN_NAME(x) avx512_##x
#include "foundation/codec/csv_scan_impl.h"
#undef SCAN_TARGET
#undef SCAN_NAME

#endif

static CsvScanKernel *kernel_of(CsvScanLevel level)
{
    if (level == CSV_SCAN_PLAIN) return plain_kernel;
#if defined(__x86_64__)
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt") &&
                __builtin_cpu_supports("pclmul");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vbmi2");
    if (level == CSV_SCAN_AVX2 && avx2) return avx2_kernel;
    if (level == CSV_SCAN_AVX512 && avx512) return avx512_kernel;
#endif
    return NULL;
}

bool csv_scan_set_level(CsvScan *scan, CsvScanLevel level)
{
    CsvScanKernel *kernel = kernel_of(level);
    if (!kernel) return false;
    scan->kernel = kernel;
    return true;
}

void csv_scan_init(CsvScan *scan, char delimiter, char newline)
{
    *scan = (CsvScan){.delimiter = delimiter, .quote = '"', .newline = newline};
    if (csv_scan_set_level(scan, CSV_SCAN_AVX512)) return;
    if (csv_scan_set_level(scan, CSV_SCAN_AVX2)) return;
    (void)csv_scan_set_level(scan, CSV_SCAN_PLAIN);
}

void csv_scan_done(CsvScan *scan)
{
    mem_free(scan->ends);
    mem_free(scan->row_ends);
    *scan = (CsvScan){0};
}

static Status grow(uint32_t **array, int64_t *capacity, int64_t wanted, Err *err)
{
    if (wanted <= *capacity) return OK;
    int64_t larger = int64_max(wanted, *capacity + *capacity / 2);
    uint32_t *moved = mem_realloc(*array, larger * (int64_t)sizeof(uint32_t));
    if (!moved) return err_memory(err);
    *array = moved;
    *capacity = larger;
    return OK;
}

/* Room for what `bytes` more can hold at most, and for stores that reach past the last position. */
static Status scan_reserve(CsvScan *scan, int64_t bytes, Err *err)
{
    if (scan->end_count > CSV_SCAN_FIELDS_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d fields in one row", CSV_SCAN_FIELDS_MAX);
    }
    TRY(grow(&scan->ends, &scan->end_capacity, scan->end_count + bytes + SCAN_SLACK, err));
    return grow(&scan->row_ends, &scan->row_capacity, scan->row_count + bytes + 1, err);
}

/* The bytes that don't fill a block, padded with what is never a mark. */
static Status scan_rest(CsvScan *scan, const uint8_t *data, int64_t from, int64_t size, Err *err)
{
    uint8_t block[64];
    int pad = 'x';
    while (pad == scan->delimiter || pad == scan->quote || pad == scan->newline) pad++;
    memset(block, pad, sizeof block);
    memcpy(block, data + from, (size_t)(size - from));
    TRY(scan_reserve(scan, 64, err));
    int64_t first = scan->end_count;
    scan->kernel(scan, block, 0, 64);
    for (int64_t i = first; i < scan->end_count; i++) scan->ends[i] += (uint32_t)from;
    return OK;
}

static Status scan_close(CsvScan *scan, int64_t size, bool last, Err *err)
{
    int64_t row_first = scan->row_count > 0 ? (int64_t)scan->row_ends[scan->row_count - 1] : 0;
    scan->used = csv_scan_start(scan, row_first);
    if (!last || scan->used == size) return OK;
    scan->open_quote = scan->in_quote != 0;
    TRY(scan_reserve(scan, 1, err));
    scan->ends[scan->end_count++] = (uint32_t)size;
    scan->row_ends[scan->row_count++] = (uint32_t)scan->end_count;
    scan->used = size;
    return OK;
}

Status csv_scan_run(CsvScan *scan, const uint8_t *data, int64_t size, bool last, Err *err)
{
    if (size > CSV_SCAN_TEXT_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d bytes of CSV at once", CSV_SCAN_TEXT_MAX);
    }
    scan->end_count = 0;
    scan->row_count = 0;
    scan->used = 0;
    scan->quotes = scan->non_ascii = scan->nul = scan->open_quote = false;
    scan->in_quote = 0;
    scan->at_start = 1;
    scan->at_close = 0;
    int64_t whole = size & ~INT64_C(63);
    for (int64_t from = 0; from < whole; from += SCAN_SEGMENT) {
        int64_t to = int64_min(whole, from + SCAN_SEGMENT);
        TRY(scan_reserve(scan, to - from, err));
        scan->kernel(scan, data, from, to);
    }
    if (whole < size) TRY(scan_rest(scan, data, whole, size, err));
    return scan_close(scan, size, last, err);
}

char csv_scan_newline(const uint8_t *data, int64_t size, char delimiter)
{
    bool in_quote = false;
    bool at_start = true;
    for (int64_t i = 0; i < size; i++) {
        char c = (char)data[i];
        if (c == '"' && (in_quote || at_start)) {
            in_quote = !in_quote;
            /* A second quote opens again: it was a doubled one. */
            at_start = !in_quote;
            continue;
        }
        if (in_quote) continue;
        if (c == '\n') return '\n';
        if (c == '\r') return i + 1 < size && data[i + 1] != '\n' ? '\r' : '\n';
        at_start = c == delimiter;
    }
    return '\n';
}

int64_t csv_scan_count(const uint8_t *data, int64_t size, char byte)
{
    int64_t total = 0;
    /* Sums of up to 255 rounds stay in one byte, so that the loop runs on bytes. */
    while (size > 0) {
        int64_t part = size < 128 ? size : 128;
        uint8_t count = 0;
        for (int64_t i = 0; i < part; i++) count = (uint8_t)(count + (data[i] == (uint8_t)byte));
        total += count;
        data += part;
        size -= part;
    }
    return total;
}
