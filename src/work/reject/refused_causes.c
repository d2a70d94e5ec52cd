/* The table of causes and how far each was replayed. */
#include "work/reject/refused_causes.h"

#include <stdlib.h>

#include "foundation/base/hash.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"

Status causes_init(Causes *causes, Err *err)
{
    *causes = (Causes){.arena = arena_make(64 << 20)};
    causes->items = mem_array(CAUSES_MAX, (int64_t)sizeof(Cause *));
    return causes->items ? OK : err_memory(err);
}

void causes_done(Causes *causes)
{
    mem_free(causes->items);
    arena_done(&causes->arena);
}

Cause *causes_get(const Causes *causes, Str id)
{
    for (int32_t i = 0; i < causes->count; i++) {
        if (str_eq(str_from(causes->items[i]->id), id)) return causes->items[i];
    }
    return NULL;
}

Status causes_find(Causes *causes, const Refused *refused, Cause **ret_cause, Err *err)
{
    Arena *arena = &causes->arena;
    *ret_cause = causes_get(causes, str_from(refused->cause));
    if (*ret_cause) return OK;
    if (causes->count == CAUSES_MAX) {
        causes->others++;
        return OK;
    }
    Cause *cause = ARENA_NEW(arena, Cause);
    if (!cause) return err_memory(err);
    memcpy(cause->id, refused->cause, sizeof cause->id);
    TRY(arena_copy(arena, refused->stage, &cause->stage, err));
    TRY(arena_copy(arena, str_slice(refused->reason, 0, 1000), &cause->reason, err));
    TRY(arena_copy(arena, refused->time, &cause->first, err));
    causes->items[causes->count++] = cause;
    *ret_cause = cause;
    return OK;
}

static CauseMark *mark_of(const Cause *cause, int32_t part)
{
    for (int32_t i = 0; i < cause->mark_count; i++) {
        if (cause->marks[i].part == part) return (CauseMark *)(uintptr_t)&cause->marks[i];
    }
    return NULL;
}

static int32_t hole_at(const CauseMark *mark, int64_t ordinal)
{
    for (int32_t i = 0; i < mark->hole_count; i++) {
        if (mark->holes[i] == ordinal) return i;
    }
    return -1;
}

bool cause_is_replayed(const Cause *cause, const Refused *refused)
{
    const CauseMark *mark = mark_of(cause, refused->part);
    return mark && refused->ordinal < mark->next && hole_at(mark, refused->ordinal) < 0;
}

static Status add_mark(Cause *cause, int32_t part, CauseMark **ret_mark, Err *err)
{
    *ret_mark = mark_of(cause, part);
    if (*ret_mark) return OK;
    if (cause->mark_count == CAUSE_PARTS_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d partitions", CAUSE_PARTS_MAX);
    }
    *ret_mark = &cause->marks[cause->mark_count++];
    **ret_mark = (CauseMark){.part = part};
    return OK;
}

static Status add_hole(Causes *causes, CauseMark *mark, int64_t ordinal, Err *err)
{
    if (!mark->holes) mark->holes = ARENA_ARRAY(&causes->arena, int64_t, CAUSE_HOLES_MAX);
    if (!mark->holes) return err_memory(err);
    if (mark->hole_count == CAUSE_HOLES_MAX) {
        (void)err_set(err, ERR_LIMIT, "more than %d rows of one cause can't be replayed",
                      CAUSE_HOLES_MAX);
        return err_hint(err, "give a --fix that fits them, or choose a --cause");
    }
    mark->holes[mark->hole_count++] = ordinal;
    return OK;
}

/* Kept in state stores: it must stay as it is. */
static uint64_t hash_of(const Refused *refused)
{
    uint64_t hash = hash_64(refused->original, 1);
    hash = hash_64(refused->reason, hash);
    hash = hash_64(refused->stage, hash);
    hash = hash_64(refused->time, hash);
    return hash ? hash : 1;
}

void cause_look(Cause *cause, const Refused *refused)
{
    CauseMark *mark = mark_of(cause, refused->part);
    if (!mark || !mark->last || refused->ordinal != mark->next - 1) return;
    mark->seen = mark->last == hash_of(refused) ? 1 : -1;
}

bool causes_drop_stale(Causes *causes, bool whole)
{
    bool some = false;
    for (int32_t i = 0; i < causes->count; i++) {
        Cause *cause = causes->items[i];
        for (int32_t k = 0; k < cause->mark_count; k++) {
            CauseMark *mark = &cause->marks[k];
            bool stale = mark->last && (mark->seen < 0 || (whole && mark->seen == 0));
            some |= stale;
            if (stale) *mark = (CauseMark){.part = mark->part, .holes = mark->holes};
        }
    }
    return some;
}

Status cause_mark(Causes *causes, Cause *cause, const Refused *refused, bool open, Err *err)
{
    CauseMark *mark = NULL;
    TRY(add_mark(cause, refused->part, &mark, err));
    int32_t hole = hole_at(mark, refused->ordinal);
    bool before = refused->ordinal < mark->next;
    if (open && hole < 0 && !before) TRY(add_hole(causes, mark, refused->ordinal, err));
    if (!open && hole >= 0) mark->holes[hole] = mark->holes[--mark->hole_count];
    if (before) return OK;
    mark->next = refused->ordinal + 1;
    mark->last = hash_of(refused);
    mark->seen = 1;
    return OK;
}

Status cause_marks_write(const Cause *cause, Buf *out, Err *err)
{
    for (int32_t i = 0; i < cause->mark_count; i++) {
        const CauseMark *mark = &cause->marks[i];
        if (mark->next == 0) continue;
        TRY(buf_printf(out, err, "%s%d:%lld", out->len ? "," : "", mark->part,
                       (long long)mark->next));
        if (mark->last) TRY(buf_printf(out, err, "@%016llx", (unsigned long long)mark->last));
        for (int32_t k = 0; k < mark->hole_count; k++) {
            TRY(buf_printf(out, err, "!%lld", (long long)mark->holes[k]));
        }
    }
    return OK;
}

static uint64_t read_hash(Str text)
{
    char digits[17] = {0};
    if (text.len != 16) return 0;
    memcpy(digits, text.ptr, 16);
    return strtoull(digits, NULL, 16);
}

static Status read_mark(Causes *causes, Cause *cause, Str item, Err *err)
{
    Str head, hole;
    int64_t part = 0, next = 0, ordinal = 0;
    CauseMark *mark = NULL;
    if (!str_next_part(&item, '!', &head)) return OK;
    int64_t colon = str_find_char(head, ':'), at = str_find_char(head, '@');
    Str last = at > 0 ? str_slice(head, at + 1, head.len) : STR_NULL;
    if (at > 0) head = str_slice(head, 0, at);
    bool good = colon > 0 && number_parse_int64(str_slice(head, 0, colon), &part) == NUMBER_OK &&
                number_parse_int64(str_slice(head, colon + 1, head.len), &next) == NUMBER_OK &&
                part >= 0 && part <= INT32_MAX;
    if (!good) return OK;
    TRY(add_mark(cause, (int32_t)part, &mark, err));
    mark->next = next;
    mark->last = read_hash(last);
    while (item.len && str_next_part(&item, '!', &hole)) {
        if (number_parse_int64(hole, &ordinal) != NUMBER_OK) continue;
        TRY(add_hole(causes, mark, ordinal, err));
    }
    return OK;
}

Status cause_marks_read(Causes *causes, Cause *cause, Str text, Err *err)
{
    Str item;
    while (text.len && str_next_part(&text, ',', &item)) {
        TRY(read_mark(causes, cause, item, err));
    }
    return OK;
}
