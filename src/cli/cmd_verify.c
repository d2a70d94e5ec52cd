/* neuron verify: source and target of a pipeline compared, down to the differing keys. */
#include "work/pipeline/verify.h"

#include "cli/command.h"
#include "foundation/codec/json_writer.h"
#include "service/setup/configuration.h"

/* Why the servers didn't compute the fingerprints. */
static Str why_client(const VerifyResult *r)
{
    return r->by_range.server ? STR_NULL : str_from(r->by_range.reason);
}

static Status write_json(const PipelineConfig *p, const VerifyResult *r, bool repaired, Buf *out,
                         Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "pipeline");
    json_write_text(&w, p->name);
    json_key(&w, "status");
    json_write_text(&w, verify_is_equal(r) ? STR("equal") : STR("different"));
    const struct {
        const char *name;
        int64_t value;
    } COUNTS[] = {{"source_rows", r->source_rows},
                  {"target_rows", r->target_rows},
                  {"missing", r->missing},
                  {"different", r->different},
                  {"extra", r->extra},
                  {"superseded", r->superseded},
                  {"ranges", r->ranges},
                  {"ranges_differing", r->ranges_differing},
                  {"rows_read", r->rows_read}};
    for (int32_t i = 0; i < COUNT_OF(COUNTS); i++) {
        json_key(&w, COUNTS[i].name);
        json_write_int64(&w, COUNTS[i].value);
    }
    json_key(&w, "fingerprints");
    json_write_text(&w, r->by_range.server ? STR("server") : STR("client"));
    json_key(&w, "fingerprints_why");
    json_write_text_or_null(&w, why_client(r));
    json_key(&w, "keys");
    json_array_begin(&w);
    if (r->keys.len) json_write_raw(&w, buf_str(&r->keys));
    json_array_end(&w);
    json_key(&w, "repaired");
    json_write_bool(&w, repaired);
    json_object_end(&w);
    TRY(json_writer_end(&w));
    return buf_append_char(out, '\n', err);
}

static Status write_text(const PipelineConfig *p, const VerifyResult *r, Buf *out, Err *err)
{
    TRY(buf_printf(out, err,
                   "%s %.*s: %lld rows in the source, %lld in the target; %lld missing, %lld "
                   "different, %lld extra\n",
                   verify_is_equal(r) ? "EQUAL" : "DIFFERENT", STR_ARG(p->name),
                   (long long)r->source_rows, (long long)r->target_rows, (long long)r->missing,
                   (long long)r->different, (long long)r->extra));
    if (r->by_range.server) {
        TRY(buf_printf(out, err, "fingerprints by the servers, %lld ranges; %lld rows read\n",
                       (long long)r->ranges, (long long)r->rows_read));
    } else {
        TRY(buf_printf(out, err, "fingerprints here, %lld rows read: %s\n", (long long)r->rows_read,
                       r->by_range.reason));
    }
    if (r->keys.len == 0) return OK;
    TRY(buf_append(out, buf_str(&r->keys), err));
    return buf_append_char(out, '\n', err);
}

static Status show(const Program *program, const PipelineConfig *p, const VerifyResult *r,
                   bool repaired, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(4 << 20);
    if (program->json) TRY(write_json(p, r, repaired, &out, err));
    else TRY(write_text(p, r, &out, err));
    return output_write(program, buf_str(&out), err);
}

/* An upsert takes only the ranges that differ, where those are known; all else everything again.
 * Rows that are equal are not written. */
static Status repair(const PipelineConfig *p, const PipelineEnv *env, const VerifyResult *found,
                     Err *err)
{
    RunOptions options = {.full_refresh = true};
    if (found->by_range.server && p->mode == SINK_UPSERT) options.within = &found->by_range.source;
    RunResult result;
    run_result_init(&result);
    Status status = pipeline_run(p, &options, env, &result, err);
    run_result_done(&result);
    return status;
}

static Status check_repair(const PipelineConfig *p, Err *err)
{
    if (p->mode != SINK_APPEND) return OK;
    (void)err_set(err, ERR_USAGE, "--repair can't fix an append: loading again adds rows again");
    return err_hint(err, "give the pipeline a key and `mode: upsert`");
}

static Status verify_pipeline(Program *program, const Args *args, const PipelineConfig *p,
                              const PipelineEnv *env, int *ret_exit, Err *err)
{
    bool fix = args_has(args, "repair"), repaired = false;
    if (fix) TRY(check_repair(p, err));
    VerifyResult result;
    verify_result_init(&result);
    Status status = pipeline_verify(p, env, &result, err);
    if (status == OK && fix && !verify_is_equal(&result)) {
        repaired = true;
        status = repair(p, env, &result, err);
        verify_result_done(&result);
        verify_result_init(&result);
        if (status == OK) status = pipeline_verify(p, env, &result, err);
    }
    if (status == OK) status = show(program, p, &result, repaired, err);
    if (status == OK && !verify_is_equal(&result)) *ret_exit = 1;
    verify_result_done(&result);
    return status;
}

static Status verify_configured(Program *program, const Args *args, Configuration *c, int *ret_exit,
                                Err *err)
{
    TRY(configuration_check(c, err));
    const PipelineConfig *pipeline = NULL;
    TRY(configuration_pipeline(c, args->positional[0], &pipeline, err));
    Budget budget;
    budget_init(&budget, "memory", NULL, c->options.memory_bytes);
    PipelineEnv env = {.budget = &budget, .cancelled = &program->cancelled};
    return verify_pipeline(program, args, pipeline, &env, ret_exit, err);
}

static Status verify_run(Program *program, const Args *args, int *ret_exit, Err *err)
{
    Configuration c;
    Status status = configuration_open(program, args, &c, err);
    if (status == OK) status = verify_configured(program, args, &c, ret_exit, err);
    configuration_done(&c);
    return status;
}

static const ArgOption OPTIONS[] = {
    {"repair", 0, NULL, "load what differs again (equal rows are not written), and compare again",
     false},
};

const Command COMMAND_VERIFY = {
    .name = "verify",
    .usage = "PIPELINE [options]",
    .summary = "Compares a pipeline's source and target, down to the differing keys.",
    .example = "neuron verify sales_data_etl --repair",
    .options = OPTIONS,
    .option_count = COUNT_OF(OPTIONS),
    .positional_min = 1,
    .positional_max = 1,
    .run = verify_run,
};
