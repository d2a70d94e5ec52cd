/* Which errors are those of one row. */
#include "connect/sqlite/sqlite_sink.h"

bool sqlite_sink_may_refuse(const SqliteSink *self, Err *err)
{
    if (err->kind != ERR_CONSTRAINT && err->kind != ERR_DATA) return false;
    if (!sqlite3_get_autocommit(self->db)) return true;
    (void)err_prefix(err, "one row undid the whole transaction: ");
    (void)err_hint(err,
                   "fix the row, or let the table's ON CONFLICT ROLLBACK or RAISE(ROLLBACK) be "
                   "ABORT, so that it can be rejected alone");
    return false;
}
