/* The Kafka connector: what it offers to the registry. */
#include "connect/connector.h"
#include "connect/connectors.h"
#include "connect/kafka/kafka_impl.h"
#include "connect/kafka/kafka_options.h"
#include "connect/kafka/kafka_place.h"

static const char *const SCHEMES[] = {"kafka", NULL};
static const char *const OPTIONS[] = {"group", "instance", "from",     "delivery",
                                      "id",    "tail",     "rdkafka.", NULL};

const Connector kafka_connector = {
    .title = "topics of Apache Kafka",
    .kind = LOCATION_TOPIC,
    .schemes = SCHEMES,
    .authority = true,
    .form = "kafka://",
    .alternative.word = "embedded",
    .alternative.url = "kafka://embedded",
    .fragment.options = OPTIONS,
    .fragment.client = "rdkafka.",
    .fragment.check = kafka_option_check,
    .parse = kafka_place_parse,
    .fit = kafka_place_fit,
    .reads = true,
    .writes = true,
    .open_rows = true,
    .messages = true,
    .source_new = kafka_source_new,
    .sink_new = kafka_sink_new,
};
