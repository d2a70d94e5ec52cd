/* The consumer's place in its group: taking partitions over, giving them back, reading again,
 * committing offsets, leaving. */
#include "connect/kafka/kafka_source.h"
#include "foundation/base/clock.h"
#include "foundation/base/number.h"

/* How long the flow may take to finish what it has of revoked partitions. */
#define REVOKE_NS INT64_C(20000000000)
/* … and to let go of lost ones, before what its sink is at is cancelled. */
#define LOST_NS INT64_C(1000000000)
/* How long offsets of a transaction that its owner left open may take to be told: longer than the
 * transactions of streams last. */
#define COMMITTED_NS INT64_C(120000000000)
#define COMMITTED_PAUSE_NS INT64_C(500000000)
/* How long fenced partitions rest: by then their new owner has them, or the group has spoken. */
#define FENCED_NS INT64_C(1000000000)
#define LEAVE_NS INT64_C(6000000000)
#define FIRST_ASSIGNMENT_NS INT64_C(8000000000)
/* Before this version a consumer that is freed before its first assignment ends the process. */
enum { VERSION_SAFE_CLOSE = 0x020300ff };

static bool is_cooperative(const KafkaSource *self)
{
    const char *protocol = rd_kafka_rebalance_protocol(self->client.rk);
    return protocol && strcmp(protocol, "COOPERATIVE") == 0;
}

static Status assign_list(KafkaSource *self, rd_kafka_topic_partition_list_t *list, Err *err)
{
    rd_kafka_t *rk = self->client.rk;
    if (is_cooperative(self)) {
        return kafka_client_result(&self->client, rd_kafka_incremental_assign(rk, list), "assign",
                                   err);
    }
    return kafka_client_code(&self->client, rd_kafka_assign(rk, list), "assign", err);
}

static Status unassign_list(KafkaSource *self, rd_kafka_topic_partition_list_t *list, Err *err)
{
    rd_kafka_t *rk = self->client.rk;
    if (is_cooperative(self)) {
        return kafka_client_result(&self->client, rd_kafka_incremental_unassign(rk, list),
                                   "unassign", err);
    }
    return kafka_client_code(&self->client, rd_kafka_assign(rk, NULL), "unassign", err);
}

static void pending_clear(KafkaSource *self)
{
    if (self->pending.list) rd_kafka_topic_partition_list_destroy(self->pending.list);
    self->pending.list = NULL;
    self->pending.phase = KAFKA_PENDING_NONE;
    self->pending.again = false;
}

static void pending_set(KafkaSource *self, rd_kafka_topic_partition_list_t *list, bool assign)
{
    self->pending.ask_ns = clock_mono_ns();
    self->pending.until_ns = self->pending.ask_ns + COMMITTED_NS;
    self->pending.list = list;
    self->pending.phase = KAFKA_PENDING_TOLD;
    self->pending.assign = assign;
}

void kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                        rd_kafka_topic_partition_list_t *list, void *opaque)
{
    KafkaSource *self = ((KafkaClient *)opaque)->owner;
    bool assign = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    if (self->closing) {
        Err ignored = {0};
        if (assign) IGNORE(assign_list(self, list, &ignored));
        else IGNORE(unassign_list(self, list, &ignored));
        if (assign) self->parts.ever = true;
        return;
    }
    pending_clear(self);
    atomic_fetch_add(&self->rebalances, 1);
    pending_set(self, rd_kafka_topic_partition_list_copy(list), assign);
    self->pending.lost = !assign && rd_kafka_assignment_lost(rk);
}

/* ---- where to read from ---- */

/* ---- the first start ---- */

/* Where a group begins that has committed nothing is asked once: it is committed at once, with the
 * number of partitions that there were, before a message is handed out. So a kill before the first
 * cycle skips nothing, of members that begin together each knows that it is the beginning, and
 * partitions that are made later are read whole. */
static bool chooses_start(const KafkaSource *self)
{
    return kafka_place_has_group(&self->place) && (self->place.latest || self->place.tail > 0);
}

static bool is_open(const KafkaSource *self, const rd_kafka_topic_partition_t *item)
{
    return item->offset < 0 && position_next(&self->begin.from, item->partition) < 0;
}

/* The number that offsets of the list bear; 0: none of them does. */
static int32_t noted_parts(const rd_kafka_topic_partition_list_t *list)
{
    int64_t parts = 0;
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *item = &list->elems[i];
        Str note = str_make(item->metadata, (int64_t)item->metadata_size);
        if (item->offset < 0 || !str_starts(note, STR(FIRST_PREFIX))) continue;
        (void)number_parse_int64(str_slice(note, (int64_t)sizeof FIRST_PREFIX - 1, note.len),
                                 &parts);
    }
    return parts > 0 && parts <= KAFKA_PARTS_MAX ? (int32_t)parts : 0;
}

/* Partitions below the number are there since the group's beginning, or this is it. Offsets that
 * bear no number are of other tools or older versions, which began at the end each time. */
static int32_t first_parts(const KafkaSource *self, const rd_kafka_topic_partition_list_t *all)
{
    int32_t parts = noted_parts(all);
    return parts > 0 || self->begin.from.count > 0 ? parts : INT32_MAX;
}

/* What the group keeps of all partitions of the topic; the caller destroys *ret_all. */
static Status ask_all(KafkaSource *self, rd_kafka_topic_partition_list_t **ret_all, bool *ret_known,
                      Err *err)
{
    TRY(kafka_client_reach(&self->client, self->topic.ptr, KAFKA_REACH_MS, &self->begin.topic_parts,
                           err));
    rd_kafka_topic_partition_list_t *all =
        rd_kafka_topic_partition_list_new(self->begin.topic_parts);
    if (!all) return err_memory(err);
    for (int32_t i = 0; i < self->begin.topic_parts; i++) {
        (void)rd_kafka_topic_partition_list_add(all, self->topic.ptr, i);
    }
    if (kafka_ask_committed(self, all, ret_known, err) != OK) {
        rd_kafka_topic_partition_list_destroy(all);
        return FAIL;
    }
    *ret_all = all;
    return OK;
}

static Status ask_first(KafkaSource *self, bool *ret_known, Err *err)
{
    rd_kafka_topic_partition_list_t *all = NULL;
    TRY(ask_all(self, &all, ret_known, err));
    if (*ret_known) {
        self->begin.first_parts = first_parts(self, all);
        int32_t parts =
            self->begin.first_parts < self->begin.topic_parts ? self->begin.first_parts : all->cnt;
        atomic_store(&self->handle.first_parts, parts);
    }
    rd_kafka_topic_partition_list_destroy(all);
    return OK;
}

/* Is there a position in the target where the group has none? Then: has it any of the topic? */
static Status ask_orphans(KafkaSource *self, const rd_kafka_topic_partition_list_t *list,
                          bool *ret_known, Err *err)
{
    bool suspect = false;
    for (int i = 0; i < list->cnt; i++) {
        suspect |= list->elems[i].offset < 0 &&
                   position_next(&self->begin.from, list->elems[i].partition) > 0;
    }
    self->begin.group_empty = false;
    if (!suspect || !self->source.req->kept || self->place.embedded) return OK;
    rd_kafka_topic_partition_list_t *all = NULL;
    TRY(ask_all(self, &all, ret_known, err));
    self->begin.group_empty = *ret_known;
    for (int i = 0; i < all->cnt; i++) self->begin.group_empty &= all->elems[i].offset < 0;
    rd_kafka_topic_partition_list_destroy(all);
    return OK;
}

/* The offsets from which the list's partitions go on, as far as the group knows them. */
static Status ask_start(KafkaSource *self, rd_kafka_topic_partition_list_t *list, bool *ret_known,
                        Err *err)
{
    bool open = false;
    TRY(kafka_ask_committed(self, list, ret_known, err));
    if (*ret_known) TRY(ask_orphans(self, list, ret_known, err));
    if (!*ret_known || list->cnt == 0) return OK;
    int32_t parts = noted_parts(list);
    if (parts > 0) atomic_store(&self->handle.first_parts, parts);
    for (int i = 0; i < list->cnt; i++) open |= is_open(self, &list->elems[i]);
    return (open || parts == 0) && chooses_start(self) ? ask_first(self, ret_known, err) : OK;
}

static const char *where_kept(const KafkaSource *self)
{
    return self->source.req->kept
               ? "where the target keeps it (table neuron_positions, or the file's .neuron)"
               : "in the group";
}

static Status gone_already(const KafkaSource *self, int32_t partition, int64_t start, int64_t low,
                           Err *err)
{
    (void)err_set(err, ERR_NOT_FOUND,
                  "topic %.*s, partition %d: the messages %lld to %lld were deleted by the broker "
                  "before they were read",
                  STR_ARG(self->topic), (int)partition, (long long)start, (long long)low - 1);
    return err_hint(err,
                    "they are lost; to go on, set the offset to %lld by hand %s, and keep messages "
                    "for longer",
                    (long long)low, where_kept(self));
}

static Status not_there(const KafkaSource *self, int32_t partition, int64_t start, int64_t high,
                        Err *err)
{
    (void)err_set(err, ERR_NOT_FOUND,
                  "topic %.*s, partition %d: it was read up to offset %lld, but ends at %lld",
                  STR_ARG(self->topic), (int)partition, (long long)start, (long long)high);
    return err_hint(
        err, "it seems to have been deleted and made again; set the offset by hand %s%s",
        where_kept(self), self->source.req->kept ? "" : ", or read it with a new group");
}

/* A broker deletes a group's offsets with the topic. A stream whose target keeps its position
 * commits to the group too, from its beginning on: where the group has no offset of the topic, the
 * position is likely of one that is no more, and messages before it would never be read. */
static bool is_orphan(const KafkaSource *self, int32_t partition, int64_t committed, int64_t low,
                      int64_t high)
{
    int64_t kept = position_next(&self->begin.from, partition);
    return self->begin.group_empty && committed < 0 && kept > low &&
           kept <= high; /* what is after the end is named as that */
}

static Status made_again(const KafkaSource *self, int32_t partition, Err *err)
{
    long long start = position_next(&self->begin.from, partition);
    Str group = self->place.group;
    (void)err_set(err, ERR_NOT_FOUND,
                  "topic %.*s, partition %d: the target has it read up to offset %lld, but the "
                  "group \"%.*s\" has no offset of the topic",
                  STR_ARG(self->topic), (int)partition, start, STR_ARG(group));
    return err_hint(err,
                    "the topic seems to have been deleted and made again: to read it from its "
                    "beginning, remove its position %s; if the topic is the same (the group is "
                    "new, or its offsets expired), set the group's offset to %lld",
                    where_kept(self), start);
}

Status kafka_offset_error(KafkaSource *self, int32_t partition, int64_t offset, Err *err)
{
    int64_t low = 0, high = 0;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
        self->client.rk, self->topic.ptr, partition, &low, &high, KAFKA_ASK_MS);
    TRY(kafka_client_code(&self->client, code, "the ends of a partition", err));
    return offset > high ? not_there(self, partition, offset, high, err)
                         : gone_already(self, partition, offset, low, err);
}

/* The sink's own position wins over what the group committed. Where the sink isn't asked, of a
 * partition that comes later it is as old as the start, and others may have read on since. -1:
 * neither is known. */
static int64_t first_offset(const KafkaSource *self, int32_t partition, int64_t committed)
{
    int64_t from = position_next(&self->begin.from, partition);
    if (from < 0) return committed;
    return self->parts.ever && !self->source.req->asks ? int64_max(from, committed) : from;
}

static Status take_part(KafkaSource *self, rd_kafka_topic_partition_t *item, Err *err)
{
    int64_t low = 0, high = 0;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
        self->client.rk, self->topic.ptr, item->partition, &low, &high, KAFKA_ASK_MS);
    TRY(kafka_client_code(&self->client, code, "the ends of a partition", err));
    int64_t committed = item->offset >= 0 ? item->offset : -1;
    int64_t start = first_offset(self, item->partition, committed);
    bool first = item->partition < self->begin.first_parts;
    if (start < 0 && first && self->place.tail > 0) start = int64_max(low, high - self->place.tail);
    if (start < 0) start = first && self->place.latest ? high : low;
    if (start < low) return gone_already(self, item->partition, start, low, err);
    if (is_orphan(self, item->partition, committed, low, high)) {
        return made_again(self, item->partition, err);
    }
    item->offset = start;
    KafkaPart *part = NULL;
    pthread_mutex_lock(&self->parts.mutex);
    Status status = kafka_parts_at(&self->parts, item->partition, &part, err);
    if (status == OK) kafka_part_begin(part, start, committed, high, self->epoch);
    pthread_mutex_unlock(&self->parts.mutex);
    return status;
}

/* Messages of the partition go to the queue for messages, not to the group's; those that wait in
 * its own go along. */
static void lead_queue(KafkaSource *self, int32_t partition)
{
    rd_kafka_queue_t *queue =
        rd_kafka_queue_get_partition(self->client.rk, self->topic.ptr, partition);
    if (!queue) return;
    rd_kafka_queue_forward(queue, self->queues.data);
    rd_kafka_queue_destroy(queue);
}

/* librdkafka forgets the way when it has stopped fetching, some time after a partition was given
 * back; where that is assigned again at once, its messages would wait in its own queue for ever. */
void kafka_lead_queues(KafkaSource *self)
{
    for (int32_t i = 0; i < self->parts.count; i++) {
        pthread_mutex_lock(&self->parts.mutex);
        const KafkaPart *part = kafka_parts_assigned(&self->parts, i);
        bool dry = part && !part->flowing;
        pthread_mutex_unlock(&self->parts.mutex);
        if (dry) lead_queue(self, i);
    }
}

/* Partitions that are assigned already, and read from elsewhere. Not every protocol can assign some
 * of them. */
static Status assign_again(KafkaSource *self, const rd_kafka_topic_partition_list_t *parts,
                           Err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(parts);
    if (!list) return err_memory(err);
    Status status = OK;
    if (is_cooperative(self)) {
        status = unassign_list(self, list, err);
    } else {
        pthread_mutex_lock(&self->parts.mutex);
        for (int32_t i = 0; i < self->parts.count; i++) {
            KafkaPart *part = kafka_parts_assigned(&self->parts, i);
            if (!part || rd_kafka_topic_partition_list_find(list, self->topic.ptr, i)) continue;
            part->flowing = false;
            rd_kafka_topic_partition_list_add(list, self->topic.ptr, i)->offset = part->next;
        }
        pthread_mutex_unlock(&self->parts.mutex);
    }
    if (status == OK) status = assign_list(self, list, err);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

static Status take_parts(KafkaSource *self, rd_kafka_topic_partition_list_t *list,
                         rd_kafka_topic_partition_list_t *starts, Err *err)
{
    for (int i = 0; i < list->cnt; i++) {
        bool first = is_open(self, &list->elems[i]) &&
                     (self->source.req->kept ||
                      (chooses_start(self) && list->elems[i].partition < self->begin.first_parts));
        TRY(take_part(self, &list->elems[i], err));
        lead_queue(self, list->elems[i].partition);
        if (!first) continue;
        TRY(kafka_offset_add(starts, &self->handle, list->elems[i].partition, list->elems[i].offset,
                             err));
    }
    TRY(self->pending.again ? assign_again(self, list, err) : assign_list(self, list, err));
    return starts->cnt > 0 ? kafka_commit_list(self, starts, true, err) : OK;
}

static Status take_over(KafkaSource *self, rd_kafka_topic_partition_list_t *list, Err *err)
{
    rd_kafka_topic_partition_list_t *starts =
        rd_kafka_topic_partition_list_new(list->cnt > 0 ? list->cnt : 1);
    if (!starts) return err_memory(err);
    if (self->pending.phase < KAFKA_PENDING_ASKED) self->epoch++;
    Status status = take_parts(self, list, starts, err);
    rd_kafka_topic_partition_list_destroy(starts);
    TRY(status);
    pthread_mutex_lock(&self->parts.mutex);
    self->parts.ever = true;
    pthread_mutex_unlock(&self->parts.mutex);
    return OK;
}

Status kafka_subscribe(KafkaSource *self, int32_t partitions, Err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    if (!list) return err_memory(err);
    Status status = OK;
    if (kafka_place_has_group(&self->place)) {
        (void)rd_kafka_topic_partition_list_add(list, self->topic.ptr, RD_KAFKA_PARTITION_UA);
        status = kafka_client_code(&self->client, rd_kafka_subscribe(self->client.rk, list),
                                   "subscribe", err);
    } else {
        for (int32_t i = 0; i < partitions; i++) {
            (void)rd_kafka_topic_partition_list_add(list, self->topic.ptr, i);
        }
        status = take_over(self, list, err);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

/* ---- what the group tells ---- */

static rd_kafka_topic_partition_list_t *list_new(const KafkaSource *self)
{
    return rd_kafka_topic_partition_list_new(self->parts.count > 0 ? self->parts.count : 1);
}

static void event_of_pending(KafkaSource *self, SourceEventKind kind, SourceEvent *ret_event)
{
    int32_t count = 0;
    for (int i = 0; i < self->pending.list->cnt && count < KAFKA_PARTS_MAX; i++) {
        self->event_parts[count++] = self->pending.list->elems[i].partition;
    }
    *ret_event = (SourceEvent){.kind = kind,
                               .epoch = self->epoch,
                               .parts = self->event_parts,
                               .part_count = count,
                               .deadline_ns = clock_mono_ns()};
    ret_event->deadline_ns += kind == SOURCE_REVOKE ? REVOKE_NS : LOST_NS;
}

/* First the sink is asked, where it is to be, then the group; the other partitions are read
 * meanwhile. */
static Status assignment_event(KafkaSource *self, SourceEvent *ret_event, bool *ret_told, Err *err)
{
    bool known = false, asks = self->source.req->asks && self->pending.list->cnt > 0;
    if (asks && self->pending.phase == KAFKA_PENDING_TOLD) {
        self->pending.phase = KAFKA_PENDING_ASKED;
        *ret_told = true;
        self->epoch++;
        event_of_pending(self, SOURCE_ASSIGN, ret_event);
        return OK;
    }
    if ((asks && self->pending.phase != KAFKA_PENDING_ANSWERED) ||
        clock_mono_ns() < self->pending.ask_ns)
        return OK;
    TRY(ask_start(self, self->pending.list, &known, err));
    self->pending.ask_ns = clock_mono_ns() + COMMITTED_PAUSE_NS;
    if (!known) return OK;
    TRY(take_over(self, self->pending.list, err));
    *ret_told = !asks;
    if (!asks) event_of_pending(self, SOURCE_ASSIGN, ret_event);
    pending_clear(self);
    return OK;
}

/* Partitions that another process took over in the target, though the group gave them to us: where
 * we are a member still, whoever has them is none, and they are taken back. */
static Status fenced_event(KafkaSource *self, SourceEvent *ret_event, bool *ret_told, Err *err)
{
    bool member = false;
    if (self->fenced_ns == 0 || clock_mono_ns() < self->fenced_ns) return OK;
    self->fenced_ns = kafka_parts_any_fenced(&self->parts) ? clock_mono_ns() + FENCED_NS : 0;
    if (self->fenced_ns == 0) return OK;
    rd_kafka_topic_partition_list_t *list = list_new(self);
    if (!list) return err_memory(err);
    for (int32_t i = 0; i < self->parts.count; i++) {
        if (!self->parts.items[i].fenced) continue;
        (void)rd_kafka_topic_partition_list_add(list, self->topic.ptr, i);
    }
    pending_set(self, list, true);
    self->pending.again = true;
    Status status = kafka_is_member(self, list, &member, err);
    if (status == OK && member) return assignment_event(self, ret_event, ret_told, err);
    pending_clear(self);
    return status;
}

Status kafka_assignment_event(KafkaSource *self, SourceEvent *ret_event, bool *ret_told, Err *err)
{
    *ret_told = false;
    if (!self->pending.list) return fenced_event(self, ret_event, ret_told, err);
    if (self->pending.assign) return assignment_event(self, ret_event, ret_told, err);
    if (self->pending.phase != KAFKA_PENDING_TOLD) return OK;
    self->pending.phase = KAFKA_PENDING_ASKED;
    *ret_told = true;
    event_of_pending(self, self->pending.lost ? SOURCE_LOST : SOURCE_REVOKE, ret_event);
    return OK;
}

Status kafka_assignment_begin(KafkaSource *self, int64_t epoch, const Position *from, Err *err)
{
    bool asked = self->pending.assign && self->pending.phase == KAFKA_PENDING_ASKED;
    if (!asked || epoch != self->epoch) return OK;
    for (int i = 0; i < self->pending.list->cnt; i++) {
        int32_t part = self->pending.list->elems[i].partition;
        int64_t next = position_next(from, part);
        position_remove(&self->begin.from, part);
        if (next >= 0) TRY(position_put(&self->begin.from, part, next, err));
    }
    self->pending.phase = KAFKA_PENDING_ANSWERED;
    return OK;
}

void kafka_assignment_fenced(KafkaSource *self, const int32_t *parts, int32_t count)
{
    pthread_mutex_lock(&self->parts.mutex);
    for (int32_t i = 0; i < count; i++) {
        KafkaPart *part = kafka_parts_assigned(&self->parts, parts[i]);
        if (!part) continue;
        part->assigned = false;
        part->fenced = true;
    }
    pthread_mutex_unlock(&self->parts.mutex);
    self->fenced_ns = clock_mono_ns() + FENCED_NS;
}

Status kafka_give_back(KafkaSource *self, Err *err)
{
    pthread_mutex_lock(&self->parts.mutex);
    for (int i = 0; i < self->pending.list->cnt; i++) {
        int32_t partition = self->pending.list->elems[i].partition;
        if (partition >= self->parts.count) continue;
        KafkaPart *part = &self->parts.items[partition];
        part->assigned = part->fenced = false;
    }
    pthread_mutex_unlock(&self->parts.mutex);
    Status status = unassign_list(self, self->pending.list, err);
    pending_clear(self);
    return status;
}

/* ---- reading again ---- */

/* A position may name a partition as it was before others owned it: never after this
 * assignment's start. */
static void rewind_parts(KafkaSource *self, const Position *position,
                         rd_kafka_topic_partition_list_t *list)
{
    pthread_mutex_lock(&self->parts.mutex);
    for (int32_t i = 0; i < self->parts.count; i++) {
        KafkaPart *part = kafka_parts_assigned(&self->parts, i);
        if (!part) continue;
        part->next = part->read = int64_max(position_next(position, i), part->start);
        part->flowing = false;
        part->reached = part->next >= part->end;
        rd_kafka_topic_partition_list_add(list, self->topic.ptr, i)->offset = part->next;
    }
    pthread_mutex_unlock(&self->parts.mutex);
}

/* librdkafka's seek is not safe with batches before 2.1: the same partitions are assigned anew. */
Status kafka_rewind(KafkaSource *self, const Position *position, Err *err)
{
    rd_kafka_topic_partition_list_t *list = list_new(self);
    if (!list) return err_memory(err);
    rewind_parts(self, position, list);
    Status status = OK;
    if (list->cnt > 0 && is_cooperative(self)) status = unassign_list(self, list, err);
    if (list->cnt > 0 && status == OK) status = assign_list(self, list, err);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

/* ---- leaving ---- */

static void serve_control(KafkaSource *self, int timeout_ms)
{
    rd_kafka_message_t *message = NULL;
    ssize_t got = rd_kafka_consume_batch_queue(self->queues.control, timeout_ms, &message, 1);
    if (got == 1) rd_kafka_message_destroy(message);
}

/* True when the consumer left, and may be freed. */
static bool leave_group(KafkaSource *self)
{
    bool careful = rd_kafka_version() < VERSION_SAFE_CLOSE;
    Err ignored = {0};
    self->closing = true;
    if (self->pending.list && !self->pending.assign) IGNORE(kafka_give_back(self, &ignored));
    else if (self->pending.list) {
        IGNORE(assign_list(self, self->pending.list, &ignored));
        self->parts.ever = true;
    }
    pending_clear(self);
    int64_t deadline_ns = clock_mono_ns() + FIRST_ASSIGNMENT_NS;
    while (careful && !self->parts.ever && clock_mono_ns() < deadline_ns) serve_control(self, 100);
    kafka_client_result(&self->client,
                        rd_kafka_consumer_close_queue(self->client.rk, self->queues.control),
                        "close", &ignored);
    deadline_ns = clock_mono_ns() + LEAVE_NS;
    while (!rd_kafka_consumer_closed(self->client.rk) && clock_mono_ns() < deadline_ns) {
        serve_control(self, 100);
    }
    return rd_kafka_consumer_closed(self->client.rk) && (self->parts.ever || !careful);
}

void kafka_leave(KafkaSource *self)
{
    if (!self->client.rk) return;
    bool joined = self->opened && kafka_place_has_group(&self->place);
    bool left = !joined || leave_group(self);
    if (self->queues.control) rd_kafka_queue_destroy(self->queues.control);
    if (self->queues.data) rd_kafka_queue_destroy(self->queues.data);
    /* A consumer that doesn't let go is left to the end of the process: freeing it could hang. */
    if (left) return;
    self->client.rk = NULL;
    self->client.left_behind = true;
}
