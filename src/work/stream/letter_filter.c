/* Which dead letters stand in their file already although their cycle is not committed. */
#include <stdlib.h>

#include "foundation/base/hash.h"
#include "foundation/base/mem.h"
#include "foundation/codec/json_tree.h"
#include "foundation/codec/json_writer.h"
#include "work/stream/stream_impl.h"

/* Of more in one cycle some are written again after a failure between both commits. */
enum { LETTER_FILTER_MAX = 100000 };
#define KEPT_ARENA_MAX (INT64_C(256) << 20)

void letter_filter_init(LetterFilter *letters, Str topic, Str group)
{
    *letters = (LetterFilter){.topic = topic, .group = group};
}

void letter_filter_done(LetterFilter *letters)
{
    mem_free(letters->items);
    letters->items = NULL;
}

static int compare(const void *left, const void *right)
{
    const KeptLetter *a = left, *b = right;
    if (a->part != b->part) return a->part < b->part ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static Status add(LetterFilter *letters, const KeptLetter *letter, Err *err)
{
    if (letters->total == LETTER_FILTER_MAX) return OK;
    if (letters->total == letters->capacity) {
        int64_t most = letters->capacity ? letters->capacity * 2 : 64;
        KeptLetter *items = mem_realloc(letters->items, most * (int64_t)sizeof *items);
        if (!items) return err_memory(err);
        letters->items = items;
        letters->capacity = most;
    }
    letters->items[letters->total++] = *letter;
    return OK;
}

static void sort(LetterFilter *letters)
{
    letters->kept = letters->total;
    if (letters->total < 2) return;
    qsort(letters->items, (size_t)letters->total, sizeof *letters->items, compare);
}

/* ---- as JSON: {"topic":…,"group":…,"letters":[[part,offset,mark],…]} ---- */

static bool is_ours(const LetterFilter *letters, const JsonValue *root)
{
    return str_eq(json_member_text(root, STR("topic"), STR("")), letters->topic) &&
           str_eq(json_member_text(root, STR("group"), STR("")), letters->group);
}

static bool read_one(const JsonValue *item, KeptLetter *ret_letter)
{
    int64_t part = 0, mark = 0;
    *ret_letter = (KeptLetter){0};
    if (!json_int64(json_element(item, 0), &part) || part < 0 || part > INT32_MAX ||
        !json_int64(json_element(item, 1), &ret_letter->offset) ||
        !json_int64(json_element(item, 2), &mark)) {
        return false;
    }
    ret_letter->part = (int32_t)part;
    ret_letter->mark = (uint64_t)mark;
    return true;
}

static Status load(LetterFilter *letters, const JsonValue *root, const Position *committed,
                   const Position *ours, Err *err)
{
    const JsonValue *list = json_member(root, STR("letters"));
    if (!list || !is_ours(letters, root)) return OK;
    for (const JsonValue *item = list->first; item; item = item->next) {
        KeptLetter letter;
        if (!read_one(item, &letter)) return err_set(err, ERR_DATA, "its kept letters are damaged");
        if (letter.offset < position_next(committed, letter.part)) continue;
        if (ours && !position_has(ours, letter.part)) continue;
        TRY(add(letters, &letter, err));
    }
    sort(letters);
    return OK;
}

Status letter_filter_load(LetterFilter *letters, Str json, const Position *committed,
                          const Position *ours, Err *err)
{
    Arena arena = arena_make(KEPT_ARENA_MAX);
    JsonValue *root = NULL;
    if (!json.len) return OK;
    Status status = json_parse(json, &arena, &root, err);
    if (status == OK) status = load(letters, root, committed, ours, err);
    arena_done(&arena);
    return status;
}

static void write_one(JsonWriter *w, const KeptLetter *letter)
{
    json_array_begin(w);
    json_write_int64(w, letter->part);
    json_write_int64(w, letter->offset);
    json_write_int64(w, (int64_t)letter->mark);
    json_array_end(w);
}

static void write_others(JsonWriter *w, const LetterFilter *letters, const Position *ours,
                         const JsonValue *before)
{
    const JsonValue *list = before ? json_member(before, STR("letters")) : NULL;
    if (!list || !is_ours(letters, before)) return;
    for (const JsonValue *item = list->first; item; item = item->next) {
        KeptLetter letter;
        if (read_one(item, &letter) && !position_has(ours, letter.part)) write_one(w, &letter);
    }
}

static Status format(const LetterFilter *letters, const Position *ours, const JsonValue *before,
                     Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "topic");
    json_write_text(&w, letters->topic);
    json_key(&w, "group");
    json_write_text(&w, letters->group);
    json_key(&w, "letters");
    json_array_begin(&w);
    write_others(&w, letters, ours, before);
    for (int64_t i = 0; i < letters->total; i++) write_one(&w, &letters->items[i]);
    json_array_end(&w);
    json_object_end(&w);
    return json_writer_end(&w);
}

Status letter_filter_format(const LetterFilter *letters, const Position *ours, Str before, Buf *out,
                            Err *err)
{
    Arena arena = arena_make(KEPT_ARENA_MAX);
    JsonValue *root = NULL;
    Status status = before.len ? json_parse(before, &arena, &root, err) : OK;
    if (status == OK) status = format(letters, ours, root, out, err);
    arena_done(&arena);
    return status;
}

/* ---- while it runs ---- */

KeptLetter kept_letter(const Batch *rejects, int64_t row)
{
    const Column *columns = rejects->columns;
    KeptLetter letter = {.part = (int32_t)column_int64(&columns[REJECT_PART])[row],
                         .offset = column_int64(&columns[REJECT_ROW])[row]};
    Str stage = column_text(&columns[REJECT_STAGE], row);
    bool message =
        str_find_char(stage, '/') >= 0 || str_eq(stage, STR("route")) || str_eq(stage, STR("read"));
    if (!message) return letter;
    for (int32_t i = 0; i < 2; i++) {
        const Column *column = &columns[i ? REJECT_DATA : REJECT_KEY];
        if (column_is_null(column, row)) continue;
        letter.mark = hash_64(column_text(column, row), letter.mark + 1);
    }
    return letter;
}

bool letter_filter_pass(LetterFilter *letters, const KeptLetter *letter)
{
    int64_t low = 0, high = letters->kept;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (compare(&letters->items[middle], letter) < 0) low = middle + 1;
        else high = middle;
    }
    for (; low < letters->kept && compare(&letters->items[low], letter) == 0; low++) {
        KeptLetter *there = &letters->items[low];
        if (there->mark && letter->mark && there->mark != letter->mark) continue;
        there->passed = true;
        return true;
    }
    return false;
}

Status letter_filter_add(LetterFilter *letters, const KeptLetter *letter, Err *err)
{
    return add(letters, letter, err);
}

void letter_filter_ended(LetterFilter *letters, FlowRejectsEnd end)
{
    switch (end) {
    case REJECTS_KEPT:
        for (int64_t i = letters->kept; i < letters->total; i++) letters->items[i].passed = true;
        sort(letters);
        return;
    case REJECTS_UNDONE:
        letters->total = letters->kept;
        for (int64_t i = 0; i < letters->kept; i++) letters->items[i].passed = false;
        return;
    case REJECTS_DONE: {
        int64_t left = 0;
        for (int64_t i = 0; i < letters->kept; i++) {
            if (!letters->items[i].passed) letters->items[left++] = letters->items[i];
        }
        letters->kept = letters->total = left;
        return;
    }
    }
}

static bool is_among(int32_t part, const int32_t *parts, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        if (parts[i] == part) return true;
    }
    return false;
}

void letter_filter_forget(LetterFilter *letters, const int32_t *parts, int32_t count)
{
    int64_t left = 0, kept = 0;
    for (int64_t i = 0; i < letters->total; i++) {
        if (is_among(letters->items[i].part, parts, count)) continue;
        if (i < letters->kept) kept++;
        letters->items[left++] = letters->items[i];
    }
    letters->kept = kept;
    letters->total = left;
}

void letter_filter_committed(LetterFilter *letters, const Position *position)
{
    int64_t left = 0, kept = 0;
    for (int64_t i = 0; i < letters->total; i++) {
        const KeptLetter *letter = &letters->items[i];
        if (letter->offset < position_next(position, letter->part)) continue;
        if (i < letters->kept) kept++;
        letters->items[left++] = *letter;
    }
    letters->kept = kept;
    letters->total = left;
}
