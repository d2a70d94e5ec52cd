/* Messages that the broker refused after they were sent: which ones, of those that it refused
 * together, and what is known of them when their cycle is done again. */
#ifndef NEURON_KAFKA_REFUSALS_H
#define NEURON_KAFKA_REFUSALS_H

#include <librdkafka/rdkafka.h>

#include "connect/position.h"
#include "foundation/base/err.h"

/* A message, by the port that it was written to and the row that it was made of. */
typedef struct KafkaOrigin {
    int32_t port, part;
    int64_t ordinal;
} KafkaOrigin;

/* One that was handed over and is not answered yet, or that was refused. */
typedef struct KafkaSent {
    KafkaOrigin of;
    int64_t bytes; /* of a batch of it alone, before compression */
    rd_kafka_resp_err_t code;
    int64_t next; /* among the free ones */
} KafkaSent;

/* One that is known to be refused: so many times, in as many forms. */
typedef struct KafkaMark {
    KafkaOrigin of;
    rd_kafka_resp_err_t code;
    int32_t times, seen; /* seen: in the open cycle */
} KafkaMark;

/* One that was refused together with others: those of a group are sent together, and with nobody
 * else. */
typedef struct KafkaSuspect {
    KafkaOrigin of;
    int64_t group;
    bool failed; /* the last time */
} KafkaSuspect;

/* A broker's answer is to a whole batch. A refused message is known for certain where it was alone
 * in its batch: the only one that was refused, larger than batches may be, or the only one of its
 * group. Else the batches are made smaller, where the answer was to their size; or the refused ones
 * are suspects, in up to 64 groups that are sent apart, then again in 64 … So each further go finds
 * one, and a few go by before. Embedded. One thread. */
typedef struct KafkaRefusals {
    KafkaSent *slots;
    int64_t slot_count, slot_capacity, slot_free; /* free: -1: none */
    KafkaSent *failed;                            /* of the open cycle */
    int64_t failed_count, failed_capacity;
    KafkaMark *marks;
    int64_t mark_count, mark_capacity;
    KafkaSuspect *suspects; /* sorted */
    int64_t suspect_count, suspect_capacity;
    KafkaOrigin *delivered; /* without a transaction: they stay, though their cycle is done again */
    int64_t delivered_count, delivered_capacity;
    int64_t delivered_sorted; /* the first ones: of cycles that were undone */
    int64_t groups;           /* numbers given so far */
    int64_t large;            /* of the marks since the last commit: by size */
    int64_t large_bytes;      /* the smallest of them */
} KafkaRefusals;

void kafka_refusals_init(KafkaRefusals *refusals);
void kafka_refusals_done(KafkaRefusals *refusals);
/* Is the answer to this message's content, and would be the same again? */
bool kafka_refusal_is_of_message(rd_kafka_resp_err_t code);

/* A cycle begins: what failed in the last one is forgotten, not what is known. */
void kafka_refusals_begin(KafkaRefusals *refusals);
/* No answer comes any more to what was handed over: its producer is gone. */
void kafka_refusals_unanswered(KafkaRefusals *refusals);
/* A number for a message that is handed over, to be given back with its answer; from 1. */
MUST_USE Status kafka_refusals_sent(KafkaRefusals *refusals, const KafkaOrigin *of, int64_t bytes,
                                    int64_t *ret_number, Err *err);
/* Its answer; `code` of its own kind only, else NO_ERROR. After FAIL a refusal is not known: the
 * cycle can't be committed. */
MUST_USE Status kafka_refusals_answer(KafkaRefusals *refusals, int64_t number,
                                      rd_kafka_resp_err_t code, Err *err);
/* Without a transaction: it was delivered. */
MUST_USE Status kafka_refusals_delivered(KafkaRefusals *refusals, int64_t number, Err *err);
/* Was it delivered by a cycle that was undone? */
bool kafka_refusals_is_there(const KafkaRefusals *refusals, const KafkaOrigin *of);
/* Known to be refused in this form; *ret_code says why. */
bool kafka_refusals_known(KafkaRefusals *refusals, const KafkaOrigin *of,
                          rd_kafka_resp_err_t *ret_code);
/* 0: no suspect. */
int64_t kafka_refusals_group(const KafkaRefusals *refusals, const KafkaOrigin *of);
/* Is a message of that size not worth another try? */
bool kafka_refusals_hopeless(const KafkaRefusals *refusals, int64_t bytes);
/* What the open cycle's refusals tell. *ret_batch_bytes: how large batches may be from now on.
 * False: none failed. */
MUST_USE Status kafka_refusals_learn(KafkaRefusals *refusals, int64_t batch_bytes,
                                     int64_t *ret_batch_bytes, bool *ret_learned, Err *err);
/* The messages before the position are committed. */
void kafka_refusals_committed(KafkaRefusals *refusals, const Position *position);

#endif
