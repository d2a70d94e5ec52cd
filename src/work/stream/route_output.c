/* Outputs of many cases put together in the order of their messages: as messages, or as rows. */
#include "foundation/base/mem.h"
#include "work/stream/stream_impl.h"

Status route_output_init(RouteOutput *output, const Route *route, Err *err)
{
    *output = (RouteOutput){.route = route, .text = buf_make(STREAM_TEXT_MAX)};
    if (route->config->to_messages) return message_writer_init(&output->messages, NULL, err);
    int32_t count = route->out->count;
    output->builders = mem_array(count + 1, (int64_t)sizeof *output->builders);
    if (!output->builders) return err_memory(err);
    for (int32_t i = 0; i < count; i++) {
        builder_init(&output->builders[i], route->out->fields[i].type, NULL);
    }
    return OK;
}

void route_output_done(RouteOutput *output)
{
    for (int32_t i = 0; output->builders && i < output->route->out->count; i++) {
        builder_done(&output->builders[i]);
    }
    mem_free(output->builders);
    message_writer_done(&output->messages);
    buf_done(&output->text);
}

/* A message of unknown type as it came. */
static Status put_pass(RouteOutput *output, const Batch *in, int64_t row, Err *err)
{
    int32_t at = schema_find(in->schema, STR("@timestamp"));
    Message message = {
        .key = message_open_key(in, row),
        .value = column_text(&in->columns[0], row),
        .headers = batch_text_in(in, STR("@headers"), row),
        .has_timestamp = at >= 0 && !column_is_null(&in->columns[at], row),
    };
    if (message.has_timestamp) message.timestamp_us = column_int64(&in->columns[at])[row];
    return message_writer_add(&output->messages, &message, err);
}

static Status put_row(RouteOutput *output, const RoutePart *part, int64_t row, Err *err)
{
    for (int32_t i = 0; i < output->route->out->count; i++) {
        int32_t column = part->from->columns[i];
        if (column < 0) TRY(builder_null(&output->builders[i], err));
        else TRY(builder_copy(&output->builders[i], &part->out->columns[column], row, err));
    }
    return OK;
}

static Status put_one(RouteOutput *output, const Batch *in, int64_t row, RoutePlace place,
                      const RoutePart *parts, Err *err)
{
    if (place.part == ROUTE_PASS) return put_pass(output, in, row, err);
    const RoutePart *part = &parts[place.part];
    if (!output->route->config->to_messages) return put_row(output, part, place.row, err);
    return message_writer_row(&output->messages, part->from->encoder, part->out, place.row,
                              part->has_key ? &part->key : NULL, &output->text, err);
}

static Status take(RouteOutput *output, int64_t rows, Batch **ret_batch, Err *err)
{
    if (output->route->config->to_messages) {
        return message_writer_take(&output->messages, ret_batch, err);
    }
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(batch_new(output->route->out, &batch, err));
    batch->rows = rows;
    for (int32_t i = 0; i < output->route->out->count; i++) {
        TRY(builder_finish(&output->builders[i], &batch->columns[i], err));
    }
    *ret_batch = TAKE(batch);
    return OK;
}

static int64_t count_places(const RoutePlace *places, int64_t rows)
{
    int64_t count = 0;
    for (int64_t row = 0; row < rows; row++) count += places[row].part != ROUTE_NOWHERE;
    return count;
}

/* Where the output's rows stand in the source, and their messages, for refused ones. */
static Status set_origin(const StreamConfig *config, Batch *in, const RoutePlace *places,
                         Batch *out, Err *err)
{
    if (config->letters.kept) out->from = batch_ref(in);
    out->seq = in->seq;
    out->epoch = in->epoch;
    out->span = in->span;
    out->span.cursor = STR_NULL;
    TRY(buffer_new(out->rows * 8, NULL, &out->ordinals, err));
    int64_t *ordinals = (int64_t *)(void *)out->ordinals->data;
    for (int64_t row = 0, at = 0; row < in->rows; row++) {
        if (places[row].part != ROUTE_NOWHERE) ordinals[at++] = batch_ordinal(in, row);
    }
    return OK;
}

Status route_output_make(RouteOutput *output, Batch *in, const RoutePlace *places,
                         const RoutePart *parts, Batch **ret_out, Err *err)
{
    int64_t rows = count_places(places, in->rows);
    if (rows == 0) return OK;
    for (int64_t row = 0; row < in->rows; row++) {
        if (places[row].part == ROUTE_NOWHERE) continue;
        TRY(put_one(output, in, row, places[row], parts, err));
    }
    CLEANUP(batch_unref_p) Batch *out = NULL;
    TRY(take(output, rows, &out, err));
    TRY(set_origin(output->route->config, in, places, out, err));
    *ret_out = TAKE(out);
    return OK;
}
