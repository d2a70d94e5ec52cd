/* The Kafka connector: what it offers to the registry. */
#include "connect/kafka/kafka_connector.h"

#include "connect/kafka/kafka_impl.h"

static const char *const OPTIONS[] = {"group", "instance", "from",     "delivery",
                                      "id",    "tail",     "rdkafka.", NULL};

const Connector kafka_connector = {
    .scheme = "kafka",
    .title = "topics of Apache Kafka",
    .options = OPTIONS,
    .reads = true,
    .writes = true,
    .open_rows = true,
    .source_new = kafka_source_new,
    .sink_new = kafka_sink_new,
};
