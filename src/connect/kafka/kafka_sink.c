/* Writes to topics: a transaction per cycle with the source's offsets in it, or at least once. */
#include <stdio.h>

#include "connect/kafka/kafka_produce.h"
#include "foundation/base/clock.h"
#include "foundation/base/hash.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"

/* How long a step of a transaction may take at most before its outcome is in doubt. */
#define STEP_NS INT64_C(60000000000)
#define OUTCOME_NS INT64_C(5000000000)
/* What a stopped run still does for its open transaction: the broker undoes it anyway, when the
 * next producer of the id begins or the transaction is too old. */
#define ABORT_STOPPED_NS INT64_C(2000000000)
enum { TXN_TICK_MS = 1000, TXN_AGAIN_MS = 50, CLUSTER_ASK_MS = 5000, AGAIN_MAX = 10 };
/* How long transactions may be open before the broker undoes them. Whoever is killed holds back
 * those who read what is committed for so long, unless it comes back. */
enum { TXN_CYCLE_MS = 60000, TXN_RUN_MS = 300000, TXN_MAX_MS = 900000 };

typedef enum TxnStep { TXN_INIT, TXN_BEGIN, TXN_OFFSETS, TXN_COMMIT, TXN_ABORT } TxnStep;

/*     NONE --begin--> OPEN --commit, abort--> NONE
 *                      |                       ^
 *           the answer to a commit is missing  |
 *                      v                       |
 *                   IN_DOUBT --outcome, abort--+
 */
typedef enum KafkaTxnPhase { KAFKA_TXN_NONE, KAFKA_TXN_OPEN, KAFKA_TXN_IN_DOUBT } KafkaTxnPhase;

typedef struct KafkaTxn {
    bool used; /* false: at least once */
    KafkaTxnPhase phase;
    int64_t limit_ms;
    int64_t step_ns;
    int64_t begun_ns; /* by a clock that goes on in sleep and is never set */
    bool undo;        /* the last failure only wants it undone */
} KafkaTxn;

typedef struct KafkaSink {
    Sink sink;
    KafkaPlace place;
    KafkaProducer producer;
    KafkaTxn txn;
    bool anew; /* the producer is made anew with the abort, with batches of batch_bytes */
    int64_t batch_bytes;
    KafkaPort ports[KAFKA_PORTS_MAX];
    int32_t port_count;
    bool has_out;
    int64_t written;
    int32_t again;          /* commits in a row that must be done again */
    const rd_kafka_t *seen; /* the consumer whose cluster was compared with ours */
    bool foreign;           /* it reads another cluster: its offsets can't go along */
    Position sent;          /* offsets of the last commit: what moved since goes into the next */
    RejectList refused;
} KafkaSink;

static const SinkOps KAFKA_SINK_OPS;

/* ---- transactions ---- */

static rd_kafka_error_t *txn_once(KafkaSink *self, TxnStep step, const KafkaHandle *handle,
                                  rd_kafka_topic_partition_list_t *offsets)
{
    rd_kafka_t *rk = self->producer.client.rk;
    switch (step) {
    case TXN_INIT:
        return rd_kafka_init_transactions(rk, TXN_TICK_MS);
    case TXN_BEGIN:
        return rd_kafka_begin_transaction(rk);
    case TXN_COMMIT:
        return rd_kafka_commit_transaction(rk, TXN_TICK_MS);
    case TXN_ABORT:
        return rd_kafka_abort_transaction(rk, TXN_TICK_MS);
    case TXN_OFFSETS:
        break;
    }
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(handle->consumer);
    rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(rk, offsets, group, TXN_TICK_MS);
    if (group) rd_kafka_consumer_group_metadata_destroy(group);
    return error;
}

static const char *txn_name(TxnStep step)
{
    static const char *const NAMES[] = {"starting transactions", "beginning a transaction",
                                        "adding offsets to the transaction",
                                        "committing the transaction", "undoing the transaction"};
    return NAMES[step];
}

/* A broker that undid a transaction because of its age says the same as one that knows another
 * producer of the id. */
static void txn_outlived(const KafkaSink *self, TxnStep step, Err *err)
{
    if (!err || err->kind != ERR_FENCED || step == TXN_INIT) return;
    if (clock_boot_ns() - self->txn.begun_ns < self->txn.limit_ms * 1000000) return;
    (void)err_set(
        err, ERR_TIMEOUT, "%.*s: %s: it was open for more than %lld s, and the broker undid it",
        STR_ARG(self->place.location->text), txn_name(step), (long long)self->txn.limit_ms / 1000);
    (void)err_hint(err, "raise rdkafka.transaction.timeout.ms (up to the broker's "
                        "transaction.max.timeout.ms), or write with delivery=at_least_once");
}

/* Who may allow it must know what: librdkafka names neither the topics nor the id. */
static void txn_forbidden(const KafkaSink *self, rd_kafka_resp_err_t code, Err *err)
{
    const KafkaProducer *producer = &self->producer;
    if (code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED) {
        (void)err_prefix(err, "transactional id %s: ", producer->transactional_id);
        (void)err_hint(err, "allow this user to write and describe the TransactionalId %s",
                       producer->transactional_id);
    }
    if (code != RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) return;
    for (int32_t i = 0; i < producer->topic_count; i++) {
        (void)err_prefix(err, "%.*s%s", STR_ARG(producer->topics[i].name), i ? ", " : ": ");
    }
    (void)err_prefix(err, "a topic of ");
    (void)err_hint(err, "allow this user to write to all of them");
}

/* A transaction that must be undone is begun anew by whoever runs the flow: it may pass. */
static Status txn_error(KafkaSink *self, TxnStep step, rd_kafka_error_t *error, Err *err)
{
    char text[512];
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    bool undo = rd_kafka_error_txn_requires_abort(error);
    (void)snprintf(text, sizeof text, "%s", rd_kafka_error_string(error));
    if (rd_kafka_error_is_fatal(error)) {
        rd_kafka_resp_err_t fatal =
            rd_kafka_fatal_error(self->producer.client.rk, text, sizeof text);
        if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) code = fatal;
    }
    rd_kafka_error_destroy(error);
    (void)kafka_client_error(&self->producer.client, code, text, txn_name(step), err);
    txn_outlived(self, step, err);
    txn_forbidden(self, code, err);
    self->txn.undo = undo;
    bool passes =
        err && err->kind != ERR_PERMISSION && err->kind != ERR_FENCED && err->kind != ERR_DATA;
    if (undo && passes) err->kind = ERR_CONNECT;
    return FAIL;
}

static bool is_stopped(const KafkaSink *self)
{
    const _Atomic bool *stop = self->producer.client.stop;
    return (stop && atomic_load(stop)) || atomic_load(&self->producer.cancelled);
}

/* A stop lets an open cycle end; what would only begin one ends at once, and so does an abort that
 * the broker doesn't answer. */
static bool is_given_up(const KafkaSink *self, TxnStep step, int64_t begun_ns)
{
    if (step == TXN_ABORT) return is_stopped(self) && clock_mono_ns() - begun_ns > ABORT_STOPPED_NS;
    return step == TXN_INIT ? is_stopped(self) : atomic_load(&self->producer.cancelled);
}

/* One step, tried again while librdkafka says so; *ret_late true: time ran out, the outcome is not
 * known. */
static Status txn_step(KafkaSink *self, TxnStep step, const KafkaHandle *handle,
                       rd_kafka_topic_partition_list_t *offsets, int64_t limit_ns, bool *ret_late,
                       Err *err)
{
    int64_t begun_ns = clock_mono_ns(), deadline_ns = begun_ns + limit_ns;
    *ret_late = false;
    for (;;) {
        rd_kafka_error_t *error = txn_once(self, step, handle, offsets);
        if (!error) return OK;
        bool again = rd_kafka_error_is_retriable(error);
        bool over = clock_mono_ns() >= deadline_ns;
        bool cancelled = is_given_up(self, step, begun_ns);
        *ret_late = again && (over || cancelled);
        if (!again || over) return txn_error(self, step, error, err);
        rd_kafka_error_destroy(error);
        if (cancelled) return err_set(err, ERR_CANCELLED, "cancelled");
        (void)rd_kafka_poll(self->producer.client.rk, TXN_AGAIN_MS);
    }
}

/* ---- plan ---- */

static bool exactly_once(const KafkaSink *self)
{
    if (self->place.delivery != KAFKA_DELIVERY_UNSET) {
        return self->place.delivery == KAFKA_EXACTLY_ONCE;
    }
    return !self->sink.req->at_least_once && !self->place.embedded;
}

static Status kafka_sink_describe(Sink *sink, const Schema *schema, SinkPlan *plan, Err *err)
{
    KafkaSink *self = SINK_SELF(KafkaSink, KAFKA_SINK_OPS, sink);
    plan->exactly_once = exactly_once(self);
    plan->promise = plan->exactly_once
                        ? STR("a transaction per cycle: all of its messages, with the offsets of a "
                              "Kafka source, or none; a pipeline's run that is taken up again "
                              "because its end was not kept sends them again: at least once then")
                        : STR("at least once: offsets advance after delivered messages, and a run "
                              "that is taken up again sends them again");
    for (int32_t i = 0; i < schema->count && !message_is(schema); i++) {
        if (schema->fields[i].spread) continue;
        TRY(sink_plan_add(plan, PLAN_TYPE, err, "%.*s: %s -> JSON", STR_ARG(schema->fields[i].name),
                          type_name(schema->fields[i].type)));
    }
    return OK;
}

/* ---- open ---- */

/* The id by which a restarted producer ends what its former self left open. */
static Status transactional_id(KafkaSink *self, Str *ret_id, Err *err)
{
    Arena *arena = &self->place.arena;
    Str pipeline = self->sink.req->pipeline;
    if (self->place.id.len) {
        *ret_id = self->place.id;
        return OK;
    }
    if (pipeline.len) {
        const char *dash = self->place.instance.len ? "-" : "";
        return arena_printf(arena, ret_id, err, "neuron-%.*s%s%.*s", STR_ARG(pipeline), dash,
                            STR_ARG(self->place.instance));
    }
    uint64_t random[2];
    TRY(hash_random((uint8_t *)random, sizeof random, err));
    return arena_printf(arena, ret_id, err, "neuron-%016llx%016llx", (unsigned long long)random[0],
                        (unsigned long long)random[1]);
}

static void set_limits(KafkaSink *self)
{
    int64_t cycle_ms = self->sink.req->cycle_us / 1000;
    self->txn.limit_ms =
        cycle_ms > 0 ? int64_min(int64_max(cycle_ms * 10, TXN_CYCLE_MS), TXN_MAX_MS) : TXN_RUN_MS;
    int64_t wish = 0;
    Str option = location_option(self->place.location, STR("rdkafka.transaction.timeout.ms"));
    if (number_parse_int64(option, &wish) == NUMBER_OK && wish > 0) self->txn.limit_ms = wish;
    self->txn.step_ns = int64_min(STEP_NS, self->txn.limit_ms * 750000);
}

static Status kafka_sink_open(Sink *sink, Str run_id UNUSED, int64_t epoch UNUSED, Err *err)
{
    KafkaSink *self = SINK_SELF(KafkaSink, KAFKA_SINK_OPS, sink);
    self->txn.used = exactly_once(self);
    const Str topics[] = {self->place.topic.len ? self->place.topic : sink->req->table,
                          sink->req->reject.table};
    self->producer.keeps_delivered = !self->txn.used && sink->req->cycle_us > 0;
    if (!self->txn.used) return kafka_producer_start(&self->producer, NULL, 0, topics, 2, err);
    Str id;
    bool late = false;
    TRY(transactional_id(self, &id, err));
    set_limits(self);
    TRY(kafka_producer_start(&self->producer, id.ptr, self->txn.limit_ms, topics, 2, err));
    return txn_step(self, TXN_INIT, NULL, NULL, self->txn.step_ns, &late, err);
}

/* The location's topic is that of the data; a sink of rejects alone has only that port. */
static Str port_topic(const KafkaSink *self, SinkPortKind kind, Str name)
{
    bool of_location = kind == PORT_OUT || !self->has_out || name.len == 0;
    if (of_location && self->place.topic.len) return self->place.topic;
    return name.len ? name : self->sink.req->table;
}

static Status kafka_sink_port(Sink *sink, SinkPortKind kind, Str name, const Schema *schema,
                              int32_t *ret_port, Err *err)
{
    KafkaSink *self = SINK_SELF(KafkaSink, KAFKA_SINK_OPS, sink);
    if (self->port_count == KAFKA_PORTS_MAX) {
        return err_set(err, ERR_LIMIT, "more than %d ports", KAFKA_PORTS_MAX);
    }
    Str topic = port_topic(self, kind, name);
    if (topic.len == 0) {
        (void)err_set(err, ERR_CONFIG, "%.*s: which topic?", STR_ARG(sink->req->location->text));
        return err_hint(err, "write kafka://host:port/topic");
    }
    KafkaPort port = {
        .number = self->port_count, .out = kind == PORT_OUT, .messages = message_is(schema)};
    if (port.out && !port.messages) {
        port.key = sink->req->key;
        port.key_count = sink->req->key_count;
    }
    for (int32_t i = 0; i < port.key_count && !schema->open; i++) {
        if (schema_find(schema, port.key[i]) >= 0) continue;
        return err_set(err, ERR_CONFIG, "the key column \"%.*s\" is not among the columns to write",
                       STR_ARG(port.key[i]));
    }
    TRY(kafka_producer_topic(&self->producer, topic, &port.topic, err));
    if (!port.messages) TRY(message_codec_json.encoder_new(schema, &port.encoder, err));
    self->has_out |= port.out;
    *ret_port = self->port_count;
    self->ports[self->port_count++] = port;
    return OK;
}

/* ---- cycles ---- */

static Status kafka_sink_begin(Sink *sink, int64_t cycle UNUSED, Err *err)
{
    KafkaSink *self = SINK_SELF(KafkaSink, KAFKA_SINK_OPS, sink);
    self->written = 0;
    kafka_producer_begin(&self->producer);
    if (!self->txn.used || self->txn.phase != KAFKA_TXN_NONE) return OK;
    bool late = false;
    TRY(txn_step(self, TXN_BEGIN, NULL, NULL, self->txn.step_ns, &late, err));
    self->txn.phase = KAFKA_TXN_OPEN;
    self->txn.begun_ns = clock_boot_ns();
    return OK;
}

/* Of messages only the place counts: whoever wrote them knows what they were made of. */
static Status add_messages(const KafkaSink *self, RejectWriter *rejects, const Batch *batch,
                           Err *err)
{
    for (int64_t i = 0; i < self->refused.count; i++) {
        const Reject *reject = &self->refused.items[i];
        RejectRow row = {.stage = STR("write"),
                         .reason = reject->reason,
                         .sqlstate = str_from(reject->sqlstate),
                         .part = batch->span.part,
                         .row = batch_ordinal(batch, reject->row)};
        TRY(reject_writer_row(rejects, &row, err));
    }
    return OK;
}

static Status kafka_sink_write(Sink *sink, int32_t port, Batch *batch, RejectWriter *rejects,
                               Err *err)
{
    KafkaSink *self = SINK_SELF(KafkaSink, KAFKA_SINK_OPS, sink);
    bool may_refuse = rejects && (sink->req->reject.wanted || !self->ports[port].out);
    reject_list_clear(&self->refused);
    TRY(kafka_producer_write(&self->producer, &self->ports[port], batch,
                             may_refuse ? &self->refused : NULL, err));
    if (self->ports[port].out) self->written += batch->rows - self->refused.count;
    if (self->refused.count == 0) return OK;
    if (self->ports[port].messages) return add_messages(self, rejects, batch, err);
    return reject_writer_add(rejects, STR("write"), batch, &self->refused, err);
}

static Status kafka_sink_apply(Sink *sink, RejectWriter *rejects UNUSED, SinkCounts *counts,
                               Err *err UNUSED)
{
    KafkaSink *self = SINK_SELF(KafkaSink, KAFKA_SINK_OPS, sink);
    *counts = (SinkCounts){.loaded = self->written, .inserted = self->written};
    return OK;
}

/* The broker refused messages: which ones is learned from it, and the cycle is done again without
 * them, where it can be. FAIL: it can't; the error names one. */
static Status refusals_learn(KafkaSink *self, bool *ret_again, Err *err)
{
    KafkaProducer *producer = &self->producer;
    *ret_again = false;
    if (producer->refusals.failed_count == 0) return OK;
    if (self->sink.req->cycle_us == 0) return kafka_producer_refused(producer, err);
    int64_t batch_bytes = 0;
    TRY(kafka_refusals_learn(&producer->refusals, producer->batch_bytes, &batch_bytes, ret_again,
                             err));
    self->anew = *ret_again;
    self->again = 0;
    self->batch_bytes = batch_bytes;
    return OK;
}

/* Offsets that were sent to another cluster than the one they are of would be kept by nobody. */
static Status compare_clusters(KafkaSink *self, rd_kafka_t *consumer, Err *err)
{
    if (self->seen == consumer) return OK;
    char *theirs = rd_kafka_clusterid(consumer, CLUSTER_ASK_MS);
    char *ours = rd_kafka_clusterid(self->producer.client.rk, CLUSTER_ASK_MS);
    self->foreign = theirs && ours && strcmp(theirs, ours) != 0;
    if (theirs) rd_kafka_mem_free(consumer, theirs);
    if (ours) rd_kafka_mem_free(self->producer.client.rk, ours);
    self->seen = consumer;
    if (!self->foreign || self->place.delivery != KAFKA_EXACTLY_ONCE) return OK;
    (void)err_set(err, ERR_CONFIG, "%.*s: exactly once from one cluster to another is not possible",
                  STR_ARG(self->place.location->text));
    return err_hint(err, "say at_least_once; or write to the cluster that is read, or to a table");
}

/* A position also names partitions that this consumer gave away; only what moved is its own. */
static Status send_offsets(KafkaSink *self, const Position *position, Err *err)
{
    KafkaHandle *handle = position->handle;
    bool late = false;
    if (!handle) return OK;
    TRY(compare_clusters(self, handle->consumer, err));
    if (self->foreign) return OK;
    atomic_store(&handle->by_sink, true);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(position->count + 1);
    if (!list) return err_memory(err);
    Status status = OK;
    for (int32_t i = 0; i < position->count && status == OK; i++) {
        const PartPosition *at = &position->parts[i];
        if (at->next < 0 || at->next == position_next(&self->sent, at->part)) continue;
        status = kafka_offset_add(list, handle, at->part, at->next, err);
    }
    if (list->cnt > 0 && status == OK) {
        status = txn_step(self, TXN_OFFSETS, handle, list, self->txn.step_ns, &late, err);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

static Status transaction_commit(KafkaSink *self, const Position *position, Err *err)
{
    bool late = false;
    self->txn.undo = false;
    TRY(send_offsets(self, position, err));
    Status status = txn_step(self, TXN_COMMIT, NULL, NULL, self->txn.step_ns, &late, err);
    if (status != OK && !late) return FAIL;
    self->txn.phase = late ? KAFKA_TXN_IN_DOUBT : KAFKA_TXN_NONE;
    return position_copy(position, &self->sent, err);
}

/* While the group moves to its next generation, offsets of the last one are refused: such a cycle
 * is done again, as is one that lost its coordinator. Not for ever. */
static Status kafka_sink_commit(Sink *sink, const Position *position, const SinkRun *run UNUSED,
                                CommitResult *ret_result, Err *err)
{
    KafkaSink *self = SINK_SELF(KafkaSink, KAFKA_SINK_OPS, sink);
    Err local = {0};
    bool again = false;
    *ret_result = COMMIT_DONE;
    Status status = self->txn.used ? transaction_commit(self, position, &local)
                                   : kafka_producer_flush(&self->producer, &local);
    if (status != OK && local.kind == ERR_DATA) kafka_producer_answers(&self->producer);
    if (status != OK || !self->txn.used) TRY(refusals_learn(self, &again, err));
    if (again) {
        *ret_result = COMMIT_AGAIN;
        return OK;
    }
    if (status == OK) {
        self->again = 0;
        kafka_refusals_committed(&self->producer.refusals, position);
        if (self->txn.phase == KAFKA_TXN_IN_DOUBT) *ret_result = COMMIT_UNKNOWN;
        return OK;
    }
    bool undo = self->txn.used && self->txn.undo && position->handle && err_is_retriable(&local);
    if (undo && ++self->again <= AGAIN_MAX) {
        *ret_result = COMMIT_AGAIN;
        return OK;
    }
    if (err) *err = local;
    return FAIL;
}

/* Asking again for the same commit finishes it, whatever became of the answer. */
static Status kafka_sink_outcome(Sink *sink, Str run_id UNUSED, int64_t cycle UNUSED,
                                 Outcome *ret_outcome, SinkCounts *ret_counts, Err *err)
{
    KafkaSink *self = SINK_SELF(KafkaSink, KAFKA_SINK_OPS, sink);
    *ret_counts = (SinkCounts){.loaded = self->written, .inserted = self->written};
    *ret_outcome = OUTCOME_NOT_COMMITTED;
    if (self->txn.phase != KAFKA_TXN_IN_DOUBT) return OK;
    bool late = false;
    Err local = {0};
    kafka_producer_begin(&self->producer);
    Status status = txn_step(self, TXN_COMMIT, NULL, NULL, OUTCOME_NS, &late, &local);
    if (late) {
        *ret_outcome = OUTCOME_UNKNOWN;
        return OK;
    }
    self->txn.phase = status == OK ? KAFKA_TXN_NONE : KAFKA_TXN_OPEN;
    if (status == OK) *ret_outcome = OUTCOME_COMMITTED;
    if (status == OK || local.kind != ERR_FENCED) return OK;
    if (err) *err = local;
    return FAIL;
}

/* librdkafka takes the size of batches only at the start, and before 2.1 doesn't count a refused
 * batch: the next transaction would fail too, of skipped sequence numbers. */
static Status make_anew(KafkaSink *self, Err *err)
{
    bool late = false;
    self->anew = false;
    TRY(kafka_producer_restart(&self->producer, self->batch_bytes, err));
    if (!self->txn.used) return OK;
    return txn_step(self, TXN_INIT, NULL, NULL, self->txn.step_ns, &late, err);
}

/* Requests that are under way may reach the broker after the transaction's end, which goes over
 * another connection, and would then be part of the next one: its messages twice. A producer that
 * is made anew has a new epoch, which turns them away and undoes the transaction. */
static Status transaction_abort(KafkaSink *self, Err *err)
{
    bool late = false;
    if (self->txn.phase == KAFKA_TXN_NONE) return OK;
    bool answered = kafka_producer_drop(&self->producer);
    if (!answered && is_stopped(self)) return OK;
    if (answered) {
        return txn_step(self, TXN_ABORT, NULL, NULL, self->txn.step_ns, &late, err);
    }
    if (!self->anew) self->batch_bytes = self->producer.batch_bytes;
    self->anew = true;
    return OK;
}

static Status kafka_sink_abort(Sink *sink, Err *err)
{
    KafkaSink *self = SINK_SELF(KafkaSink, KAFKA_SINK_OPS, sink);
    self->written = 0;
    kafka_producer_begin(&self->producer);
    if (self->txn.used) TRY(transaction_abort(self, err));
    else (void)kafka_producer_drop(&self->producer);
    self->txn.phase = KAFKA_TXN_NONE;
    kafka_producer_begin(&self->producer);
    return self->anew ? make_anew(self, err) : OK;
}

static void kafka_sink_cancel(Sink *sink)
{
    atomic_store(&SINK_SELF(KafkaSink, KAFKA_SINK_OPS, sink)->producer.cancelled, true);
}

static void kafka_sink_close(Sink *sink)
{
    KafkaSink *self = SINK_SELF(KafkaSink, KAFKA_SINK_OPS, sink);
    for (int32_t i = 0; i < self->port_count; i++) message_encoder_free(self->ports[i].encoder);
    if (!kafka_producer_done(&self->producer)) return;
    reject_list_done(&self->refused);
    position_done(&self->sent);
    kafka_place_done(&self->place);
    mem_free(self);
}

static const SinkOps KAFKA_SINK_OPS = {
    .describe = kafka_sink_describe,
    .open = kafka_sink_open,
    .port = kafka_sink_port,
    .begin = kafka_sink_begin,
    .write = kafka_sink_write,
    .apply = kafka_sink_apply,
    .commit = kafka_sink_commit,
    .outcome = kafka_sink_outcome,
    .abort = kafka_sink_abort,
    .cancel = kafka_sink_cancel,
    .close = kafka_sink_close,
};

static Status check_request(const KafkaSink *self, Err *err)
{
    const SinkReq *req = self->sink.req;
    if (req->mode != SINK_APPEND) {
        (void)err_set(err, ERR_CONFIG, "%.*s: a topic can only be appended to",
                      STR_ARG(req->location->text));
        return err_hint(err, "mode append; a key still names each message: --key or `key:`");
    }
    if (!self->place.embedded || !exactly_once(self)) return OK;
    (void)err_set(err, ERR_CONFIG, "%.*s: the embedded broker has no transactions",
                  STR_ARG(req->location->text));
    return err_hint(err, "say at_least_once (delivery=at_least_once in a location), or use a real "
                         "broker");
}

Status kafka_sink_new(const SinkReq *req, Sink **ret_sink, Err *err)
{
    KafkaSink *self = mem_zalloc((int64_t)sizeof *self);
    if (!self) return err_memory(err);
    self->sink = (Sink){.ops = &KAFKA_SINK_OPS, .req = req};
    if (kafka_place_init(&self->place, req->location, err) != OK) {
        mem_free(self);
        return FAIL;
    }
    position_init(&self->sent);
    reject_list_init(&self->refused);
    kafka_producer_init(&self->producer, &self->place);
    self->producer.client.stop = req->stop;
    if (check_request(self, err) != OK) {
        kafka_sink_close(&self->sink);
        return FAIL;
    }
    *ret_sink = &self->sink;
    return OK;
}
