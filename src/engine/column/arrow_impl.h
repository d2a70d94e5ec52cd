/* What the Arrow files share: how formats and extensions are named. */
#ifndef NEURON_ARROW_IMPL_H
#define NEURON_ARROW_IMPL_H

#include "engine/column/arrow.h"

enum { ARROW_NULLABLE = 2 };

/* The children of an exported DYNAMIC column, by type id; after them comes null. */
enum { ARROW_DYNAMIC_COUNT = 7, ARROW_DYNAMIC_NULL = ARROW_DYNAMIC_COUNT };
extern const TypeId ARROW_DYNAMIC_TYPES[ARROW_DYNAMIC_COUNT];

/* Our type for a schema node (through dictionaries); TYPE_COUNT when there is none. `ret_precision`
 * and `ret_scale` as in Field. */
TypeId arrow_type(const struct ArrowSchema *node, int32_t *ret_precision, int32_t *ret_scale);
/* decimal128(38, 0) and uint8 under the extension neuron.numeric. */
bool arrow_is_numeric_struct(const struct ArrowSchema *node);

#endif
