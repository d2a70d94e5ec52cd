/* Rows that a statement gave. */
#include "connect/table/table_loads.h"
#include "foundation/base/number.h"

int64_t table_int64(const TableResult *result, int32_t row, int32_t column, int64_t null)
{
    int64_t value = null;
    (void)number_parse_int64(table_text(result, row, column), &value);
    return value;
}
