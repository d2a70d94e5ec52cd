/* Checks Kafka locations: each broker, the topic's name, the options. */
#include "connect/kafka/kafka_place.h"

#include "foundation/base/number.h"

enum { PLACE_ARENA_MAX = 1 << 20, TOPIC_NAME_MAX = 249, PORT_MAX = 65535, PORT_DEFAULT = 9092 };

static Status bad_broker(const KafkaPlace *place, Str broker, const char *what, Err *err)
{
    (void)err_set(err, ERR_CONFIG, "%.*s: the broker \"%.*s\" %s", STR_ARG(place->location->text),
                  STR_ARG(broker), what);
    return err_hint(err, "write kafka://host:port[,host:port]/topic");
}

static bool is_digits(Str text)
{
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
    }
    return text.len > 0;
}

static bool is_host_char(char c)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static bool is_host(Str host)
{
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        return str_find_char(host, ':') > 0;
    }
    for (int64_t i = 0; i < host.len; i++) {
        if (!is_host_char(host.ptr[i])) return false;
    }
    return host.len > 0;
}

/* The colon before the port; the broker's length where there is none. */
static int64_t port_colon(Str broker)
{
    for (int64_t i = broker.len - 1; i >= 0 && broker.ptr[i] != ']'; i--) {
        if (broker.ptr[i] == ':') return i;
    }
    return broker.len;
}

static Status add_broker(KafkaPlace *place, Str broker, Buf *out, Err *err)
{
    broker = str_trim(broker);
    if (broker.len == 0) return bad_broker(place, broker, "is empty", err);
    if (str_find_char(broker, '@') >= 0) {
        (void)bad_broker(place, STR("…@…"), "holds a name or a password", err);
        return err_hint(err, "give them as options: rdkafka.sasl.username=…&rdkafka.sasl.password=…"
                             "&rdkafka.sasl.mechanism=PLAIN&rdkafka.security.protocol=SASL_SSL");
    }
    int64_t colon = port_colon(broker);
    Str host = str_slice(broker, 0, colon), port = str_slice(broker, colon + 1, broker.len);
    int64_t number = PORT_DEFAULT;
    if (is_digits(host)) return bad_broker(place, broker, "is only a number; it needs a host", err);
    if (!is_host(host)) return bad_broker(place, broker, "has no valid host name", err);
    if (colon < broker.len) {
        bool good = is_digits(port) && number_parse_int64(port, &number) == NUMBER_OK &&
                    number >= 1 && number <= PORT_MAX;
        if (!good) return bad_broker(place, broker, "has a port that is not 1 to 65535", err);
    }
    return buf_printf(out, err, "%s%.*s:%lld", out->len ? "," : "", STR_ARG(host),
                      (long long)number);
}

static bool is_embedded(Str hosts)
{
    return str_eq(hosts, STR("embedded"));
}

static Status parse_brokers(KafkaPlace *place, Str list, Err *err)
{
    if (is_embedded(list)) {
        place->embedded = true;
        return OK;
    }
    CLEANUP(buf_done) Buf out = buf_make(PLACE_ARENA_MAX / 2);
    if (list.len == 0) return bad_broker(place, list, "is empty", err);
    int64_t from = 0;
    for (int64_t i = 0; i <= list.len; i++) {
        if (i < list.len && list.ptr[i] != ',') continue;
        TRY(add_broker(place, str_slice(list, from, i), &out, err));
        from = i + 1;
    }
    return arena_copy(&place->arena, buf_str(&out), &place->brokers, err);
}

static bool is_topic(Str name)
{
    for (int64_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '_' && c != '-') return false;
    }
    bool dots = str_eq(name, STR(".")) || str_eq(name, STR(".."));
    return name.len > 0 && name.len <= TOPIC_NAME_MAX && !dots;
}

Status kafka_place_topic(KafkaPlace *place, Str name, Str *ret_topic, Err *err)
{
    if (!is_topic(name)) {
        (void)err_set(err, ERR_CONFIG, "%.*s: \"%.*s\" is not a valid topic name",
                      STR_ARG(place->location->text), STR_ARG(name));
        return err_hint(err, "a topic has 1 to 249 letters, digits, dots, - and _; options come "
                             "after #: kafka://host:port/topic#group=name");
    }
    return arena_copy(&place->arena, name, ret_topic, err);
}

static Status bad_option(const KafkaPlace *place, const char *name, Str value, const char *known,
                         Err *err)
{
    (void)err_set(err, ERR_CONFIG, "%.*s: %s can't be \"%.*s\"", STR_ARG(place->location->text),
                  name, STR_ARG(value));
    return err_hint(err, "%s is %s", name, known);
}

static Status parse_options(KafkaPlace *place, Err *err)
{
    const Location *location = place->location;
    TRY(arena_copy(&place->arena, location_option(location, STR("group")), &place->group, err));
    TRY(arena_copy(&place->arena, location_option(location, STR("instance")), &place->instance,
                   err));
    TRY(arena_copy(&place->arena, location_option(location, STR("id")), &place->id, err));
    Str from = location_option(location, STR("from"));
    place->latest = str_eq(from, STR("latest"));
    if (from.len && !place->latest && !str_eq(from, STR("earliest"))) {
        return bad_option(place, "from", from, "earliest or latest", err);
    }
    Str tail = location_option(location, STR("tail"));
    bool counts = number_parse_int64(tail, &place->tail) == NUMBER_OK && place->tail > 0;
    if (tail.len && !counts) return bad_option(place, "tail", tail, "a number of messages", err);
    Str delivery = location_option(location, STR("delivery"));
    if (str_eq(delivery, STR("exactly_once"))) place->delivery = KAFKA_EXACTLY_ONCE;
    else if (str_eq(delivery, STR("at_least_once"))) place->delivery = KAFKA_AT_LEAST_ONCE;
    else if (delivery.len) {
        return bad_option(place, "delivery", delivery, "exactly_once or at_least_once", err);
    }
    return OK;
}

static Status parse_place(KafkaPlace *place, Err *err)
{
    Str rest = place->location->url;
    if (!str_starts(rest, STR("kafka://"))) {
        (void)err_set(err, ERR_CONFIG, "%.*s: not a Kafka location",
                      STR_ARG(place->location->text));
        return err_hint(err, "write kafka://host:port[,host:port]/topic");
    }
    rest = str_slice(rest, 8, rest.len);
    int64_t slash = str_find_char(rest, '/');
    TRY(parse_brokers(place, slash < 0 ? rest : str_slice(rest, 0, slash), err));
    Str topic = slash < 0 ? STR_NULL : str_slice(rest, slash + 1, rest.len);
    if (topic.len) TRY(kafka_place_topic(place, topic, &place->topic, err));
    return parse_options(place, err);
}

Status kafka_place_parse(Location *location, Str rest, Arena *arena UNUSED, Err *err UNUSED)
{
    Str hosts = str_starts(rest, STR("//")) ? str_slice(rest, 2, rest.len) : rest;
    int64_t slash = str_find_char(hosts, '/');
    location->ephemeral = is_embedded(slash < 0 ? hosts : str_slice(hosts, 0, slash));
    return OK;
}

Status kafka_place_fit(Location *location, int64_t memory_bytes, Arena *arena, Err *err)
{
    const struct {
        const char *name;
        int64_t size, least, most;
    } SIZES[] = {
        {"rdkafka.queued.max.messages.kbytes", memory_bytes / 16 / 1024, 1024, 32768},
        {"rdkafka.queued.min.messages", memory_bytes / 5120, 1000, 100000},
        {"rdkafka.fetch.max.bytes", memory_bytes / 10, 4 << 20, 50 << 20},
        {"rdkafka.queue.buffering.max.kbytes", memory_bytes / 8 / 1024, 8192, 65536},
        {"rdkafka.queue.buffering.max.messages", memory_bytes / 2560, 5000, 200000},
    };
    for (int32_t i = 0; i < COUNT_OF(SIZES); i++) {
        Str value;
        int64_t size = int64_min(int64_max(SIZES[i].size, SIZES[i].least), SIZES[i].most);
        TRY(arena_printf(arena, &value, err, "%lld", (long long)size));
        TRY(location_set(location, arena, str_from(SIZES[i].name), value, err));
    }
    return OK;
}

Status kafka_place_init(KafkaPlace *place, const Location *location, Err *err)
{
    *place = (KafkaPlace){.location = location, .arena = arena_make(PLACE_ARENA_MAX)};
    if (parse_place(place, err) == OK) return OK;
    kafka_place_done(place);
    return FAIL;
}

void kafka_place_done(KafkaPlace *place)
{
    arena_done(&place->arena);
}
