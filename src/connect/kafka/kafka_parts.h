/* The partitions of a topic as one consumer knows them: assigned or not, where it reads, where the
 * end was. */
#ifndef NEURON_KAFKA_PARTS_H
#define NEURON_KAFKA_PARTS_H

#include <pthread.h>

#include "foundation/base/err.h"

/* Most partitions of one topic. */
enum { KAFKA_PARTS_MAX = 4096 };

typedef struct KafkaPart {
    bool assigned;
    bool fenced;       /* it is assigned, but another process has it in the target: not read */
    bool flowing;      /* something of this assignment came by the queue for messages */
    bool reached;      /* the end as it was at the start */
    bool beyond;       /* begun after the end: what the broker makes of that is not known yet */
    int64_t epoch;     /* of the assignment */
    int64_t start;     /* offset at which this assignment began */
    int64_t next;      /* first offset that was not handed out */
    int64_t end;       /* the partition's end when it was first assigned; -1: never was */
    int64_t committed; /* what settled committed last in this assignment */
    int64_t settled;   /* everything before it is in the sink */
    int64_t read;      /* nothing before it is left to read; after `next` where marks follow */
    int64_t high;      /* the highest end seen */
    int64_t time_us;   /* timestamp of the last message that was read; 0: none */
    int64_t level_us;  /* when nothing was left to read last; 0: never */
} KafkaPart;

/* Embedded: init … done. The writer's thread settles while the reader's reads: both hold `mutex`
 * while they look. */
typedef struct KafkaParts {
    pthread_mutex_t mutex;
    KafkaPart *items; /* by partition number */
    int32_t count;
    int32_t assigned;
    bool ever; /* an assignment was seen, even an empty one */
} KafkaParts;

void kafka_parts_init(KafkaParts *parts);
void kafka_parts_done(KafkaParts *parts);
/* The part, made when it is new. The pointer holds until the next call. Under mutex. */
MUST_USE Status kafka_parts_at(KafkaParts *parts, int32_t partition, KafkaPart **ret_part,
                               Err *err);
/* NULL when it is not assigned. Under mutex. */
KafkaPart *kafka_parts_assigned(KafkaParts *parts, int32_t partition);
/* Begin an assignment. Under mutex. */
void kafka_part_begin(KafkaPart *part, int64_t start, int64_t committed, int64_t high,
                      int64_t epoch);
/* A message was read; its timestamp, 0: unknown. Under mutex. */
void kafka_part_read(KafkaPart *part, int64_t offset, int64_t time_us);
/* There was nothing to read from the offset on. Under mutex. */
void kafka_part_level(KafkaPart *part, int64_t offset, int64_t now_us);
/* Messages that are not in the sink yet, and how long at most the oldest of them waits (0: there is
 * none; -1: not known). Under mutex. */
int64_t kafka_part_lag(const KafkaPart *part, int64_t now_us, int64_t *ret_lag_us);
/* Is any fenced? Takes the mutex. */
bool kafka_parts_any_fenced(KafkaParts *parts);
/* True when every assigned part has reached the end as it was at the start. Takes the mutex. */
bool kafka_parts_reached(KafkaParts *parts);

#endif
