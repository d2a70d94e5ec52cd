/* Parameters of a query. */
#ifndef NEURON_SOURCE_PARAMS_H
#define NEURON_SOURCE_PARAMS_H

#include "service/setup/configuration.h"

/* The map under `params:`; may be NULL. */
MUST_USE Status params_make(Configuration *configuration, const YamlNode *node,
                            const SourceParam **ret_params, int32_t *ret_count, Err *err);
/* The query must use each of them. */
void params_check(Configuration *configuration, const YamlNode *node, Str query);

#endif
