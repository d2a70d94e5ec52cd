/* Batches put aside on disk: an unlinked file with checksums, read back in the order written. */
#ifndef NEURON_SPOOL_H
#define NEURON_SPOOL_H

#include "engine/column/batch.h"

typedef struct Spool Spool;

/* `folder` empty: $TMPDIR or /tmp. The file has no name; it goes with the process. */
MUST_USE Status spool_new(Str folder, Spool **ret_spool, Err *err);
void spool_free(Spool *spool);
DEFINE_FREE_P(Spool, spool_free)

/* Append a batch (all batches of a spool have the same schema, which stays in memory). ERR_SPACE
 * when the disk is full, with the folder in `where`. After a failure the spool stays failed.
 * Memory: two blocks of 256 KiB, however large the batch. */
MUST_USE Status spool_write(Spool *spool, const Batch *batch, Err *err);
/* Go back to the first batch. */
MUST_USE Status spool_rewind(Spool *spool, Err *err);
/* The next batch, *ret_batch NULL at the end (batches written later are read then). A wrong
 * checksum is ERR_IO with the offset. After a failure (the budget's, say) the same batch is read
 * again. */
MUST_USE Status spool_read(Spool *spool, Budget *budget, Batch **ret_batch, Err *err);
/* On disk or about to be. */
int64_t spool_bytes(const Spool *spool);
int64_t spool_rows(const Spool *spool);

#endif
