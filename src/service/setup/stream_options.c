/* The option tables of streams: every key under `streams:`, with its meaning and default. */
#include "service/setup/sections.h"

#define FIELD(Type, field) (int64_t) offsetof(Type, field)

/* In the order of the enums in work/stream. */
static const char *const STARTS[] = {"earliest", "latest", NULL};
static const char *const MODES[] = {"append", "upsert", NULL};
static const char *const FORMATS[] = {"envelope", "raw", NULL};
static const char *const UNKNOWNS[] = {"drop", "dead_letter", "pass", NULL};
static const char *const DELIVERIES[] = {"exactly_once", "at_least_once", NULL};

#define CONNECTION(text)                                                                           \
    {                                                                                              \
        .name = "connection", .type = OPTION_TEXT,                                                 \
        .offset = FIELD(StreamPlaceOptions, connection), .summary = (text)                         \
    }
#define TOPIC(text)                                                                                \
    {                                                                                              \
        .name = "topic", .type = OPTION_TEXT, .offset = FIELD(StreamPlaceOptions, topic),          \
        .summary = (text)                                                                          \
    }
#define TABLE(text)                                                                                \
    {                                                                                              \
        .name = "table", .type = OPTION_TEXT, .offset = FIELD(StreamPlaceOptions, table),          \
        .summary = (text)                                                                          \
    }
#define FILE_OPTION(text)                                                                          \
    {                                                                                              \
        .name = "file", .type = OPTION_TEXT, .offset = FIELD(StreamPlaceOptions, file),            \
        .summary = (text)                                                                          \
    }

static const Option FROM_OPTIONS[] = {
    CONNECTION("The connection of the topic; default events."),
    TOPIC("The topic to read."),
    FILE_OPTION("Instead of a topic: a file of JSON lines; `-#ndjson` is standard input."),
    {.name = "group",
     .type = OPTION_TEXT,
     .offset = FIELD(StreamPlaceOptions, group),
     .summary = "The consumer group; default the stream's name."},
    {.name = "instance",
     .type = OPTION_TEXT,
     .offset = FIELD(StreamPlaceOptions, instance),
     .summary = "The name of this member of the group, where it is a static one."},
    {.name = "start",
     .type = OPTION_CHOICE,
     .offset = FIELD(StreamPlaceOptions, start),
     .choices = STARTS,
     .otherwise = "earliest",
     .summary = "Where a group without offsets begins."},
};
static const OptionGroup FROM_GROUP = {"`from`", sizeof(StreamPlaceOptions), FROM_OPTIONS,
                                       COUNT_OF(FROM_OPTIONS)};

static const Option TO_OPTIONS[] = {
    CONNECTION("The connection of the topic or table; default events for a topic."),
    TOPIC("The topic that outputs go to."),
    TABLE("Instead of a topic: a table of a database."),
    FILE_OPTION("Instead of a topic: a file that is appended to; `-#ndjson` is standard output."),
    {.name = "key",
     .type = OPTION_NODE,
     .offset = FIELD(StreamPlaceOptions, key),
     .summary = "The message's key, or the columns that name a row.",
     .schema = "{\"description\":\"Topic: the message's key, an expression over the output. "
               "Table: the columns that name a row.\",\"type\":[\"string\",\"array\"],"
               "\"items\":{\"type\":\"string\"}}"},
    {.name = "mode",
     .type = OPTION_CHOICE,
     .offset = FIELD(StreamPlaceOptions, mode),
     .choices = MODES,
     .summary = "Tables: default upsert with a key, else append."},
    {.name = "create",
     .type = OPTION_BOOL,
     .offset = FIELD(StreamPlaceOptions, create),
     .otherwise = "true",
     .summary = "Create the table when it is missing."},
    {.name = "evolve",
     .type = OPTION_BOOL,
     .offset = FIELD(StreamPlaceOptions, evolve),
     .otherwise = "true",
     .summary = "Add columns that the table lacks."},
};
static const OptionGroup TO_GROUP = {"`to`", sizeof(StreamPlaceOptions), TO_OPTIONS,
                                     COUNT_OF(TO_OPTIONS)};

static const Option LETTER_OPTIONS[] = {
    CONNECTION("The connection of the topic or table; default that of `to`."),
    TOPIC("The topic that dead letters go to."),
    TABLE("Instead of a topic: a table."),
    FILE_OPTION("Instead of a topic: a file that is appended to."),
    {.name = "format",
     .type = OPTION_CHOICE,
     .offset = FIELD(StreamPlaceOptions, format),
     .choices = FORMATS,
     .otherwise = "envelope",
     .summary = "envelope: an object that says what failed and why; raw: the message as it was, "
                "with headers that say so."},
};
static const OptionGroup LETTER_GROUP = {"`dead_letter`", sizeof(StreamPlaceOptions),
                                         LETTER_OPTIONS, COUNT_OF(LETTER_OPTIONS)};

static const char PROCESSORS_SCHEMA[] =
    "{\"description\":\"For each type of message its cases: the first whose `where` is true makes "
    "the output.\",\"type\":\"object\",\"additionalProperties\":{\"type\":\"array\",\"items\":{"
    "\"type\":\"object\",\"additionalProperties\":false,\"minProperties\":1,\"properties\":{"
    "\"where\":{\"type\":\"string\"},\"select\":{\"type\":\"string\"}}}}}";

static const Option STREAM_OPTIONS[] = {
    {.name = "from",
     .type = OPTION_GROUP,
     .offset = FIELD(StreamOptions, from),
     .group = &FROM_GROUP,
     .required = true,
     .summary = "Where messages come from."},
    {.name = "route_by",
     .type = OPTION_TEXT,
     .offset = FIELD(StreamOptions, route_by),
     .otherwise = "type",
     .summary = "The member (or expression) that names a message's processor."},
    {.name = "processors",
     .type = OPTION_NODE,
     .offset = FIELD(StreamOptions, processors),
     .required = true,
     .summary = "Processors by type.",
     .schema = PROCESSORS_SCHEMA},
    {.name = "unknown",
     .type = OPTION_CHOICE,
     .offset = FIELD(StreamOptions, unknown),
     .choices = UNKNOWNS,
     .otherwise = "drop",
     .summary = "What becomes of messages whose type has no processor."},
    {.name = "to",
     .type = OPTION_GROUP,
     .offset = FIELD(StreamOptions, to),
     .group = &TO_GROUP,
     .required = true,
     .summary = "Where outputs go to."},
    {.name = "dead_letter",
     .type = OPTION_GROUP,
     .offset = FIELD(StreamOptions, dead_letter),
     .group = &LETTER_GROUP,
     .summary = "Where messages that fail go to; without it the first one stops the stream."},
    {.name = "delivery",
     .type = OPTION_CHOICE,
     .offset = FIELD(StreamOptions, delivery),
     .choices = DELIVERIES,
     .otherwise = "exactly_once",
     .summary = "Outputs and positions in one transaction, or outputs first."},
    {.name = "max_rejects",
     .type = OPTION_TEXT,
     .offset = FIELD(StreamOptions, max_rejects),
     .summary = "Breaker: a larger share of dead letters holds the stream, as `10% in 1m`."},
    {.name = "window",
     .type = OPTION_NODE,
     .offset = FIELD(StreamOptions, window),
     .summary = "Not there yet."},
    {.name = "check",
     .type = OPTION_NODE,
     .offset = FIELD(StreamOptions, check),
     .summary = "Not there yet."},
    {.name = "cycle",
     .type = OPTION_DURATION,
     .offset = FIELD(StreamOptions, cycle_us),
     .otherwise = "100ms",
     .summary = "Outputs are committed at least so often."},
    {.name = "cycle_rows",
     .type = OPTION_INT,
     .offset = FIELD(StreamOptions, cycle_rows),
     .otherwise = "100000",
     .summary = "Messages after which outputs are committed at the latest."},
    {.name = "options",
     .type = OPTION_NODE,
     .offset = FIELD(StreamOptions, options),
     .summary = "librdkafka's own options, passed through.",
     .schema = "{\"description\":\"librdkafka's own options, passed through.\",\"type\":\"object\","
               "\"additionalProperties\":{\"type\":[\"string\",\"number\",\"boolean\"]}}"},
};
const OptionGroup STREAM_GROUP = {"the stream", sizeof(StreamOptions), STREAM_OPTIONS,
                                  COUNT_OF(STREAM_OPTIONS)};
