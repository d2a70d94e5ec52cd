/* neuron eval: a select list over JSON lines, the playground for expressions. */
#include <stdio.h>
#include <unistd.h>

#include "cli/command.h"
#include "engine/expr/expr.h"
#include "engine/format/json_read.h"
#include "engine/format/json_write.h"
#include "foundation/base/clock.h"
#include "foundation/base/file.h"
#include "foundation/codec/json_writer.h"

enum { EVAL_READ = 1 << 18, EVAL_BATCH_ROWS = 8192, EVAL_LINE_MAX = 256 << 20 };

typedef struct EvalRun {
    Program *program;
    Select *select;
    Expr *where;
    JsonReader *reader;
    JsonEncoder *encoder;
    Schema *in;
    ExprRun run;
    RejectList rejects;
    Buf out, errors, pending;
    int64_t line;
    bool failed;
} EvalRun;

/* {"row": …, "error": …, "at": …} */
static Status put_error(EvalRun *e, Str row, Str error, int64_t at, Err *err)
{
    Buf *out = &e->errors;
    e->failed = true;
    TRY(buf_append(out, STR("{\"row\": "), err));
    TRY(buf_append(out, row, err));
    TRY(buf_append(out, STR(", \"error\": "), err));
    TRY(json_put_text_lossy(out, error, err));
    return buf_printf(out, err, ", \"at\": %lld}\n", (long long)at);
}

static Status put_rejects(EvalRun *e, const Batch *batch, Err *err)
{
    CLEANUP(buf_done) Buf row = buf_make(EVAL_LINE_MAX * INT64_C(2));
    for (int64_t i = 0; i < e->rejects.count; i++) {
        const Reject *reject = &e->rejects.items[i];
        buf_clear(&row);
        TRY(buf_append(&row, column_text(&batch->columns[0], reject->row), err));
        TRY(put_error(e, buf_str(&row), reject->reason, reject->position + 1, err));
    }
    reject_list_clear(&e->rejects);
    return OK;
}

static Status flush(EvalRun *e, Err *err)
{
    TRY(output_write(e->program, buf_str(&e->out), err));
    TRY(file_write(STDERR_FILENO, buf_str(&e->errors), err));
    buf_clear(&e->out);
    buf_clear(&e->errors);
    return OK;
}

/* The rows that pass the condition, or all. */
static Status eval_where(EvalRun *e, Batch *batch, Batch **ret_rows, Err *err)
{
    if (!e->where) {
        *ret_rows = batch_ref(batch);
        return OK;
    }
    uint64_t keep[EVAL_BATCH_ROWS / 64 + 1] = {0};
    TRY(expr_filter(e->where, &e->run, batch, keep, &e->rejects, err));
    TRY(put_rejects(e, batch, err));
    return batch_filter(batch, (const uint8_t *)keep, ret_rows, err);
}

static Status eval_batch(EvalRun *e, Err *err)
{
    if (json_reader_rows(e->reader) == 0) return flush(e, err);
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    CLEANUP(batch_unref_p) Batch *rows = NULL;
    CLEANUP(batch_unref_p) Batch *out = NULL;
    TRY(json_reader_finish(e->reader, &batch, err));
    e->run.now_us = clock_now_us();
    TRY(eval_where(e, batch, &rows, err));
    TRY(select_run(e->select, &e->run, rows, &e->rejects, &out, err));
    TRY(put_rejects(e, rows, err));
    TRY(json_encoder_rows(e->encoder, out, 0, out->rows, &e->out, err));
    return flush(e, err);
}

static Status refuse_line(EvalRun *e, Str line, const JsonRefusal *refusal, Err *err)
{
    CLEANUP(buf_done) Buf row = buf_make(EVAL_LINE_MAX * INT64_C(6));
    CLEANUP(buf_done) Buf reason = buf_make(4096);
    TRY(json_put_text_lossy(&row, line, err));
    TRY(buf_printf(&reason, err, "line %lld: %s", (long long)e->line, refusal->reason));
    /* Errors come in the order of the rows. */
    TRY(eval_batch(e, err));
    return put_error(e, buf_str(&row), buf_str(&reason), refusal->offset + 1, err);
}

static Status eval_line(EvalRun *e, Str line, Err *err)
{
    e->line++;
    if (e->line == 1 && str_starts(line, STR("\xef\xbb\xbf"))) line = str_slice(line, 3, line.len);
    line = str_trim(line);
    if (line.len == 0) return OK;
    bool taken = false;
    JsonRefusal refusal = {0};
    TRY(json_reader_add(e->reader, line, &taken, &refusal, err));
    if (!taken) TRY(refuse_line(e, line, &refusal, err));
    return json_reader_rows(e->reader) >= EVAL_BATCH_ROWS ? eval_batch(e, err) : OK;
}

/* Whole lines of what was read; the rest waits for more. */
static Status eval_lines(EvalRun *e, bool end, Err *err)
{
    Str rest = buf_str(&e->pending);
    int64_t at;
    while ((at = str_find_char(rest, '\n')) >= 0) {
        TRY(eval_line(e, str_slice(rest, 0, at), err));
        rest = str_slice(rest, at + 1, rest.len);
    }
    if (end && rest.len) {
        TRY(eval_line(e, rest, err));
        rest.len = 0;
    }
    buf_consume(&e->pending, e->pending.len - rest.len);
    return eval_batch(e, err);
}

static Status eval_input(EvalRun *e, Err *err)
{
    int64_t got = 0;
    do {
        if (atomic_load(&e->program->cancelled)) return err_set(err, ERR_CANCELLED, "cancelled");
        TRY(buf_reserve(&e->pending, EVAL_READ, err));
        TRY(file_read(STDIN_FILENO, e->pending.data + e->pending.len, EVAL_READ, &got, err));
        e->pending.len += got;
        TRY(eval_lines(e, got == 0, err));
    } while (got > 0);
    return OK;
}

static Status eval_compile(EvalRun *e, const Args *args, PathSet *paths, Err *err)
{
    CLEANUP(schema_unref_p) Schema *open = NULL;
    TRY(pathset_schema(paths, false, &open, err));
    /* The schema must outlive what is compiled against it. */
    e->in = schema_ref(open);
    TRY(select_compile(args->positional[0], open, paths, &e->select, err));
    Str where = args_get(args, "where", STR_NULL);
    if (where.len) TRY(expr_compile(where, open, paths, TYPE_BOOL, &e->where, err));
    TRY(json_reader_open(paths, false, NULL, &e->reader, err));
    return json_encoder_new(select_schema(e->select), &e->encoder, err);
}

static Status eval_explain(const EvalRun *e, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(1 << 24);
    TRY(select_explain(e->select, &out, err));
    return output_write(e->program, buf_str(&out), err);
}

static Status eval_functions(const Program *program, const Args *args, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(1 << 24);
    Str format = args_get(args, "format", args_has(args, "json") ? STR("json") : STR("text"));
    FunctionFormat as = str_eq(format, STR("markdown")) ? FUNCTION_MARKDOWN
                        : str_eq(format, STR("json"))   ? FUNCTION_JSON
                                                        : FUNCTION_TEXT;
    TRY(function_list(as, &out, err));
    if (as == FUNCTION_JSON) TRY(buf_append_char(&out, '\n', err));
    return output_write(program, buf_str(&out), err);
}

static void eval_done(EvalRun *e)
{
    json_reader_free(e->reader);
    json_encoder_free(e->encoder);
    select_free(e->select);
    expr_free(e->where);
    schema_unref(e->in);
    reject_list_done(&e->rejects);
    buf_done(&e->out);
    buf_done(&e->errors);
    buf_done(&e->pending);
}

static Status eval_run(Program *program, const Args *args, int *ret_exit, Err *err)
{
    if (args_has(args, "functions")) return eval_functions(program, args, err);
    if (args->positional_count == 0) {
        (void)err_set(err, ERR_USAGE, "eval needs a select list");
        return err_hint(err, "usage: neuron eval SELECT");
    }
    EvalRun e = {.program = program,
                 .out = buf_make(INT64_C(1) << 32),
                 .errors = buf_make(INT64_C(1) << 32),
                 .pending = buf_make(EVAL_LINE_MAX + EVAL_READ)};
    reject_list_init(&e.rejects);
    PathSet paths;
    pathset_init(&paths);
    Status status = eval_compile(&e, args, &paths, err);
    if (status == OK && args_has(args, "explain")) status = eval_explain(&e, err);
    else if (status == OK) status = eval_input(&e, err);
    *ret_exit = e.failed;
    eval_done(&e);
    pathset_done(&paths);
    return status;
}

static const ArgOption OPTIONS[] = {
    {"where", 0, "EXPR", "only rows for which this is true", false},
    {"explain", 0, NULL, "show types, paths that are read, and what can fail", false},
    {"functions", 0, NULL, "list all functions", false},
    {"format", 0, "text|json|markdown", "form of the list of functions", false},
};

const Command COMMAND_EVAL = {
    .name = "eval",
    .usage = "SELECT < rows.ndjson",
    .summary = "Applies a select list to JSON lines on standard input.",
    .example = "echo '{\"a\": 2}' | neuron eval 'a, a * 1.5 AS b'",
    .options = OPTIONS,
    .option_count = COUNT_OF(OPTIONS),
    .positional_min = 0,
    .positional_max = 1,
    .passive = true,
    .run = eval_run,
};
