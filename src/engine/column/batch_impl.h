/* What the files of this room share about batches. */
#ifndef NEURON_BATCH_IMPL_H
#define NEURON_BATCH_IMPL_H

#include "engine/column/batch.h"

/* Span, seq, epoch and origin (not the ordinals) of `like` for a batch derived from it. */
MUST_USE Status batch_inherit(const Batch *like, Batch *batch, Err *err);

#endif
