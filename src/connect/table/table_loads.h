/* What a database keeps beside the rows: neuron_loads (runs) and neuron_positions (a stream's
 * partitions), in one shape everywhere. All of these run statements by the sink's driver. */
#ifndef NEURON_TABLE_LOADS_H
#define NEURON_TABLE_LOADS_H

#include "connect/table/table_sink.h"
#include "foundation/base/datetime.h"

#define TABLE_LOADS "neuron_loads"

/* ---- neuron_loads (table_loads.c) ---- */

typedef enum TableLoadsSql {
    TABLE_LOADS_CREATE,
    TABLE_LOADS_FENCE,      /* of a run's first cycle */
    TABLE_LOADS_FENCE_NEXT, /* of later ones */
    TABLE_LOADS_RECORD,
    TABLE_LOADS_COUNT, /* the first row of a process that shares a stream */
} TableLoadsSql;
/* Append the exact statement. */
MUST_USE Status table_loads_put(const SqlDialect *dialect, TableLoadsSql which, Buf *sql, Err *err);

/* Make it when it is missing, or alter it where it is of an older version; with `parts`
 * neuron_positions too. */
MUST_USE Status table_loads_create(TableSink *sink, bool parts, Err *err);
/* Somebody else made the same table or column at the same time. */
bool table_lost_race(const Err *err);
MUST_USE Status table_loads_state(TableSink *sink, LoadState *ret_state, Err *err);
/* Take epoch + 1 in the open transaction, or fail with ERR_FENCED when somebody else has. Sets
 * `fenced`. */
MUST_USE Status table_loads_fence(TableSink *sink, Str run_id, Err *err);
/* Fill the row of the taken epoch. */
MUST_USE Status table_loads_record(TableSink *sink, const Position *position, const SinkRun *run,
                                   Err *err);
/* A shared stream's cycle: every process has a row of its own, whose counts grow. */
MUST_USE Status table_loads_count(TableSink *sink, const SinkRun *run, Err *err);
/* Did that cycle of the run commit, as far as can be read now? The table is there. */
MUST_USE Status table_loads_outcome(TableSink *sink, Str run_id, int64_t cycle,
                                    Outcome *ret_outcome, SinkCounts *ret_counts, Err *err);

/* ---- the target beside its watermark (table_target.c) ---- */

/* SinkReq.table as Position.target; nothing where it doesn't exist. */
MUST_USE Status table_target_note(TableSink *sink, Buf *json, Err *err);
/* Is it still what that JSON says? A table whose rows nobody may read is taken for the same. */
MUST_USE Status table_target_change(TableSink *sink, Str json, TargetChange *ret_change, Err *err);

/* ---- neuron_positions (table_parts.c), of SinkReq.topic ---- */

/* Where each part of the topic is takes the place of the run's position, where the stream has any
 * parts, of whatever topic. */
MUST_USE Status table_parts_state(TableSink *sink, LoadState *state, Err *err);
/* In an open transaction: raise the fence of each part. ret_from gets where it is. */
MUST_USE Status table_parts_take(TableSink *sink, const int32_t *parts, int32_t count,
                                 Position *ret_from, Err *err);
/* Move what the position moves, in the open cycle, unless that is done already; *ret_held false:
 * another process has some of it. */
MUST_USE Status table_parts_move(TableSink *sink, const Position *position, const SinkRun *run,
                                 bool *ret_held, Err *err);

/* ---- results ---- */

/* Text of a cell; NULL values: STR_NULL. */
static inline Str table_text(const TableResult *result, int32_t row, int32_t column)
{
    return result->cells[row * result->columns + column];
}
/* A cell as an integer; `null` where it is NULL. */
int64_t table_int64(const TableResult *result, int32_t row, int32_t column, int64_t null);
static inline void table_result_done(TableResult *result)
{
    arena_done(&result->arena);
}

#endif
