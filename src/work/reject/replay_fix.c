/* Fixes refused rows, one by one: there are few, and each may fail in its own way. */
#include "work/reject/replay_fix.h"

#include "foundation/base/clock.h"

#define FIX_TEXT_MAX (INT64_C(1) << 31)

Status fix_init(Fix *fix, Str text, Err *err)
{
    *fix = (Fix){.out = buf_make(FIX_TEXT_MAX), .why = buf_make(1 << 16)};
    pathset_init(&fix->paths);
    reject_list_init(&fix->rejects);
    if (text.len == 0) return OK;
    TRY(pathset_schema(&fix->paths, false, &fix->in, err));
    if (select_compile(text, fix->in, &fix->paths, &fix->select, err) != OK) {
        return err_prefix(err, "--fix: ");
    }
    TRY(json_reader_open(&fix->paths, false, NULL, &fix->reader, err));
    return json_encoder_new(select_schema(fix->select), &fix->encoder, err);
}

void fix_done(Fix *fix)
{
    json_reader_free(fix->reader);
    json_encoder_free(fix->encoder);
    select_free(fix->select);
    schema_unref(fix->in);
    pathset_done(&fix->paths);
    reject_list_done(&fix->rejects);
    buf_done(&fix->out);
    buf_done(&fix->why);
}

static Status refuse(Fix *fix, Str reason, Str *ret_why, Err *err)
{
    buf_clear(&fix->why);
    TRY(buf_append(&fix->why, str_slice(reason, 0, 1000), err));
    *ret_why = buf_str(&fix->why);
    return OK;
}

Status fix_run(Fix *fix, Str object, Str *ret_fixed, Str *ret_why, Err *err)
{
    *ret_fixed = *ret_why = STR_NULL;
    if (!fix->select) {
        *ret_fixed = object;
        return OK;
    }
    bool taken = false;
    JsonRefusal refusal = {0};
    CLEANUP(batch_unref_p) Batch *in = NULL;
    CLEANUP(batch_unref_p) Batch *out = NULL;
    TRY(json_reader_add(fix->reader, object, &taken, &refusal, err));
    if (!taken) return refuse(fix, str_from(refusal.reason), ret_why, err);
    TRY(json_reader_finish(fix->reader, &in, err));
    ExprRun run = {.now_us = clock_now_us()};
    reject_list_clear(&fix->rejects);
    TRY(select_run(fix->select, &run, in, &fix->rejects, &out, err));
    if (fix->rejects.count) return refuse(fix, fix->rejects.items[0].reason, ret_why, err);
    buf_clear(&fix->out);
    TRY(json_encoder_row(fix->encoder, out, 0, &fix->out, err));
    *ret_fixed = buf_str(&fix->out);
    return OK;
}
