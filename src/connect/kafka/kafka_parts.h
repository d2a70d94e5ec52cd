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
    bool flowing;      /* something of this assignment came by the queue for messages */
    bool reached;      /* the end as it was at the start */
    int64_t epoch;     /* of the assignment */
    int64_t start;     /* offset at which this assignment began */
    int64_t next;      /* first offset that was not handed out */
    int64_t end;       /* the partition's end when it was first assigned; -1: never was */
    int64_t committed; /* what settled committed last in this assignment */
    int64_t eof;       /* offset at which the broker last said: nothing more */
    int64_t last_us;   /* timestamp of the last message handed out; 0: none */
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
/* True when every assigned part has reached the end as it was at the start. Takes the mutex. */
bool kafka_parts_reached(KafkaParts *parts);

#endif
