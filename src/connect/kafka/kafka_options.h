/* Options of librdkafka that a user sets: which may be set, and whether librdkafka takes them. */
#ifndef NEURON_KAFKA_OPTIONS_H
#define NEURON_KAFKA_OPTIONS_H

#include "foundation/base/err.h"

/* An option on which a promise rests: what to write instead, in a location's words (`in_url`) or a
 * configuration's. NULL: it may be set. */
const char *kafka_option_reserved(Str name, bool in_url);
/* For Connector.option_check. */
MUST_USE Status kafka_option_check(Str name, Str value, Err *err);

#endif
