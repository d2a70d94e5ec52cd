/* Reads a topic: fetches messages, makes batches of one partition each, and tells the flow what
 * the group says. */
#include "connect/kafka/kafka_source.h"

#include <stdio.h>
#include <stdlib.h>

#include "foundation/base/clock.h"
#include "foundation/base/mem.h"

static const SourceOps KAFKA_SOURCE_OPS;

/* How long a fetch waits before the group is listened to again. */
#define FETCH_TICK_NS INT64_C(100000000)
enum { BATCH_BYTES = 1 << 20 };

static Status kafka_source_describe(Source *source, SourceInfo *info, Err *err)
{
    KafkaSource *self = SOURCE_SELF(KafkaSource, KAFKA_SOURCE_OPS, source);
    info->rows_estimate = -1;
    info->bytes_estimate = -1;
    info->replayable = true;
    info->unbounded = !source->req->limits.bounded;
    info->promise = kafka_place_has_group(&self->place)
                        ? STR("messages in the order of each partition, after the group's offsets")
                        : STR("messages in the order of each partition");
    return kafka_rows_schema(source->req, &info->schema, err);
}

/* ---- open ---- */

static Status consumer_conf(KafkaSource *self, rd_kafka_conf_t **ret_conf, Err *err)
{
    const KafkaOption options[] = {
        {"group.id",
         kafka_place_has_group(&self->place) ? self->place.group.ptr : "neuron-no-group"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"enable.partition.eof", "true"},
        {"auto.offset.reset", "error"},
        {"isolation.level", "read_committed"},
        {"partition.assignment.strategy", "cooperative-sticky"},
        {"check.crcs", "true"},
        {"queued.max.messages.kbytes", "32768"},
        {"fetch.wait.max.ms", self->place.embedded ? "10" : "100"},
        {"socket.nagle.disable", "true"},
        {"allow.auto.create.topics", self->place.embedded ? "true" : "false"},
        /* Partitions that are added later are known, read and counted in the lag from then on. */
        {"topic.metadata.refresh.interval.ms", "10000"},
        /* Members of the embedded broker wait for nearly so long at each rebalance. */
        {"session.timeout.ms", self->place.embedded ? "6000" : "45000"},
        {"group.instance.id", self->place.instance.ptr},
    };
    int32_t count = (int32_t)COUNT_OF(options) - (self->place.instance.len ? 0 : 1);
    return kafka_client_conf(&self->client, options, count, ret_conf, err);
}

static Status consumer_start(KafkaSource *self, Err *err)
{
    rd_kafka_conf_t *conf = NULL;
    TRY(consumer_conf(self, &conf, err));
    if (kafka_place_has_group(&self->place))
        rd_kafka_conf_set_rebalance_cb(conf, kafka_on_rebalance);
    TRY(kafka_client_start(&self->client, RD_KAFKA_CONSUMER, conf, err));
    rd_kafka_resp_err_t code = rd_kafka_poll_set_consumer(self->client.rk);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return kafka_client_error(&self->client, code, rd_kafka_err2str(code), "consumer", err);
    }
    self->queues.control = rd_kafka_queue_get_consumer(self->client.rk);
    self->queues.data = rd_kafka_queue_new(self->client.rk);
    return self->queues.control && self->queues.data ? OK : err_memory(err);
}

static Status kafka_source_open(Source *source, const Position *from, Budget *budget, Err *err)
{
    KafkaSource *self = SOURCE_SELF(KafkaSource, KAFKA_SOURCE_OPS, source);
    if (from) TRY(position_copy(from, &self->begin.from, err));
    self->messages.items = mem_array(KAFKA_ROWS_MAX, (int64_t)sizeof(rd_kafka_message_t *));
    self->event_parts = mem_array(KAFKA_PARTS_MAX, (int64_t)sizeof(int32_t));
    if (!self->messages.items || !self->event_parts) return err_memory(err);
    self->rows_ready = true;
    TRY(kafka_rows_init(&self->rows, source->req, &message_codec_json, self->topic, budget, err));
    TRY(consumer_start(self, err));
    int32_t partitions = 0;
    TRY(kafka_client_reach(&self->client, self->topic.ptr, KAFKA_REACH_MS, &partitions, err));
    self->opened = true;
    if (kafka_place_has_group(&self->place)) {
        self->handle.consumer = self->client.rk;
        self->handle.topic = self->topic.ptr;
        source->handle = &self->handle;
    }
    TRY(kafka_subscribe(self, partitions, err));
    return kafka_pump_start(self, err);
}

/* ---- fetching ---- */

void kafka_drop_messages(KafkaSource *self)
{
    for (int64_t i = self->messages.at; i < self->messages.count; i++) {
        rd_kafka_message_destroy(self->messages.items[i]);
    }
    self->messages.at = self->messages.count = 0;
}

static void note_end(KafkaSource *self, const rd_kafka_message_t *message)
{
    pthread_mutex_lock(&self->parts.mutex);
    KafkaPart *part = kafka_parts_assigned(&self->parts, message->partition);
    if (part) kafka_part_level(part, message->offset, clock_now_us());
    pthread_mutex_unlock(&self->parts.mutex);
}

/* What comes instead of a message: ends of partitions, and troubles of which librdkafka fixes most
 * by itself. */
static Status take_notice(KafkaSource *self, const rd_kafka_message_t *message, Err *err)
{
    char text[512];
    rd_kafka_resp_err_t code = message->err;
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        note_end(self, message);
        return OK;
    case RD_KAFKA_RESP_ERR__FATAL:
        code = rd_kafka_fatal_error(self->client.rk, text, sizeof text);
        return kafka_client_error(&self->client, code, text, "consumer", err);
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        return kafka_offset_error(self, message->partition, message->offset, err);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        return kafka_client_error(&self->client, code, rd_kafka_message_errstr(message), "consumer",
                                  err);
    default:
        return OK;
    }
}

/* Keep the messages of messages[from, to) that are rows; the rest is looked at and let go. */
static Status sift(KafkaSource *self, int64_t from, int64_t to, Err *err)
{
    Status status = OK;
    self->messages.count = from;
    for (int64_t i = from; i < to; i++) {
        rd_kafka_message_t *message = self->messages.items[i];
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            self->messages.items[self->messages.count++] = message;
            continue;
        }
        if (status == OK) status = take_notice(self, message, err);
        rd_kafka_message_destroy(message);
    }
    return status;
}

static Status take_from(KafkaSource *self, rd_kafka_queue_t *queue, int timeout_ms, int64_t most,
                        Err *err)
{
    int64_t from = self->messages.count;
    if (from + most > KAFKA_ROWS_MAX) most = KAFKA_ROWS_MAX - from;
    if (most <= 0) return OK;
    ssize_t got =
        rd_kafka_consume_batch_queue(queue, timeout_ms, self->messages.items + from, (size_t)most);
    return got > 0 ? sift(self, from, from + got, err) : OK;
}

/* The group and what librdkafka has to say; runs the rebalance callback. */
static Status hear_group(KafkaSource *self, Err *err)
{
    return take_from(self, self->queues.control, 0, 64, err);
}

static int compare_messages(const void *a, const void *b)
{
    const rd_kafka_message_t *left = *(rd_kafka_message_t *const *)a;
    const rd_kafka_message_t *right = *(rd_kafka_message_t *const *)b;
    if (left->partition != right->partition) return left->partition < right->partition ? -1 : 1;
    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

static void sort_messages(KafkaSource *self)
{
    rd_kafka_message_t **messages = self->messages.items + self->messages.at;
    int64_t count = self->messages.count - self->messages.at;
    for (int64_t i = 1; i < count; i++) {
        if (compare_messages(&messages[i - 1], &messages[i]) <= 0) continue;
        qsort(messages, (size_t)count, sizeof *messages, compare_messages);
        return;
    }
}

/* Block for one message, then take what is there: a full batch is never waited for. */
static Status fetch(KafkaSource *self, int64_t deadline_ns, Err *err)
{
    int64_t left_ns = int64_min(deadline_ns - clock_mono_ns(), FETCH_TICK_NS);
    self->messages.at = self->messages.count = 0;
    kafka_lead_queues(self);
    TRY(take_from(self, self->queues.data, (int)(int64_max(left_ns, 0) / 1000000), 1, err));
    TRY(take_from(self, self->queues.data, 0, KAFKA_ROWS_MAX, err));
    kafka_pump_note(self, self->messages.count);
    sort_messages(self);
    return OK;
}

/* ---- batches ---- */

/* Is the message one that this assignment is to give? Advances the part after it if so. */
static bool claim(KafkaSource *self, const rd_kafka_message_t *message, int64_t *ret_epoch)
{
    pthread_mutex_lock(&self->parts.mutex);
    KafkaPart *part = kafka_parts_assigned(&self->parts, message->partition);
    bool wanted = part && message->offset >= part->next;
    if (part) part->flowing = true;
    if (wanted && self->source.req->limits.bounded && message->offset >= part->end) {
        part->reached = true;
        wanted = false;
    }
    if (wanted) {
        kafka_part_read(part, message->offset, kafka_rows_time_us(message));
        *ret_epoch = part->epoch;
    }
    pthread_mutex_unlock(&self->parts.mutex);
    return wanted;
}

static bool reached_limit(const KafkaSource *self)
{
    int64_t most = self->source.req->limits.rows_max;
    return most > 0 && self->messages.given >= most;
}

static bool has_room(const KafkaSource *self)
{
    int64_t wish = self->source.req->limits.batch_bytes > 0 ? self->source.req->limits.batch_bytes
                                                            : BATCH_BYTES;
    return self->messages.at < self->messages.count && self->rows.bytes < wish &&
           !reached_limit(self);
}

/* One batch of the partition whose messages are next; *ret_any false: none of them counts. */
static Status make_batch(KafkaSource *self, SourceEvent *ret_event, bool *ret_any, Err *err)
{
    int32_t partition = self->messages.items[self->messages.at]->partition;
    int64_t epoch = 0;
    Status status = OK;
    bool any = false;
    while (status == OK && has_room(self)) {
        rd_kafka_message_t *message = self->messages.items[self->messages.at];
        if (message->partition != partition) break;
        self->messages.at++;
        if (claim(self, message, &epoch)) {
            any = true;
            self->messages.given++;
            status = kafka_rows_add(&self->rows, message, err);
        }
        rd_kafka_message_destroy(message);
    }
    TRY(status);
    *ret_any = any;
    return any ? kafka_rows_take(&self->rows, partition, epoch, ret_event, err) : OK;
}

static bool is_level(KafkaSource *self)
{
    return !self->pending.list && self->fenced_ns == 0 && kafka_parts_reached(&self->parts);
}

/* What is at hand without fetching; *ret_told false: nothing. */
static Status event_at_hand(KafkaSource *self, SourceEvent *event, bool *ret_told, Err *err)
{
    TRY(kafka_assignment_event(self, event, ret_told, err));
    while (!*ret_told && self->messages.at < self->messages.count && !reached_limit(self)) {
        TRY(make_batch(self, event, ret_told, err));
    }
    if (*ret_told) return OK;
    bool end = self->source.req->limits.bounded && is_level(self);
    if (!end && !reached_limit(self)) return OK;
    *ret_told = true;
    *event = (SourceEvent){.kind = SOURCE_END};
    return OK;
}

static Status kafka_source_next(Source *source, int32_t part UNUSED, int64_t deadline_ns,
                                SourceEvent *ret_event, Err *err)
{
    KafkaSource *self = SOURCE_SELF(KafkaSource, KAFKA_SOURCE_OPS, source);
    SourceEvent event = {0};
    bool told = false;
    for (;;) {
        if (atomic_load(&self->cancelled)) return err_set(err, ERR_CANCELLED, "cancelled");
        if (self->messages.at == self->messages.count) self->messages.at = self->messages.count = 0;
        TRY(hear_group(self, err));
        TRY(event_at_hand(self, &event, &told, err));
        if (told) break;
        if (clock_mono_ns() >= deadline_ns) {
            event.kind = is_level(self) ? SOURCE_IDLE : SOURCE_WAIT;
            break;
        }
        TRY(fetch(self, deadline_ns, err));
    }
    *ret_event = event;
    return OK;
}

static Status kafka_source_poll(Source *source, SourceEvent *ret_event, Err *err)
{
    KafkaSource *self = SOURCE_SELF(KafkaSource, KAFKA_SOURCE_OPS, source);
    SourceEvent event = {.kind = SOURCE_IDLE};
    bool told = false;
    TRY(hear_group(self, err));
    TRY(kafka_assignment_event(self, &event, &told, err));
    *ret_event = event;
    return OK;
}

/* ---- the rest ---- */

static int32_t kafka_source_parts(const Source *source UNUSED)
{
    return 1;
}

static Status kafka_source_revoked(Source *source, int64_t epoch, Err *err)
{
    KafkaSource *self = SOURCE_SELF(KafkaSource, KAFKA_SOURCE_OPS, source);
    bool asked = !self->pending.assign && self->pending.phase == KAFKA_PENDING_ASKED;
    if (!asked || epoch != self->epoch) {
        return err_set(err, ERR_INTERNAL, "partitions were given back that were not asked for");
    }
    return kafka_give_back(self, err);
}

static void note_settled(KafkaSource *self, const Position *position)
{
    pthread_mutex_lock(&self->parts.mutex);
    for (int32_t i = 0; i < position->count; i++) {
        KafkaPart *part = kafka_parts_assigned(&self->parts, position->parts[i].part);
        if (part) part->settled = int64_max(part->settled, position->parts[i].next);
    }
    pthread_mutex_unlock(&self->parts.mutex);
}

static Status kafka_source_settled(Source *source, const Position *position, Err *err)
{
    KafkaSource *self = SOURCE_SELF(KafkaSource, KAFKA_SOURCE_OPS, source);
    note_settled(self, position);
    if (!kafka_place_has_group(&self->place) || atomic_load(&self->handle.by_sink)) return OK;
    return kafka_commit_offsets(self, position, err);
}

static Status kafka_source_rewind(Source *source, const Position *position, Err *err)
{
    KafkaSource *self = SOURCE_SELF(KafkaSource, KAFKA_SOURCE_OPS, source);
    kafka_drop_messages(self);
    TRY(kafka_rows_clear(&self->rows, err));
    return kafka_rewind(self, position, err);
}

static void kafka_source_cancel(Source *source)
{
    atomic_store(&SOURCE_SELF(KafkaSource, KAFKA_SOURCE_OPS, source)->cancelled, true);
}

static void kafka_source_close(Source *source)
{
    KafkaSource *self = SOURCE_SELF(KafkaSource, KAFKA_SOURCE_OPS, source);
    kafka_pump_stop(self);
    if (self->messages.items) kafka_drop_messages(self);
    kafka_leave(self);
    if (self->rows_ready) kafka_rows_done(&self->rows);
    if (!kafka_client_done(&self->client)) return;
    kafka_parts_done(&self->parts);
    pthread_cond_destroy(&self->pump.cond);
    pthread_mutex_destroy(&self->pump.mutex);
    position_done(&self->begin.from);
    kafka_place_done(&self->place);
    mem_free(self->messages.items);
    mem_free(self->event_parts);
    mem_free(self);
}

static Status kafka_source_begin(Source *source, int64_t epoch, const Position *from, Err *err)
{
    KafkaSource *self = SOURCE_SELF(KafkaSource, KAFKA_SOURCE_OPS, source);
    return kafka_assignment_begin(self, epoch, from, err);
}

static Status kafka_source_fenced(Source *source, const int32_t *parts, int32_t count,
                                  Err *err UNUSED)
{
    KafkaSource *self = SOURCE_SELF(KafkaSource, KAFKA_SOURCE_OPS, source);
    kafka_assignment_fenced(self, parts, count);
    return OK;
}

static void kafka_source_stats(Source *source, SourceStats *ret_stats)
{
    kafka_lag_stats(SOURCE_SELF(KafkaSource, KAFKA_SOURCE_OPS, source), ret_stats);
}

static const SourceOps KAFKA_SOURCE_OPS = {
    .describe = kafka_source_describe,
    .open = kafka_source_open,
    .parts = kafka_source_parts,
    .next = kafka_source_next,
    .poll = kafka_source_poll,
    .revoked = kafka_source_revoked,
    .begin = kafka_source_begin,
    .fenced = kafka_source_fenced,
    .settled = kafka_source_settled,
    .rewind = kafka_source_rewind,
    .stats = kafka_source_stats,
    .cancel = kafka_source_cancel,
    .close = kafka_source_close,
};

static Status check_request(KafkaSource *self, Err *err)
{
    const SourceReq *req = self->source.req;
    if (req->query.len || req->incremental.cursor.len) {
        (void)err_set(err, ERR_CONFIG, "%.*s: a topic takes no query and has no cursor",
                      STR_ARG(req->location->text));
        return err_hint(err,
                        "how far it was read is kept as the offsets of its group: #group=name");
    }
    if (self->place.instance.len && !kafka_place_has_group(&self->place)) {
        (void)err_set(err, ERR_CONFIG, "%.*s: `instance` without `group`",
                      STR_ARG(req->location->text));
        return err_hint(err, "an instance is a member of a group: #group=name&instance=name");
    }
    if (self->place.topic.len) self->topic = self->place.topic;
    else if (req->table.len) TRY(kafka_place_topic(&self->place, req->table, &self->topic, err));
    if (self->topic.len) return OK;
    (void)err_set(err, ERR_CONFIG, "%.*s: which topic?", STR_ARG(req->location->text));
    return err_hint(err, "write kafka://host:port/topic");
}

Status kafka_source_new(const SourceReq *req, Source **ret_source, Err *err)
{
    KafkaSource *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->source = (Source){.ops = &KAFKA_SOURCE_OPS, .req = req};
    if (kafka_place_init(&self->place, req->location, err) != OK) {
        mem_free(self);
        return FAIL;
    }
    self->begin.first_parts = INT32_MAX;
    position_init(&self->begin.from);
    kafka_parts_init(&self->parts);
    kafka_client_init(&self->client, &self->place, self);
    self->client.stop = req->stop;
    pthread_mutex_init(&self->pump.mutex, NULL);
    thread_cond_init(&self->pump.cond);
    if (check_request(self, err) != OK) {
        kafka_source_close(&self->source);
        return FAIL;
    }
    *ret_source = &self->source;
    return OK;
}
