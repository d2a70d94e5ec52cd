/* The `tests:` of a configuration: steps of pipelines, processors of streams. */
#ifndef NEURON_CONFIGURATION_TEST_H
#define NEURON_CONFIGURATION_TEST_H

#include "service/setup/configuration.h"

/* Runs the rows of `input` through the pipeline's steps, or as messages through the processor
 * (`stream/type`; `stream`: that of each message's type); each row that comes out must have the
 * members of the expected one at its place (members that are not named are free), and as many rows
 * and rejects must come. Says what differs in `report`. */
MUST_USE Status configuration_test(const Configuration *configuration, const TestOptions *test,
                                   bool *ret_passed, Buf *report, Err *err);

#endif
