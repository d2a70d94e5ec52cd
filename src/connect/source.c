/* Sources: dispatch to the connector, with the defaults for what it does not offer. */
#include "connect/source.h"

#include "foundation/base/datetime.h"

enum { SOURCE_INFO_BYTES_MAX = 16 << 20, SOURCE_WARNINGS_MAX = 1000 };

void source_info_done(SourceInfo *info)
{
    schema_unref(info->schema);
    arena_done(&info->arena);
    *info = (SourceInfo){0};
}

/* One text more, where it isn't there yet. */
PRINTF_LIKE(5, 0)
static Status text_add(Arena *arena, Str **texts, int32_t *count, Err *err, const char *format,
                       va_list args)
{
    Err text = {0};
    (void)err_set_v(&text, ERR_INTERNAL, format, args);
    Str added = str_from(text.message);
    for (int32_t i = 0; i < *count; i++) {
        if (str_eq((*texts)[i], added)) return OK;
    }
    if (*count >= SOURCE_WARNINGS_MAX) return OK;
    Str *more = ARENA_ARRAY(arena, Str, *count + 1);
    if (!more) return err_memory(err);
    if (*count > 0) memcpy(more, *texts, (size_t)*count * sizeof *more);
    TRY(arena_copy(arena, added, &more[*count], err));
    *texts = more;
    ++*count;
    return OK;
}

Status source_info_warn(SourceInfo *info, Err *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    Status status =
        text_add(&info->arena, &info->warnings, &info->warning_count, err, format, args);
    va_end(args);
    return status;
}

Status source_note(Source *source, Err *err, const char *format, ...)
{
    SourceNotes *notes = &source->notes;
    if (!notes->arena.max) notes->arena = arena_make(SOURCE_INFO_BYTES_MAX);
    va_list args;
    va_start(args, format);
    Status status = text_add(&notes->arena, &notes->texts, &notes->count, err, format, args);
    va_end(args);
    return status;
}

Status source_params_at(const SourceParam *given, int32_t count, int64_t now_us, Arena *arena,
                        const SourceParam **ret_params, Err *err)
{
    SourceParam *params = ARENA_ARRAY(arena, SourceParam, count + 1);
    if (!params) return err_memory(err);
    for (int32_t i = 0; i < count; i++) {
        params[i] = given[i];
        if (params[i].ago_us <= 0) continue;
        int64_t us = now_us - params[i].ago_us;
        char text[DATETIME_TEXT_MAX];
        Str time = str_make(text, datetime_format_timestamp(us - us % 1000000, ' ', false, text));
        TRY(arena_copy(arena, time, &params[i].text, err));
    }
    *ret_params = params;
    return OK;
}

Status source_describe(Source *source, SourceInfo *ret_info, Err *err)
{
    SourceInfo info = {.rows_estimate = -1, .bytes_estimate = -1};
    info.arena = arena_make(SOURCE_INFO_BYTES_MAX);
    if (source->ops->describe(source, &info, err) != OK) {
        source_info_done(&info);
        return FAIL;
    }
    *ret_info = info;
    return OK;
}

Status source_open(Source *source, const Position *from, Budget *budget, Err *err)
{
    return source->ops->open(source, from, budget, err);
}

int32_t source_parts(const Source *source)
{
    return source->ops->parts ? source->ops->parts(source) : 1;
}

Status source_next(Source *source, int32_t part, int64_t deadline_ns, SourceEvent *ret_event,
                   Err *err)
{
    return source->ops->next(source, part, deadline_ns, ret_event, err);
}

Status source_poll(Source *source, SourceEvent *ret_event, Err *err)
{
    if (source->ops->poll) return source->ops->poll(source, ret_event, err);
    *ret_event = (SourceEvent){.kind = SOURCE_IDLE};
    return OK;
}

Status source_revoked(Source *source, int64_t epoch, Err *err)
{
    return source->ops->revoked ? source->ops->revoked(source, epoch, err) : OK;
}

Status source_begin(Source *source, int64_t epoch, const Position *from, Err *err)
{
    return source->ops->begin ? source->ops->begin(source, epoch, from, err) : OK;
}

Status source_fenced(Source *source, const int32_t *parts, int32_t count, Err *err)
{
    return source->ops->fenced ? source->ops->fenced(source, parts, count, err) : OK;
}

Status source_settled(Source *source, const Position *position, Err *err)
{
    return source->ops->settled ? source->ops->settled(source, position, err) : OK;
}

Status source_rewind(Source *source, const Position *position, Err *err)
{
    if (source->ops->rewind) return source->ops->rewind(source, position, err);
    return err_set(err, ERR_INTERNAL, "%.*s: cannot be read again from a position",
                   STR_ARG(source->req->location->text));
}

Status source_observe(Source *source, Position *position, Err *err)
{
    return source->ops->observe ? source->ops->observe(source, position, err) : OK;
}

void source_stats(Source *source, SourceStats *ret_stats)
{
    *ret_stats = (SourceStats){.lag_messages = -1, .lag_us = -1};
    if (source->ops->stats) source->ops->stats(source, ret_stats);
}

bool source_fingerprints(const Source *source)
{
    return source->ops->forms && source->ops->span && source->ops->fingerprint;
}

Status source_forms(Source *source, Arena *arena, SourceForms *ret_forms, Err *err)
{
    return source->ops->forms(source, arena, ret_forms, err);
}

Status source_span(Source *source, int32_t column, SourceSpan *ret_span, Err *err)
{
    return source->ops->span(source, column, ret_span, err);
}

Status source_fingerprint(Source *source, const SourceFingerprintReq *req,
                          SourceFingerprint **ret_ranges, int64_t *ret_count, Err *err)
{
    return source->ops->fingerprint(source, req, ret_ranges, ret_count, err);
}

int64_t source_line(const Source *source, const Batch *batch, int64_t row)
{
    return source->ops->line ? source->ops->line(source, batch, row) : 0;
}

void source_cancel(Source *source)
{
    if (source->ops->cancel) source->ops->cancel(source);
}

void source_close(Source *source)
{
    if (!source) return;
    arena_done(&source->notes.arena);
    source->ops->close(source);
}

Status source_info_nulls(const Source *source, SourceInfo *info, int64_t rows, Err *err)
{
    Str cursor = source->req->incremental.cursor;
    return source_info_warn(
        info, err,
        "%lld %s no \"%.*s\": the run ends there; `nulls: read` reads such rows "
        "in each run",
        (long long)rows, rows == 1 ? "row has" : "rows have", STR_ARG(cursor));
}

Status source_refuse_nulls(const Source *source, int64_t rows, Err *err)
{
    const SourceReq *req = source->req;
    (void)err_set(err, ERR_DATA, "%lld %s no \"%.*s\": an incremental run would never read %s",
                  (long long)rows, rows == 1 ? "row has" : "rows have",
                  STR_ARG(req->incremental.cursor), rows == 1 ? "it" : "them");
    return err_hint(err,
                    "`incremental: { cursor: %.*s, nulls: read }` reads such rows in each run; "
                    "a `query:` can leave them out",
                    STR_ARG(req->incremental.cursor));
}
