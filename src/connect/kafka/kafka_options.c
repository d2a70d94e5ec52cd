/* Judges options of librdkafka, with librdkafka but without a broker. */
#include "connect/kafka/kafka_options.h"

#include <librdkafka/rdkafka.h>

#include "foundation/base/arena.h"
#include "foundation/base/number.h"

enum { OPTION_ARENA_MAX = 1 << 24, OPTIONS_MAX = 512, IN_FLIGHT_MAX = 5 };

static const struct {
    const char *name, *in_url, *in_yaml;
} RESERVED[] = {
    {"bootstrap.servers", "name the brokers in the location", "the brokers are the connection's"},
    {"metadata.broker.list", "name the brokers in the location",
     "the brokers are the connection's"},
    {"group.id", "name the group with group=", "the group is `from.group`"},
    {"group.instance.id", "name the instance with instance=", "the instance is `from.instance`"},
    {"transactional.id",
     "name it with id=", "it is made of `neuron.id`, the stream's name and `from.group`"},
    {"enable.idempotence", "producers here always are idempotent",
     "producers here always are idempotent"},
    {"enable.auto.commit", "offsets are committed after delivered output",
     "offsets are committed after delivered output"},
    {"enable.auto.offset.store", "offsets are committed after delivered output",
     "offsets are committed after delivered output"},
    {"auto.offset.reset", "say from=earliest or from=latest",
     "say `start: earliest` or `start: latest` under `from`"},
    {"enable.partition.eof", "the end of a partition is always watched for",
     "the end of a partition is always watched for"},
    {"test.mock.num.brokers", "write kafka://embedded/topic", "name the connection `embedded`"},
};

const char *kafka_option_reserved(Str name, bool in_url)
{
    for (int32_t i = 0; i < COUNT_OF(RESERVED); i++) {
        if (!str_eq(name, str_from(RESERVED[i].name))) continue;
        return in_url ? RESERVED[i].in_url : RESERVED[i].in_yaml;
    }
    return NULL;
}

/* The nearest of librdkafka's names. */
static Status unknown(rd_kafka_conf_t *conf, Str name, Err *err)
{
    Str names[OPTIONS_MAX];
    int64_t count = 0;
    size_t pairs = 0;
    const char **all = rd_kafka_conf_dump(conf, &pairs);
    for (size_t i = 0; all && i + 1 < pairs && count < OPTIONS_MAX; i += 2) {
        names[count++] = str_from(all[i]);
    }
    Str near = str_nearest(name, names, count);
    (void)err_set(err, ERR_CONFIG, "librdkafka %s knows no option \"%.*s\"", rd_kafka_version_str(),
                  STR_ARG(name));
    if (near.len) (void)err_hint(err, "did you mean `%.*s`?", STR_ARG(near));
    else (void)err_hint(err, "its options are in librdkafka's CONFIGURATION.md");
    if (all) rd_kafka_conf_dump_free(all, pairs);
    return FAIL;
}

/* librdkafka would refuse these only when it makes the producer. */
static Status check_idempotence(Str name, Str value, Err *err)
{
    int64_t number = 0;
    bool acks = str_eq(name, STR("acks")) || str_eq(name, STR("request.required.acks"));
    bool flight = str_eq(name, STR("max.in.flight")) ||
                  str_eq(name, STR("max.in.flight.requests.per.connection"));
    bool many = flight && number_parse_int64(value, &number) == NUMBER_OK && number > IN_FLIGHT_MAX;
    if (acks && !str_eq(value, STR("all")) && !str_eq(value, STR("-1"))) {
        (void)err_set(err, ERR_CONFIG, "the option \"%.*s\" must be `all`", STR_ARG(name));
        return err_hint(err, "leave it out; producers here are idempotent, and all replicas "
                             "acknowledge each message");
    }
    if (!many) return OK;
    (void)err_set(err, ERR_CONFIG, "the option \"%.*s\" must be at most %d", STR_ARG(name),
                  IN_FLIGHT_MAX);
    return err_hint(err, "leave it out; producers here are idempotent");
}

/* librdkafka's own text may hold the value, which may be a secret: it isn't shown. */
static Status judge(rd_kafka_conf_t *conf, Str name, Str value, Err *err)
{
    char text[512];
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name.ptr, value.ptr, text, sizeof text);
    if (result == RD_KAFKA_CONF_UNKNOWN) return unknown(conf, name, err);
    if (result == RD_KAFKA_CONF_OK) return check_idempotence(name, value, err);
    (void)err_set(err, ERR_CONFIG, "librdkafka does not take the value of \"%.*s\"", STR_ARG(name));
    return err_hint(err, "its options and their ranges are in librdkafka's CONFIGURATION.md");
}

Status kafka_option_check(Str name, Str value, Err *err)
{
    const char *instead = kafka_option_reserved(name, false);
    if (instead) {
        (void)err_set(err, ERR_CONFIG, "the option \"%.*s\" can't be set here", STR_ARG(name));
        return err_hint(err, "%s", instead);
    }
    Arena arena = arena_make(OPTION_ARENA_MAX);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    Status status = conf ? OK : err_memory(err);
    if (status == OK) status = arena_copy(&arena, name, &name, err);
    if (status == OK) status = arena_copy(&arena, value, &value, err);
    if (status == OK) status = judge(conf, name, value, err);
    if (conf) rd_kafka_conf_destroy(conf);
    arena_done(&arena);
    return status;
}
