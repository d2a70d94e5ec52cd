/* Every instruction set's CSV scan finds what the grammar says byte by byte, on texts of all sorts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "foundation/codec/csv_scan.h"

enum { TEXT_MAX = 700, TEXTS = 20000 };

typedef struct Wanted {
    uint32_t ends[TEXT_MAX + 1], row_ends[TEXT_MAX + 1];
    int64_t end_count, row_count, used;
    bool quotes, open_quote;
} Wanted;

/* The grammar of csv_scan.h, a byte at a time. */
static void split_slowly(const char *text, int64_t size, bool last, Wanted *out)
{
    bool in_quote = false, start = true, close = false;
    out->end_count = out->row_count = out->used = 0;
    out->quotes = memchr(text, '"', (size_t)size) != NULL;
    for (int64_t i = 0; i < size; i++) {
        bool was_start = start, was_close = close;
        start = close = false;
        if (text[i] == '"') {
            close = in_quote;
            in_quote = !in_quote && (was_start || was_close);
        } else if (!in_quote && (text[i] == ',' || text[i] == '\n')) {
            out->ends[out->end_count++] = (uint32_t)i;
            start = true;
            if (text[i] != '\n') continue;
            out->row_ends[out->row_count++] = (uint32_t)out->end_count;
            out->used = i + 1;
        }
    }
    out->open_quote = last && out->used < size && in_quote;
    if (!last || out->used == size) return;
    out->ends[out->end_count++] = (uint32_t)size;
    out->row_ends[out->row_count++] = (uint32_t)out->end_count;
    out->used = size;
}

static void check_scan(CsvScan *scan, const char *text, int64_t size, bool last)
{
    Err err = {0};
    Wanted want;
    split_slowly(text, size, last, &want);
    assert_int_equal(csv_scan_run(scan, (const uint8_t *)text, size, last, &err), OK);
    assert_int_equal(scan->end_count, want.end_count);
    assert_int_equal(scan->row_count, want.row_count);
    assert_int_equal(scan->used, want.used);
    assert_int_equal(scan->quotes, want.quotes);
    assert_int_equal(scan->open_quote, want.open_quote);
    if (want.end_count) {
        assert_memory_equal(scan->ends, want.ends, (size_t)want.end_count * sizeof(uint32_t));
    }
    if (want.row_count) {
        assert_memory_equal(scan->row_ends, want.row_ends,
                            (size_t)want.row_count * sizeof(uint32_t));
    }
}

/* Texts from those without any ordinary byte to those of nothing else. */
static int64_t make_text(uint64_t *state, char *text)
{
    static const char special[] = "\",\n\"\r,\"\n";
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    int64_t size = (int64_t)(*state >> 33) % TEXT_MAX;
    uint64_t plain = (*state >> 20) % 17;
    for (int64_t i = 0; i < size; i++) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t r = *state >> 33;
        text[i] = (r & 15) < plain ? (char)('a' + (r >> 4) % 26) : special[(r >> 4) % 8];
    }
    memset(text + size, ',', CSV_SCAN_PADDING);
    return size;
}

static void test_levels(void **state)
{
    (void)state;
    char text[TEXT_MAX + CSV_SCAN_PADDING];
    for (CsvScanLevel level = CSV_SCAN_PLAIN; level <= CSV_SCAN_AVX512; level++) {
        CsvScan scan;
        csv_scan_init(&scan, ',', '\n');
        uint64_t random = 1;
        bool there = csv_scan_set_level(&scan, level);
        for (int32_t i = 0; there && i < TEXTS; i++) {
            int64_t size = make_text(&random, text);
            check_scan(&scan, text, size, i % 2 == 0);
        }
        csv_scan_done(&scan);
    }
}

static void test_quotes(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a,\"b,\"\"c\"\"\",d\n",
        "5\" pipe,\"x\"y,z\n",
        "\"\",\"\"\"\",\"\n\"\n",
        "a\"\"b,\"c",
        "\"",
        "a,b\r\n\"c\r\n\",d\r\n",
        "\"a\"b\"c,d\"\n",
        "",
    };
    CsvScan scan;
    csv_scan_init(&scan, ',', '\n');
    for (int64_t i = 0; i < COUNT_OF(texts); i++) {
        /* At every place of a block of 64 bytes. */
        for (int64_t shift = 0; shift < 130; shift++) {
            char text[256];
            int64_t size = shift + (int64_t)strlen(texts[i]);
            memset(text, 'x', sizeof text);
            if (shift) text[shift - 1] = ',';
            memcpy(text + shift, texts[i], strlen(texts[i]));
            check_scan(&scan, text, size, shift % 2 == 0);
        }
    }
    csv_scan_done(&scan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_quotes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
