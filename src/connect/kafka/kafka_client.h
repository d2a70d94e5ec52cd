/* One librdkafka client: its options, whether its brokers answer, its errors as ours. */
#ifndef NEURON_KAFKA_CLIENT_H
#define NEURON_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>

#include "connect/kafka/kafka_place.h"

enum { KAFKA_TROUBLE_MAX = 256 };

/* Embedded: kafka_client_init … kafka_client_done. Its address must not change meanwhile. */
typedef struct KafkaClient {
    const KafkaPlace *place;
    void *owner; /* for callbacks: ((KafkaClient *)rd_kafka_opaque(rk))->owner */
    rd_kafka_t *rk;
    const _Atomic bool *stop; /* of the request: brokers are waited for no longer; may be NULL */
    bool left_behind;         /* an rk of it lives on to the end of the process */
    bool wrong_user;          /* the broker refused name or password */
    int32_t wrong_tls;        /* handshakes that failed */
    pthread_mutex_t mutex;
    char trouble[KAFKA_TROUBLE_MAX]; /* what librdkafka last complained of; under mutex */
} KafkaClient;

void kafka_client_init(KafkaClient *client, const KafkaPlace *place, void *owner);
/* Frees the handle (after close and flush, which are the owner's), and waits some seconds at most:
 * librdkafka's threads may wait for an answer that never comes, or, by the wall clock, until an
 * hour that was set back comes again. */
void kafka_client_free_handle(KafkaClient *client);
/* The same, and the end of the client. False: a handle was left to the end of the process, and with
 * it what its callbacks may look at: the owner must not be freed. */
MUST_USE bool kafka_client_done(KafkaClient *client);

/* One option of our own. */
typedef struct KafkaOption {
    const char *name;
    const char *value;
} KafkaOption;

/* Options with ours, then those of the location under `rdkafka.`, which win. Ones that would break
 * a promise (offsets, transactions) are refused: ERR_CONFIG. */
MUST_USE Status kafka_client_conf(KafkaClient *client, const KafkaOption *options, int32_t count,
                                  rd_kafka_conf_t **ret_conf, Err *err);
/* Takes the options over, also on failure. */
MUST_USE Status kafka_client_start(KafkaClient *client, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                                   Err *err);
/* How many partitions the topic has. FAIL: ERR_CONNECT when no broker answers in time or there is
 * no such topic (yet), ERR_PERMISSION. */
MUST_USE Status kafka_client_reach(KafkaClient *client, const char *topic, int timeout_ms,
                                   int32_t *ret_partitions, Err *err);

/* FAIL: ERR_CONNECT when no broker answers in time. */
MUST_USE Status kafka_client_ping(KafkaClient *client, int timeout_ms, Err *err);

/* An error of librdkafka as ours: what was tried (may be NULL), what it says, what it last
 * complained of. */
Status kafka_client_error(KafkaClient *client, rd_kafka_resp_err_t code, const char *text,
                          const char *what, Err *err);
/* The same with librdkafka's text of the code, which may be NO_ERROR: OK. */
Status kafka_client_code(KafkaClient *client, rd_kafka_resp_err_t code, const char *what, Err *err);
/* The same for error objects, which are freed; NULL is OK. */
Status kafka_client_result(KafkaClient *client, rd_kafka_error_t *error, const char *what,
                           Err *err);

/* The broker inside the process, started when it is first asked for and there until the process
 * ends; its address. */
MUST_USE Status kafka_embedded_brokers(const char **ret_brokers, Err *err);

#endif
