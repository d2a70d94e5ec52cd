/* The broker inside the process: librdkafka's mock cluster, one for all who ask. */
#include "connect/kafka/kafka_client.h"

#include <librdkafka/rdkafka_mock.h>

static rd_kafka_mock_cluster_t *cluster_new(Err *err)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (!conf) return NULL;
    (void)rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        (void)err_set(err, ERR_INTERNAL, "the embedded broker: %s", text);
        return NULL;
    }
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rk, 1);
    if (cluster) return cluster;
    rd_kafka_destroy(rk);
    (void)err_set(err, ERR_INTERNAL, "the embedded broker does not start");
    return NULL;
}

Status kafka_embedded_brokers(const char **ret_brokers, Err *err)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static rd_kafka_mock_cluster_t *cluster;
    pthread_mutex_lock(&mutex);
    if (!cluster) cluster = cluster_new(err);
    bool there = cluster != NULL;
    if (there) *ret_brokers = rd_kafka_mock_cluster_bootstraps(cluster);
    pthread_mutex_unlock(&mutex);
    return there ? OK : FAIL;
}
