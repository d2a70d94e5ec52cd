/* Field splitting: GB/s per core of csv_scan over CSV in memory, in runs as the reader makes them;
 * beside a byte loop by hand (the same grammar, the same result) and what merely touching the text
 * costs: memchr from line end to line end, memcpy. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "foundation/codec/csv_scan.h"

enum { TEXT_BYTES = 16 << 20, RUN_BYTES = 1 << 19, ROW_MAX = 1024, ROUNDS = 30 };
#define GOAL 3.0

/* Narrow fields, a mark at every third byte, have no goal: no real file is full of them. */
typedef enum Shape {
    SHAPE_PLAIN,
    SHAPE_PLAIN_CRLF,
    SHAPE_QUOTED,
    SHAPE_QUOTED_CRLF,
    SHAPE_ALL_QUOTED,
    SHAPE_NARROW,
    SHAPE_STRAY_QUOTES,
    SHAPE_COUNT
} Shape;

typedef struct ShapeInfo {
    const char *name;
    const char *line_end;
    bool goal;
} ShapeInfo;

static const ShapeInfo SHAPES[SHAPE_COUNT] = {
    [SHAPE_PLAIN] = {"no quotes, LF", "\n", true},
    [SHAPE_PLAIN_CRLF] = {"no quotes, CRLF", "\r\n", true},
    [SHAPE_QUOTED] = {"quotes where needed, LF", "\n", true},
    [SHAPE_QUOTED_CRLF] = {"quotes where needed, CRLF", "\r\n", true},
    [SHAPE_ALL_QUOTED] = {"every field quoted, LF", "\n", true},
    [SHAPE_NARROW] = {"fields of 1 to 3 digits", "\n", false},
    [SHAPE_STRAY_QUOTES] = {"quotes inside plain fields", "\n", true},
};

typedef struct Text {
    uint8_t *data;
    int64_t size, rows, fields;
} Text;

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static const char *const NAMES[] = {"Ann Lee", "Bob", "Zo\xc3\xab Smith", "Maximilian"};
static const char *const QUOTED_NAMES[] = {"Ann Lee", "Bob", "\"Smith, John\"", "Maximilian"};
static const char *const NOTES[] = {"", "ok", "a longer note with some words in it", "see above"};
static const char *const QUOTED_NOTES[] = {"", "ok", "\"said \"\"hi\"\", left\"",
                                           "\"two\nlines, one field\""};
static const char *const STRAY_NOTES[] = {"a 5\" pipe", "ok", "6'2\" tall", "see \"above\""};

/* One row of nine fields (id, name, email, amount, quantity, flag, day, time, note). */
static int64_t make_row(Shape shape, int64_t id, uint64_t *state, char *out)
{
    const char *end = SHAPES[shape].line_end;
    uint64_t r = random_next(state);
    unsigned a = (unsigned)(r & 0xffff), b = (unsigned)(r >> 16 & 0xffff), c = (unsigned)(r >> 32);
    bool quoted = shape == SHAPE_QUOTED || shape == SHAPE_QUOTED_CRLF;
    const char *name = (quoted ? QUOTED_NAMES : NAMES)[c & 3];
    const char *note = (quoted                        ? QUOTED_NOTES
                        : shape == SHAPE_STRAY_QUOTES ? STRAY_NOTES
                                                      : NOTES)[c >> 2 & 3];
    if (shape == SHAPE_NARROW) {
        return snprintf(out, ROW_MAX, "%u,%u,%u,%u,%u,%u,%u,%u,%u%s", a % 1000, a % 7, b % 90,
                        b % 11, c % 1000, c % 99, a % 2, b % 3, c % 10, end);
    }
    const char *q = shape == SHAPE_ALL_QUOTED ? "\"" : "";
    const char *sep = shape == SHAPE_ALL_QUOTED ? "\",\"" : ",";
    return snprintf(out, ROW_MAX,
                    "%s%lld%s%s%suser%u@example%u.com%s%u.%02u%s%u%s%s%s2024-%02u-%02u%s"
                    "2024-03-%02u %02u:%02u:%02u%s%s%s%s",
                    q, (long long)id, sep, name, sep, a * 16, b % 99, sep, b, a % 100, sep,
                    c % 1000, sep, a & 1 ? "true" : "false", sep, a % 12 + 1, b % 28 + 1, sep,
                    c % 28 + 1, a % 24, a % 60, b % 60, sep, note, q, end);
}

static Text make_text(Shape shape)
{
    Text text = {.data = malloc(TEXT_BYTES + ROW_MAX + CSV_SCAN_PADDING)};
    uint64_t state = UINT64_C(88172645463325252);
    if (!text.data) abort();
    while (text.size < TEXT_BYTES) {
        text.size += make_row(shape, 1000000 + text.rows, &state, (char *)text.data + text.size);
        text.rows++;
    }
    text.fields = text.rows * 9;
    memset(text.data + text.size, 0, CSV_SCAN_PADDING);
    return text;
}

/* ---- what is measured: each gives a number that must come out right ---- */

typedef int64_t (*Work)(const Text *text, CsvScan *scan, void *room);

static int64_t split_scan(const Text *text, CsvScan *scan, void *room)
{
    Err err = {0};
    int64_t fields = 0;
    (void)room;
    for (int64_t at = 0; at < text->size;) {
        int64_t size = int64_min(RUN_BYTES, text->size - at);
        bool last = at + size == text->size;
        if (csv_scan_run(scan, text->data + at, size, last, &err) != OK) abort();
        if (scan->used == 0) abort();
        fields += scan->row_count ? scan->row_ends[scan->row_count - 1] : 0;
        at += scan->used;
    }
    return fields;
}

/* Ends of fields and of rows from one run's text, byte by byte; what of it whole rows fill. */
static int64_t split_run_by_hand(const uint8_t *data, int64_t size, uint32_t *ends, int64_t *fields)
{
    uint32_t *row_ends = ends + RUN_BYTES;
    int64_t count = 0, rows = 0, used = 0;
    bool in_quote = false, at_start = true, at_close = false;
    for (int64_t i = 0; i < size; i++) {
        uint8_t c = data[i];
        bool start = at_start, close = at_close;
        at_start = at_close = false;
        if (c == '"') {
            at_close = in_quote;
            in_quote = !in_quote && (start || close);
        } else if (!in_quote && (c == ',' || c == '\n')) {
            ends[count++] = (uint32_t)i;
            at_start = true;
            if (c == '\n') {
                row_ends[rows++] = (uint32_t)count;
                used = i + 1;
            }
        }
    }
    *fields += rows ? row_ends[rows - 1] : 0;
    return used;
}

static int64_t split_by_hand(const Text *text, CsvScan *scan, void *room)
{
    int64_t fields = 0;
    (void)scan;
    for (int64_t at = 0; at < text->size;) {
        int64_t size = int64_min(RUN_BYTES, text->size - at);
        at += split_run_by_hand(text->data + at, size, room, &fields);
    }
    return fields;
}

static int64_t find_lines(const Text *text, CsvScan *scan, void *room)
{
    int64_t lines = 0;
    (void)scan, (void)room;
    for (const uint8_t *at = text->data, *end = at + text->size; at < end; lines++) {
        at = (const uint8_t *)memchr(at, '\n', (size_t)(end - at)) + 1;
    }
    return lines;
}

static int64_t copy_text(const Text *text, CsvScan *scan, void *room)
{
    (void)scan;
    for (int64_t at = 0; at < text->size; at += RUN_BYTES) {
        memcpy(room, text->data + at, (size_t)int64_min(RUN_BYTES, text->size - at));
        __asm__ volatile("" : : "r"(room) : "memory");
    }
    return text->size;
}

/* ---- measuring ---- */

static int64_t cpu_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* GB/s of the best round; dies where the result is not `wanted`. */
static double measure(Work work, const Text *text, CsvScan *scan, void *room, int64_t wanted)
{
    int64_t best = INT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t start = cpu_ns();
        int64_t got = work(text, scan, room);
        best = int64_min(best, cpu_ns() - start);
        if (got != wanted) {
            (void)fprintf(stderr, "%lld found, not %lld\n", (long long)got, (long long)wanted);
            exit(1);
        }
    }
    return (double)text->size / (double)best;
}

static bool measure_shape(Shape shape, void *room)
{
    static const char *const LEVELS[] = {"plain", "AVX2", "AVX-512"};
    const ShapeInfo *info = &SHAPES[shape];
    Text text = make_text(shape);
    CsvScan scan;
    csv_scan_init(&scan, ',', '\n');
    double picked = measure(split_scan, &text, &scan, room, text.fields);
    double hand = measure(split_by_hand, &text, &scan, room, text.fields);
    int64_t lines = csv_scan_count(text.data, text.size, '\n');
    double found = measure(find_lines, &text, &scan, room, lines);
    double copied = measure(copy_text, &text, &scan, room, text.size);
    bool reached = picked >= GOAL;
    const char *verdict = !info->goal ? "       " : reached ? "reached" : "MISSED ";
    (void)printf(
        "  %s %-27s %5.2f GB/s%s; by hand %.2f (%.1fx), memchr per line %.2f, memcpy %.2f;",
        verdict, info->name, picked, info->goal ? " (goal >= 3)" : "            ", hand,
        picked / hand, found, copied);
    for (CsvScanLevel level = CSV_SCAN_PLAIN; level <= CSV_SCAN_AVX512; level++) {
        if (!csv_scan_set_level(&scan, level)) continue;
        (void)printf(" %s %.2f", LEVELS[level],
                     measure(split_scan, &text, &scan, room, text.fields));
    }
    (void)printf("\n");
    csv_scan_done(&scan);
    free(text.data);
    return reached || !info->goal;
}

int main(void)
{
    void *room = malloc(2 * RUN_BYTES * sizeof(uint32_t));
    if (!room) return 1;
    memset(room, 0, 2 * RUN_BYTES * sizeof(uint32_t));
    bool reached = true;
    for (Shape shape = 0; shape < SHAPE_COUNT; shape++) reached &= measure_shape(shape, room);
    free(room);
    return reached ? 0 : 1;
}
