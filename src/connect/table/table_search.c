/* What the search for refused rows has found: rows, or what is wrong with the run. */
#include "connect/table/table_sink.h"

/* So many rows that are refused for a reason of no row's are enough to know. */
enum { UNSURE_ROWS = 100 };

static Status every_row(const TableSearch *search, Err *err)
{
    if (err) *err = search->first;
    return err_prefix(err, "every row is refused: ");
}

Status table_search_refused(TableSearch *search, WriteError what, const Err *cause, Err *err)
{
    bool unsure = what == WRITE_ERROR_UNSURE;
    if (unsure && search->unsure == 0) search->first = *cause;
    search->other |= !unsure || strcmp(cause->sqlstate, search->first.sqlstate) != 0;
    search->unsure += unsure;
    bool all = search->unsure >= UNSURE_ROWS && !search->other && !search->taken;
    return all && !search->stream ? every_row(search, err) : OK;
}

Status table_search_end(const TableSearch *search, Err *err)
{
    bool all = search->unsure > 0 && !search->other && !search->taken;
    return all && !search->stream ? every_row(search, err) : OK;
}
