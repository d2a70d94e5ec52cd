/* The inside of the Kafka source, for its files: fetching, assignment, liveness. */
#ifndef NEURON_KAFKA_SOURCE_H
#define NEURON_KAFKA_SOURCE_H

#include "connect/kafka/kafka_impl.h"
#include "connect/kafka/kafka_parts.h"
#include "connect/kafka/kafka_rows.h"
#include "foundation/base/thread.h"

/* Wakes librdkafka's fetcher while the source is busy: before 2.2 a full queue lets it sleep for up
 * to a second, and a question for a partition's end to its leader is what wakes it. */
typedef struct KafkaPump {
    Thread thread;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool stop;
    _Atomic bool dozing;      /* looks rarely: woken when messages come */
    _Atomic int64_t messages; /* ever taken: the source is busy while this grows */
} KafkaPump;

/* What the group said of our partitions last, until it is answered. An assignment waits until its
 * committed offsets are known; the other partitions are read meanwhile.
 *
 *     NONE --librdkafka's callback--> TOLD --an event for the flow--> ASKED --its answer-->
 * ANSWERED ^                               |(no sink to ask)                                      |
 *      +-------------------------------+-----(un)assigned by the reader's thread--------------+
 */
typedef enum KafkaPendingPhase {
    KAFKA_PENDING_NONE,
    KAFKA_PENDING_TOLD,
    KAFKA_PENDING_ASKED,    /* it was handed to the flow */
    KAFKA_PENDING_ANSWERED, /* an assignment's beginning is known to the sink, or not */
} KafkaPendingPhase;

typedef struct KafkaPending {
    KafkaPendingPhase phase;
    rd_kafka_topic_partition_list_t *list; /* NULL: NONE */
    bool assign, lost;
    bool again; /* the assignment is of parts that were fenced */
    int64_t ask_ns, until_ns;
} KafkaPending;

/* Messages of the last fetch: [at, count) of KAFKA_ROWS_MAX wait. */
typedef struct KafkaMessages {
    rd_kafka_message_t **items;
    int64_t at, count;
    int64_t given; /* rows and rejects */
} KafkaMessages;

/* Events of the group come by `control`, messages by `data`, so that a stalled sink doesn't keep
 * the consumer from answering its group. */
typedef struct KafkaQueues {
    rd_kafka_queue_t *control, *data;
} KafkaQueues;

/* Where partitions begin. */
typedef struct KafkaBegin {
    Position from;       /* of the sink: wins over what the group committed. What it answered last,
                            where it is asked */
    int32_t topic_parts; /* there were so many … */
    int32_t first_parts; /* … when the group began; those below begin where `from` says */
    bool group_empty;    /* the target has positions of the topic, but the group no offset */
} KafkaBegin;

/* librdkafka's callback only notes what it is told in `pending`; (un)assigning follows on the
 * reader's thread. */
typedef struct KafkaSource {
    Source source;
    KafkaPlace place;
    KafkaClient client;
    KafkaHandle handle;
    Str topic;
    bool opened;
    KafkaQueues queues;
    KafkaParts parts;
    KafkaRows rows;
    bool rows_ready;
    KafkaPump pump;
    KafkaBegin begin;
    KafkaMessages messages;
    KafkaPending pending;
    int64_t fenced_ns; /* not before this are fenced parts asked for again; 0: there are none */
    bool closing;      /* answer the group at once */
    int32_t *event_parts;
    int64_t epoch;
    _Atomic int64_t rebalances;
    _Atomic bool cancelled;
} KafkaSource;

/* ---- kafka_assign.c ---- */

void kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                        rd_kafka_topic_partition_list_t *list, void *client);
/* Lead the messages of partitions that don't flow yet to the queue for messages. */
void kafka_lead_queues(KafkaSource *self);
/* Join the group, or take all partitions where there is none. */
MUST_USE Status kafka_subscribe(KafkaSource *self, int32_t partitions, Err *err);
/* FAIL always: why a partition can't be read from the offset. */
Status kafka_offset_error(KafkaSource *self, int32_t partition, int64_t offset, Err *err);
/* What the group told meanwhile, as an event; *ret_told false: nothing. */
MUST_USE Status kafka_assignment_event(KafkaSource *self, SourceEvent *ret_event, bool *ret_told,
                                       Err *err);
MUST_USE Status kafka_give_back(KafkaSource *self, Err *err);
/* Source.begin, Source.fenced. */
MUST_USE Status kafka_assignment_begin(KafkaSource *self, int64_t epoch, const Position *from,
                                       Err *err);
void kafka_assignment_fenced(KafkaSource *self, const int32_t *parts, int32_t count);
MUST_USE Status kafka_rewind(KafkaSource *self, const Position *position, Err *err);
/* Leave the group and free the consumer. */
void kafka_leave(KafkaSource *self);

/* ---- kafka_offsets.c ---- */

/* Before what an offset bears: with how many partitions the group began. */
#define FIRST_PREFIX "first of "

/* The group's committed offsets into the list. *ret_known false: a transaction of a partition's
 * last owner may be open still; ask again. */
MUST_USE Status kafka_ask_committed(KafkaSource *self, rd_kafka_topic_partition_list_t *list,
                                    bool *ret_known, Err *err);
/* Commit what stands in the list; a member that the group went on without commits nothing, and
 * that is no error. `must` false: nothing rests on it, and it is tried for a moment only. */
MUST_USE Status kafka_commit_list(KafkaSource *self, rd_kafka_topic_partition_list_t *list,
                                  bool must, Err *err);
MUST_USE Status kafka_commit_offsets(KafkaSource *self, const Position *position, Err *err);
/* Does the group count us in, as owner of these partitions? Asked by committing what is committed.
 */
MUST_USE Status kafka_is_member(KafkaSource *self, const rd_kafka_topic_partition_list_t *parts,
                                bool *ret_member, Err *err);

/* ---- kafka_pump.c ---- */

MUST_USE Status kafka_pump_start(KafkaSource *self, Err *err);
/* Messages were taken. */
void kafka_pump_note(KafkaSource *self, int64_t messages);
void kafka_pump_stop(KafkaSource *self);

/* ---- kafka_lag.c ---- */

void kafka_lag_stats(KafkaSource *self, SourceStats *ret_stats);

/* ---- kafka_source.c ---- */

/* Messages that wait are let go. */
void kafka_drop_messages(KafkaSource *self);

#endif
