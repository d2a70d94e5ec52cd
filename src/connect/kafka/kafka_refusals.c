/* Finds the messages at fault among those that a broker refused together. */
#include "connect/kafka/kafka_refusals.h"

#include <stdlib.h>

#include "foundation/base/mem.h"

/* Into how many groups those of one refusal are split; after how many that were tried and found too
 * large the rest of a cycle is no longer tried. */
enum { GROUPS_MAX = 64, LARGE_MAX = 16, DELIVERED_MAX = 4 << 20 };

void kafka_refusals_init(KafkaRefusals *refusals)
{
    *refusals = (KafkaRefusals){.slot_free = -1};
}

void kafka_refusals_done(KafkaRefusals *refusals)
{
    mem_free(refusals->slots);
    mem_free(refusals->failed);
    mem_free(refusals->marks);
    mem_free(refusals->suspects);
    mem_free(refusals->delivered);
}

static bool is_of_size(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

bool kafka_refusal_is_of_message(rd_kafka_resp_err_t code)
{
    return is_of_size(code) || code == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
           code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP ||
           code == RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT ||
           code == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE || code == RD_KAFKA_RESP_ERR_POLICY_VIOLATION;
}

/* Room for one more; NULL: there is none. */
static void *grown(void *items, int64_t size, int64_t count, int64_t *capacity)
{
    if (count < *capacity) return items;
    int64_t most = *capacity ? *capacity * 2 : 64;
    void *more = mem_realloc(items, most * size);
    if (more) *capacity = most;
    return more;
}
#define GROW(list, count, capacity)                                                                \
    do {                                                                                           \
        void *more_ = grown((list), (int64_t)sizeof *(list), (count), &(capacity));                \
        if (!more_) return err_memory(err);                                                        \
        (list) = more_;                                                                            \
    } while (0)

static int compare(const KafkaOrigin *a, const KafkaOrigin *b)
{
    if (a->port != b->port) return a->port < b->port ? -1 : 1;
    if (a->part != b->part) return a->part < b->part ? -1 : 1;
    return (a->ordinal > b->ordinal) - (a->ordinal < b->ordinal);
}

static int compare_origins(const void *a, const void *b)
{
    return compare(a, b);
}

/* ---- what is under way ---- */

void kafka_refusals_begin(KafkaRefusals *refusals)
{
    refusals->failed_count = 0;
    for (int64_t i = 0; i < refusals->mark_count; i++) refusals->marks[i].seen = 0;
    if (refusals->delivered_sorted == refusals->delivered_count) return;
    refusals->delivered_sorted = refusals->delivered_count;
    qsort(refusals->delivered, (size_t)refusals->delivered_count, sizeof *refusals->delivered,
          compare_origins);
}

void kafka_refusals_unanswered(KafkaRefusals *r)
{
    r->slot_count = 0;
    r->slot_free = -1;
}

Status kafka_refusals_sent(KafkaRefusals *r, const KafkaOrigin *of, int64_t bytes,
                           int64_t *ret_number, Err *err)
{
    int64_t at = r->slot_free;
    if (at < 0) {
        GROW(r->slots, r->slot_count, r->slot_capacity);
        at = r->slot_count++;
    } else {
        r->slot_free = r->slots[at].next;
    }
    r->slots[at] = (KafkaSent){.of = *of, .bytes = bytes, .next = -1};
    *ret_number = at + 1;
    return OK;
}

Status kafka_refusals_answer(KafkaRefusals *r, int64_t number, rd_kafka_resp_err_t code, Err *err)
{
    if (number <= 0 || number > r->slot_count) return OK;
    KafkaSent *slot = &r->slots[number - 1];
    KafkaSent sent = *slot;
    slot->next = r->slot_free;
    r->slot_free = number - 1;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return OK;
    GROW(r->failed, r->failed_count, r->failed_capacity);
    sent.code = code;
    r->failed[r->failed_count++] = sent;
    return OK;
}

Status kafka_refusals_delivered(KafkaRefusals *r, int64_t number, Err *err)
{
    if (number <= 0 || number > r->slot_count || r->delivered_count == DELIVERED_MAX) return OK;
    GROW(r->delivered, r->delivered_count, r->delivered_capacity);
    r->delivered[r->delivered_count++] = r->slots[number - 1].of;
    return OK;
}

/* ---- what is known ---- */

bool kafka_refusals_is_there(const KafkaRefusals *r, const KafkaOrigin *of)
{
    if (r->delivered_sorted == 0) return false;
    return bsearch(of, r->delivered, (size_t)r->delivered_sorted, sizeof *of, compare_origins);
}

static KafkaMark *find_mark(const KafkaRefusals *r, const KafkaOrigin *of)
{
    for (int64_t i = 0; i < r->mark_count; i++) {
        if (compare(&r->marks[i].of, of) == 0) return &r->marks[i];
    }
    return NULL;
}

bool kafka_refusals_known(KafkaRefusals *r, const KafkaOrigin *of, rd_kafka_resp_err_t *ret_code)
{
    KafkaMark *mark = r->mark_count ? find_mark(r, of) : NULL;
    if (!mark || mark->seen == mark->times) return false;
    mark->seen++;
    *ret_code = mark->code;
    return true;
}

static int compare_suspects(const void *a, const void *b)
{
    return compare(&((const KafkaSuspect *)a)->of, &((const KafkaSuspect *)b)->of);
}

static KafkaSuspect *find_suspect(const KafkaRefusals *r, const KafkaOrigin *of)
{
    KafkaSuspect key = {.of = *of};
    if (r->suspect_count == 0) return NULL;
    return bsearch(&key, r->suspects, (size_t)r->suspect_count, sizeof key, compare_suspects);
}

int64_t kafka_refusals_group(const KafkaRefusals *r, const KafkaOrigin *of)
{
    const KafkaSuspect *suspect = find_suspect(r, of);
    return suspect ? suspect->group : 0;
}

bool kafka_refusals_hopeless(const KafkaRefusals *r, int64_t bytes)
{
    return r->large >= LARGE_MAX && bytes >= r->large_bytes;
}

void kafka_refusals_committed(KafkaRefusals *r, const Position *position)
{
    int64_t left = 0;
    for (int64_t i = 0; i < r->mark_count; i++) {
        const KafkaMark *mark = &r->marks[i];
        if (mark->of.ordinal >= position_next(position, mark->of.part)) r->marks[left++] = *mark;
    }
    r->mark_count = left;
    left = 0;
    for (int64_t i = 0; i < r->suspect_count; i++) {
        const KafkaSuspect *suspect = &r->suspects[i];
        bool open = suspect->of.ordinal >= position_next(position, suspect->of.part);
        if (open) r->suspects[left++] = *suspect;
    }
    r->suspect_count = left;
    r->delivered_count = r->delivered_sorted = 0;
    r->large = 0;
}

/* ---- what a refusal tells ---- */

static int64_t group_size(const KafkaRefusals *r, int64_t group)
{
    int64_t count = 0;
    for (int64_t i = 0; i < r->suspect_count; i++) count += r->suspects[i].group == group;
    return count;
}

/* Was it alone in its batch? */
static bool was_alone(const KafkaRefusals *r, const KafkaSent *sent, int64_t batch_bytes)
{
    if (r->failed_count == 1 || sent->bytes > batch_bytes) return true;
    int64_t group = kafka_refusals_group(r, &sent->of);
    return group > 0 && group_size(r, group) == 1;
}

static Status mark(KafkaRefusals *r, const KafkaSent *sent, Err *err)
{
    KafkaMark *known = find_mark(r, &sent->of);
    if (!known) {
        GROW(r->marks, r->mark_count, r->mark_capacity);
        known = &r->marks[r->mark_count++];
        *known = (KafkaMark){.of = sent->of};
    }
    known->code = sent->code;
    known->times++;
    if (!is_of_size(sent->code)) return OK;
    r->large_bytes = r->large++ ? int64_min(r->large_bytes, sent->bytes) : sent->bytes;
    return OK;
}

/* Those that failed, and only those, get new and smaller groups; a group never gets members from
 * two. */
static void split_groups(KafkaRefusals *r, int64_t count)
{
    int64_t most = (count + GROUPS_MAX - 1) / GROUPS_MAX, in_group = 0, old = -1;
    for (int64_t i = 0; i < r->suspect_count; i++) {
        KafkaSuspect *at = &r->suspects[i];
        if (!at->failed) continue;
        bool next = old != at->group || in_group == most;
        old = at->group;
        if (next) r->groups++;
        in_group = next ? 1 : in_group + 1;
        at->group = r->groups;
        at->failed = false;
    }
}

static Status suspect_all(KafkaRefusals *r, Err *err)
{
    int64_t count = r->suspect_count;
    for (int64_t i = 0; i < r->failed_count; i++) {
        KafkaSuspect *there = find_suspect(r, &r->failed[i].of);
        if (there) there->failed = true;
        if (there) continue;
        GROW(r->suspects, count, r->suspect_capacity);
        r->suspects[count++] = (KafkaSuspect){.of = r->failed[i].of, .failed = true};
    }
    r->suspect_count = count; /* the sorted ones alone were looked through */
    qsort(r->suspects, (size_t)count, sizeof *r->suspects, compare_suspects);
    split_groups(r, r->failed_count);
    return OK;
}

Status kafka_refusals_learn(KafkaRefusals *r, int64_t batch_bytes, int64_t *ret_batch_bytes,
                            bool *ret_learned, Err *err)
{
    int64_t certain = 0;
    bool by_size = true;
    *ret_learned = r->failed_count > 0;
    *ret_batch_bytes = batch_bytes;
    for (int64_t i = 0; i < r->failed_count; i++) {
        by_size &= is_of_size(r->failed[i].code);
        if (!was_alone(r, &r->failed[i], batch_bytes)) continue;
        certain++;
        TRY(mark(r, &r->failed[i], err));
    }
    if (certain == 0 && by_size) *ret_batch_bytes = int64_max(batch_bytes / 2, 1);
    if (certain == 0 && !by_size) TRY(suspect_all(r, err));
    r->failed_count = 0;
    return OK;
}
