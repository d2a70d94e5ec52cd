/* While checking: what can be computed without rows. */
#ifndef NEURON_CONSTANT_H
#define NEURON_CONSTANT_H

#include "engine/expr/check.h"

/* Turn a constant node into a literal. `must`: an error is a mistake in the text;
 * else the node stays as it is and fails when it is run. */
MUST_USE Status eval_constant(Checker *checker, ExprNode *node, bool must, Err *err);
/* Make the call site's state. */
MUST_USE Status eval_prepare(Checker *checker, ExprNode *node, Err *err);

#endif
