/* Where in the file a mistake is. */
#ifndef NEURON_MISTAKE_PLACE_H
#define NEURON_MISTAKE_PLACE_H

#include "service/setup/configuration.h"

/* An error as a mistake at the node. */
void mistake_from(Configuration *configuration, const YamlNode *node, const Err *err);
/* A mistake inside a text of the node: err->column counts from its first letter. */
void mistake_inside(Configuration *configuration, const YamlNode *node, const Err *err);
/* Where a scalar's text begins in the file. */
void text_place(const Configuration *configuration, const YamlNode *node, int64_t *ret_line,
                int64_t *ret_column);

#endif
