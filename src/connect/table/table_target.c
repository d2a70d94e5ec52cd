/* What a table looked like when a watermark was written, and whether it is still that table. */
#include "connect/table/table_loads.h"
#include "foundation/base/number.h"
#include "foundation/codec/json_walk.h"
#include "foundation/codec/json_writer.h"

/* More rows than that are not counted: each run would pay for it. */
enum { ROWS_COUNTED = 100000 };

typedef struct Target {
    bool exists;
    char id[32];   /* another one: it was dropped and created again */
    char file[32]; /* another one: it may have been truncated; empty: the database doesn't say */
    int64_t rows;  /* -1: not counted */
} Target;

static Status count_rows(TableSink *t, Str name, int64_t *ret_rows, Err *err)
{
    CLEANUP(table_result_done) TableResult result = {0};
    CLEANUP(buf_done) Buf sql = buf_make(1 << 16);
    TRY(buf_printf(&sql, err, "SELECT count(*) FROM (SELECT 1 FROM %.*s LIMIT %d) AS n",
                   STR_ARG(name), ROWS_COUNTED + 1));
    TRY(buf_terminate(&sql, err));
    TRY(t->driver->query(t, sql.data, NULL, 0, &result, err));
    *ret_rows = table_int64(&result, 0, 0, -1);
    if (*ret_rows > ROWS_COUNTED) *ret_rows = -1;
    return OK;
}

static Status look(TableSink *t, Target *ret_target, Err *err)
{
    CLEANUP(table_result_done) TableResult result = {0};
    CLEANUP(buf_done) Buf name = buf_make(1 << 16);
    *ret_target = (Target){.rows = -1};
    TRY(sql_put_table(t->driver->dialect, t->sink.req->table, &name, err));
    Str params[] = {buf_str(&name)};
    TRY(t->driver->query(t, t->driver->dialect->identity, params, 1, &result, err));
    if (result.rows == 0) return OK;
    ret_target->exists = true;
    str_to_array(ret_target->id, sizeof ret_target->id, table_text(&result, 0, 0));
    str_to_array(ret_target->file, sizeof ret_target->file, table_text(&result, 0, 1));
    bool readable = table_int64(&result, 0, 2, 0) != 0;
    return readable ? count_rows(t, buf_str(&name), &ret_target->rows, err) : OK;
}

Status table_target_note(TableSink *t, Buf *json, Err *err)
{
    Target target;
    TRY(look(t, &target, err));
    if (!target.exists) return OK;
    JsonWriter w = json_writer_make(json, err);
    json_object_begin(&w);
    json_key_text(&w, "id", str_from(target.id));
    json_key_text_or_null(&w, "file", str_from(target.file));
    json_key_int64(&w, "rows", target.rows);
    json_object_end(&w);
    return json_writer_end(&w);
}

static bool differs(const JsonSlot *before, const char *now)
{
    return before->kind == JSON_STRING && !str_eq(before->text, str_from(now));
}

Status table_target_change(TableSink *t, Str json, TargetChange *ret_change, Err *err)
{
    Target now;
    JsonSlot root;
    int64_t rows = -1;
    *ret_change = TARGET_SAME;
    if (!json.len || !t->sink.req->table.len || !json_scan(json, &root, NULL)) return OK;
    JsonSlot id = json_get_key(&root, STR("id"));
    JsonSlot file = json_get_key(&root, STR("file"));
    JsonSlot count = json_get_key(&root, STR("rows"));
    if (number_parse_int64(count.text, &rows) != NUMBER_OK) rows = -1;
    TRY(look(t, &now, err));
    /* -1: more than are counted, or none that may be seen. */
    bool fewer = now.rows >= 0 && rows >= 0 && now.rows < rows;
    if (!now.exists) *ret_change = TARGET_GONE;
    else if (now.rows == 0 && rows != 0) *ret_change = TARGET_EMPTIED;
    else if (differs(&id, now.id)) *ret_change = TARGET_OTHER;
    else if (differs(&file, now.file) && fewer) *ret_change = TARGET_OTHER;
    return OK;
}
