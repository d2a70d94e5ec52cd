/* Offsets that the group keeps: asked for, committed, and what they bear. */
#include <stdio.h>
#include <stdlib.h>

#include "connect/kafka/kafka_source.h"
#include "foundation/base/clock.h"

/* How long offsets may take to be committed: those that nobody else keeps, and those that are
 * information for others. */
#define COMMIT_NS INT64_C(30000000000)
#define COMMIT_KEPT_NS INT64_C(2000000000)
enum { COMMITTED_ASK_MS = 500 };

static void pause_ms(KafkaSource *self, int64_t ms)
{
    pthread_mutex_lock(&self->pump.mutex);
    (void)thread_cond_wait(&self->pump.cond, &self->pump.mutex, clock_mono_ns() + ms * 1000000);
    pthread_mutex_unlock(&self->pump.mutex);
}

Status kafka_ask_committed(KafkaSource *self, rd_kafka_topic_partition_list_t *list,
                           bool *ret_known, Err *err)
{
    *ret_known = true;
    if (!kafka_place_has_group(&self->place) || list->cnt == 0) return OK;
    rd_kafka_resp_err_t code = rd_kafka_committed(self->client.rk, list, COMMITTED_ASK_MS);
    for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        code = list->elems[i].err;
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return OK;
    *ret_known = false;
    bool refused = code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
                   code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    if (!refused && clock_mono_ns() < self->pending.until_ns) return OK;
    return kafka_client_code(&self->client, code, "the group's committed offsets", err);
}

Status kafka_offset_add(rd_kafka_topic_partition_list_t *list, const KafkaHandle *handle,
                        int32_t partition, int64_t offset, Err *err)
{
    char note[40];
    int32_t parts = atomic_load(&handle->first_parts);
    rd_kafka_topic_partition_t *item =
        rd_kafka_topic_partition_list_add(list, handle->topic, partition);
    item->offset = offset;
    if (parts == 0) return OK;
    int len = snprintf(note, sizeof note, FIRST_PREFIX "%d", (int)parts);
    item->metadata = strdup(note); /* librdkafka frees it */
    item->metadata_size = (size_t)len;
    return item->metadata ? OK : err_memory(err);
}

/* What moved since the last commit, of partitions that are ours. Of those whose offsets the target
 * keeps also where reading began: the group may lag behind that. */
static Status collect_offsets(KafkaSource *self, const Position *position,
                              rd_kafka_topic_partition_list_t *list, Err *err)
{
    Status status = OK;
    pthread_mutex_lock(&self->parts.mutex);
    for (int32_t i = 0; i < position->count && status == OK; i++) {
        const PartPosition *at = &position->parts[i];
        const KafkaPart *part = kafka_parts_assigned(&self->parts, at->part);
        if (!part || at->next == part->committed) continue;
        if (at->next < part->start || (at->next == part->start && !self->source.req->kept))
            continue;
        status = kafka_offset_add(list, &self->handle, at->part, at->next, err);
    }
    pthread_mutex_unlock(&self->parts.mutex);
    return status;
}

static void note_committed(KafkaSource *self, const rd_kafka_topic_partition_list_t *list)
{
    pthread_mutex_lock(&self->parts.mutex);
    for (int i = 0; i < list->cnt; i++) {
        KafkaPart *part = kafka_parts_assigned(&self->parts, list->elems[i].partition);
        if (part) part->committed = list->elems[i].offset;
    }
    pthread_mutex_unlock(&self->parts.mutex);
}

/* The group has gone on without this member: whoever has the partitions now reads them from the
 * last committed offset, and nothing is lost. */
static bool is_ousted(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
           code == RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST;
}

Status kafka_commit_list(KafkaSource *self, rd_kafka_topic_partition_list_t *list, bool must,
                         Err *err)
{
    int64_t deadline_ns = clock_mono_ns() + (must ? COMMIT_NS : COMMIT_KEPT_NS);
    for (;;) {
        rd_kafka_resp_err_t code = rd_kafka_commit(self->client.rk, list, 0);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            note_committed(self, list);
            return OK;
        }
        bool same = code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
        bool over = clock_mono_ns() >= deadline_ns || atomic_load(&self->cancelled);
        if (is_ousted(code) || (over && !same && !must)) return OK;
        if (same || over) {
            return kafka_client_code(&self->client, code, "committing offsets", err);
        }
        pause_ms(self, 100);
    }
}

Status kafka_commit_offsets(KafkaSource *self, const Position *position, Err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(position->count + 1);
    if (!list) return err_memory(err);
    Status status = collect_offsets(self, position, list, err);
    if (status == OK && list->cnt > 0)
        status = kafka_commit_list(self, list, !self->source.req->kept, err);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

/* Of the list only what has an offset. */
static void keep_known(rd_kafka_topic_partition_list_t *list)
{
    for (int i = list->cnt - 1; i >= 0; i--) {
        if (list->elems[i].offset < 0) (void)rd_kafka_topic_partition_list_del_by_idx(list, i);
    }
}

Status kafka_is_member(KafkaSource *self, const rd_kafka_topic_partition_list_t *parts,
                       bool *ret_member, Err *err)
{
    bool known = false;
    *ret_member = false;
    if (rd_kafka_assignment_lost(self->client.rk)) return OK;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(parts);
    if (!list) return err_memory(err);
    Status status = kafka_ask_committed(self, list, &known, err);
    if (status == OK && known) {
        keep_known(list);
        *ret_member = list->cnt == 0 ||
                      rd_kafka_commit(self->client.rk, list, 0) == RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}
