/* One cell into binary COPY: NULL, a value of the same type, or one that is converted. */
#include "connect/postgres/postgres_encode.h"

Status postgres_encode(PostgresEncoder *e, const PostgresColumn *to, const Column *column,
                       int64_t row, Err *err)
{
    if (column_is_null(column, row)) {
        if (UNLIKELY(to->no_null)) {
            e->reason = "the column takes no NULL";
            e->sqlstate = "23502";
            return OK;
        }
        return postgres_put_null(e->out, err);
    }
    if (LIKELY(to->route == POSTGRES_ROUTE_SAME))
        return postgres_encode_same(e, to, column, row, err);
    return postgres_encode_checked(e, to, column, row, err);
}
