/* A value as the text that rules look at. */
#include "engine/format/json_write.h"
#include "work/quality/quality_check_impl.h"

Status value_text(const Column *column, int64_t row, Buf *to, Str *ret_text, Err *err)
{
    int64_t at = row;
    const Column *from = column;
    if (column->type == TYPE_DYNAMIC) from = column_dynamic(column, row, &at);
    if (from->type == TYPE_TEXT || from->type == TYPE_JSON) {
        *ret_text = column_text(from, at);
        return OK;
    }
    buf_clear(to);
    TRY(json_write_plain(from, at, to, err));
    *ret_text = buf_str(to);
    return OK;
}
