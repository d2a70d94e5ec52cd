/* What came of a COMMIT whose answer got lost. */
#ifndef NEURON_POSTGRES_LOADS_H
#define NEURON_POSTGRES_LOADS_H

#include "connect/postgres/postgres_table.h"
#include "connect/table/table_loads.h"

/* Did that cycle of the run commit? Waits for a transaction that is still at it; one of ours that
 * waits for a COMMIT that will never come is ended. */
MUST_USE Status postgres_loads_outcome(PostgresSink *self, Str run_id, int64_t cycle,
                                       Outcome *ret_outcome, SinkCounts *ret_counts, Err *err);
/* Did the transaction self->xid commit? Where there is no run record, or one that others share. */
MUST_USE Status postgres_xid_note(PostgresSink *self, Err *err);
MUST_USE Status postgres_xid_outcome(PostgresSink *self, Outcome *ret_outcome, Err *err);

#endif
