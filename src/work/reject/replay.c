/* Replaying: refused rows read, fixed, given back, marked. */
#include "work/reject/replay.h"

#include <stdio.h>

#include "engine/format/message.h"
#include "work/reject/replay_fix.h"
#include "work/reject/replay_rows.h"

enum { SEND_ROWS = 5000 };

typedef struct Replaying {
    const Replay *replay;
    ReplayResult *result;
    Fix fix;
    MessageWriter messages; /* of a stream */
    Buf places;             /* theirs in a table, with commas between */
    ReplayRows rows;        /* of a pipeline */
} Replaying;

/* ---- streams ---- */

static Status send_messages(Replaying *r, Err *err)
{
    const RefusedEnv *env = r->replay->env;
    StreamEnv stream_env = {.budget = env->budget, .stop = env->stop};
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    if (r->messages.rows == 0) return OK;
    TRY(message_writer_take(&r->messages, &batch, err));
    TRY(stream_send_batch(r->replay->place->stream, &stream_env, batch, err));
    if (r->places.len) {
        TRY(buf_append_char(&r->places, ']', err));
        TRY(replay_forget(r->replay, STR_NULL, buf_str(&r->places), err));
        buf_clear(&r->places);
    }
    return r->replay->keep ? r->replay->keep(r->replay->keep_arg, err) : OK;
}

static Status add_message(Replaying *r, const Refused *refused, Str fixed, Err *err)
{
    if (refused->place.len) {
        TRY(buf_append_char(&r->places, r->places.len ? ',' : '[', err));
        TRY(buf_append(&r->places, refused->place, err));
    }
    Message message = {.key = refused->message.key,
                       .value = fixed,
                       .headers = refused->message.headers,
                       .has_timestamp = refused->message.has_timestamp,
                       .timestamp_us = refused->message.timestamp_us};
    return message_writer_add(&r->messages, &message, err);
}

/* ---- each row ---- */

static Status give_back(Replaying *r, const Refused *refused, Str fixed, Err *err)
{
    r->result->replayed++;
    if (r->replay->dry_run) return OK;
    return r->replay->place->stream ? add_message(r, refused, fixed, err)
                                    : replay_rows_add(&r->rows, refused, fixed, err);
}

/* Half a message is never given back. */
static Str cut_text(const Refused *refused, char *text, size_t size)
{
    int len =
        snprintf(text, size,
                 "only its beginning is kept, so it is not replayed; the message itself is in "
                 "topic %.*s, partition %lld, offset %lld, as long as the topic keeps it",
                 STR_ARG(refused->message.topic), (long long)refused->message.part,
                 (long long)refused->message.offset);
    return str_slice(str_from(text), 0, len);
}

static Status visit(void *arg, const Refused *refused, Err *err)
{
    Replaying *r = arg;
    const Replay *replay = r->replay;
    Cause *cause = NULL;
    if (replay->cause.len && !str_eq(replay->cause, str_from(refused->cause))) return OK;
    TRY(causes_find(replay->causes, refused, &cause, err));
    if (!cause) return err_set(err, ERR_LIMIT, "more than %d causes; choose a --cause", CAUSES_MAX);
    if (!replay->all && cause_is_replayed(cause, refused)) {
        r->result->before++;
        return OK;
    }
    char place[512];
    Str fixed = STR_NULL, why = STR("it is not a JSON object");
    if (refused->cut) why = cut_text(refused, place, sizeof place);
    if (refused->object) TRY(fix_run(&r->fix, refused->original, &fixed, &why, err));
    if (replay->show) TRY(replay->show(replay->show_arg, refused, fixed, why, err));
    if (fixed.ptr) TRY(give_back(r, refused, fixed, err));
    else r->result->skipped++;
    if (refused->cut) r->result->cut++;
    bool mark = replay->place->ordered && !replay->dry_run;
    if (mark) TRY(cause_mark(replay->causes, cause, refused, !fixed.ptr, err));
    return r->messages.rows >= SEND_ROWS ? send_messages(r, err) : OK;
}

static Status replay_all(Replaying *r, Err *err)
{
    const Replay *replay = r->replay;
    TRY(fix_init(&r->fix, replay->fix, err));
    TRY(message_writer_init(&r->messages, NULL, err));
    if (replay->place->pipeline) TRY(replay_rows_finish(replay, err));
    TRY(refused_read(replay->place, replay->env, visit, r, err));
    return replay->place->stream ? send_messages(r, err) : replay_rows_run(&r->rows, err);
}

Status replay_run(const Replay *replay, ReplayResult *ret_result, Err *err)
{
    *ret_result = (ReplayResult){0};
    const StreamConfig *stream = replay->place->stream;
    if (stream && !stream->from_messages && !replay->dry_run) {
        (void)err_set(err, ERR_USAGE, "%.*s reads no topic, so nothing can be replayed into it",
                      STR_ARG(stream->name));
        return err_hint(err, "--dry-run shows the fixed messages: append them to its file");
    }
    Replaying r = {.replay = replay,
                   .result = ret_result,
                   .places = buf_make(1 << 30),
                   .rows = {.replay = replay, .result = ret_result}};
    Status status = replay_all(&r, err);
    ret_result->replayed -= ret_result->rejected;
    replay_rows_done(&r.rows);
    buf_done(&r.places);
    message_writer_done(&r.messages);
    fix_done(&r.fix);
    return status;
}
