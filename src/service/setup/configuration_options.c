/* The option tables: every key that a configuration may have, with its meaning and default. */
#include "service/setup/configuration.h"
#include "service/setup/quality_options.h"
#include "service/setup/sections.h"

#include "service/setup/quality_options.h"
#include "service/setup/sections.h"

#define FIELD(Type, field) (int64_t) offsetof(Type, field)

static const Option NEURON_OPTIONS[] = {
    {.name = "id",
     .type = OPTION_TEXT,
     .offset = FIELD(NeuronOptions, id),
     .otherwise = "data-processor-001",
     .summary = "The neuron's id in its federation."},
    {.name = "name",
     .type = OPTION_TEXT,
     .offset = FIELD(NeuronOptions, name),
     .otherwise = "Data Processing Neuron",
     .summary = "The name shown to people."},
    {.name = "type",
     .type = OPTION_TEXT,
     .offset = FIELD(NeuronOptions, type),
     .otherwise = "python-data-processor",
     .summary = "What the federation knows such neurons as."},
};
static const OptionGroup NEURON_GROUP = {"neuron", sizeof(NeuronOptions), NEURON_OPTIONS,
                                         COUNT_OF(NEURON_OPTIONS)};

static const Option HTTP_OPTIONS[] = {
    {.name = "listen",
     .type = OPTION_TEXT,
     .offset = FIELD(HttpOptions, listen),
     .otherwise = "127.0.0.1:8080",
     .summary = "Address and port of the HTTP API."},
    {.name = "token",
     .type = OPTION_TEXT,
     .offset = FIELD(HttpOptions, token),
     .summary = "Bearer token; without one only loopback is served."},
    {.name = "metrics_public",
     .type = OPTION_BOOL,
     .offset = FIELD(HttpOptions, metrics_public),
     .summary = "Serve /metrics without the token."},
};
static const OptionGroup HTTP_GROUP = {"http", sizeof(HttpOptions), HTTP_OPTIONS,
                                       COUNT_OF(HTTP_OPTIONS)};

static const Option FEDERATION_OPTIONS[] = {
    {.name = "url",
     .type = OPTION_TEXT,
     .offset = FIELD(FederationOptions, url),
     .summary = "Address of the federation's core; empty: off."},
    {.name = "heartbeat",
     .type = OPTION_DURATION,
     .offset = FIELD(FederationOptions, heartbeat_us),
     .otherwise = "60s",
     .summary = "Time between heartbeats."},
    {.name = "outbox",
     .type = OPTION_INT,
     .offset = FIELD(FederationOptions, outbox),
     .otherwise = "10000",
     .summary = "Reports that wait at most while the core is away; the oldest are dropped."},
    {.name = "former_url",
     .type = OPTION_TEXT,
     .offset = FIELD(FederationOptions, former_url),
     .summary = "The address by which this core was known before; its token is used again."},
};
static const OptionGroup FEDERATION_GROUP = {"federation", sizeof(FederationOptions),
                                             FEDERATION_OPTIONS, COUNT_OF(FEDERATION_OPTIONS)};

static const Option RETRY_OPTIONS[] = {
    {.name = "attempts",
     .type = OPTION_INT,
     .offset = FIELD(RetryOptions, attempts),
     .otherwise = "1",
     .summary = "How often a run is tried when an error can pass by itself."},
    {.name = "wait",
     .type = OPTION_DURATION,
     .offset = FIELD(RetryOptions, wait_us),
     .otherwise = "5m",
     .summary = "Time between attempts."},
};
static const OptionGroup RETRY_GROUP = {"retry", sizeof(RetryOptions), RETRY_OPTIONS,
                                        COUNT_OF(RETRY_OPTIONS)};

/* In the order of the bool and of EmptiedTarget. */
static const char *const NULLS[] = {"refuse", "read", NULL};
static const char *const EMPTIED[] = {"refuse", "reload", "continue", NULL};

static const Option INCREMENTAL_OPTIONS[] = {
    {.name = "cursor",
     .type = OPTION_TEXT,
     .offset = FIELD(IncrementalOptions, cursor),
     .required = true,
     .summary = "The column that grows with new and changed rows."},
    {.name = "start",
     .type = OPTION_TEXT,
     .offset = FIELD(IncrementalOptions, start),
     .summary = "Where the first run begins; empty: everything."},
    {.name = "overlap",
     .type = OPTION_TEXT,
     .offset = FIELD(IncrementalOptions, overlap),
     .summary = "Read this much before the watermark again: a time (10m), or a number for a cursor "
                "that is one; for cursors that clients write. Needs a `key`, by which a database "
                "knows what it has already."},
    {.name = "lag",
     .type = OPTION_TEXT,
     .offset = FIELD(IncrementalOptions, lag),
     .summary = "Stay this much before the newest rows: a time (5m), or a number for a cursor that "
                "is one. No row is missed that comes no later; PostgreSQL."},
    {.name = "nulls",
     .type = OPTION_CHOICE,
     .offset = FIELD(IncrementalOptions, nulls),
     .choices = NULLS,
     .summary = "Rows without a cursor: refuse (the default) ends the run with their number, read "
                "takes them in each run; those that were loaded are known by the key or their "
                "values."},
    {.name = "emptied",
     .type = OPTION_CHOICE,
     .offset = FIELD(IncrementalOptions, emptied),
     .choices = EMPTIED,
     .summary =
         "A target table that was dropped, emptied or created again since the last run: refuse "
         "(the default) ends the run, reload reads everything again, continue goes on from "
         "the watermark."},
};
static const OptionGroup INCREMENTAL_GROUP = {"incremental", sizeof(IncrementalOptions),
                                              INCREMENTAL_OPTIONS, COUNT_OF(INCREMENTAL_OPTIONS)};

/* In the order of SinkMode. */
static const char *const MODES[] = {"append", "upsert", "replace", "mirror", NULL};
static const char *const CATCH_UPS[] = {"none", "last", "all", NULL};
static const char *const OVERLAPS[] = {"skip", "queue", NULL};

static const char STEPS_SCHEMA[] =
    "{\"description\":\"What happens to the rows, in order.\",\"type\":\"array\",\"items\":{"
    "\"type\":\"object\",\"additionalProperties\":false,\"minProperties\":1,\"properties\":{"
    "\"select\":{\"type\":\"string\"},\"where\":{\"type\":\"string\"},"
    "\"drop_nulls\":{\"anyOf\":[{\"const\":\"all\"},{\"type\":\"array\",\"items\":{\"type\":"
    "\"string\"}}]},\"drop_duplicates\":{\"anyOf\":[{\"const\":\"all\"},{\"type\":\"object\","
    "\"additionalProperties\":false,\"properties\":{\"by\":{\"type\":\"array\",\"items\":{"
    "\"type\":\"string\"}},\"keep\":{\"enum\":[\"first\",\"last\"]}}}]},\"check\":{"
    "\"description\":\"A set of rules under quality, judged before the rows are published.\"},"
    "\"on_fail\":{\"description\":\"Beside check: what a failed rule does that doesn't say its "
    "own. "
    "warn: the rows are published, and the result has a warning; reject: rows that fail a row rule "
    "go to rejects; stop: the run fails and nothing is published.\",\"default\":\"warn\","
    "\"enum\":[\"stop\",\"reject\",\"warn\"]}}}}";

static const Option PIPELINE_OPTIONS[] = {
    {.name = "schedule",
     .type = OPTION_TEXT,
     .offset = FIELD(PipelineOptions, when.schedule),
     .summary =
         "When `neuron run` runs it: cron of five fields, @hourly…, or `every 15m`. Without one "
         "it runs at the start of `neuron run` (see at_start), by `neuron etl` and the API."},
    {.name = "at_start",
     .type = OPTION_BOOL,
     .offset = FIELD(PipelineOptions, when.at_start),
     .otherwise = "true",
     .summary =
         "Also run once at each start of `neuron run`, with a schedule or without. false: for "
         "a pipeline that appends the same rows at each run."},
    {.name = "retry",
     .type = OPTION_GROUP,
     .offset = FIELD(PipelineOptions, retry),
     .group = &RETRY_GROUP,
     .summary = "Retries of a run."},
    {.name = "from",
     .type = OPTION_TEXT,
     .offset = FIELD(PipelineOptions, source.from),
     .required = true,
     .summary = "A connection's name, or a location."},
    {.name = "primary",
     .type = OPTION_TEXT,
     .offset = FIELD(PipelineOptions, source.primary),
     .summary = "Where `from` is a PostgreSQL standby: its primary, a connection's name or a "
                "location, which is asked who is at work; rows are read from the standby."},
    {.name = "from_table",
     .type = OPTION_TEXT,
     .offset = FIELD(PipelineOptions, source.from_table),
     .summary = "The table to read, where there is no query."},
    {.name = "query",
     .type = OPTION_TEXT,
     .offset = FIELD(PipelineOptions, source.query),
     .summary = "SQL that returns the rows; :name is a parameter."},
    {.name = "params",
     .type = OPTION_NODE,
     .offset = FIELD(PipelineOptions, source.params),
     .summary = "Values of the query's parameters; { ago: 1d }: so long before the run, in UTC.",
     .schema = "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"number\","
               "\"boolean\",\"null\",\"object\"]}}"},
    {.name = "csv",
     .type = OPTION_NODE,
     .offset = FIELD(PipelineOptions, source.csv),
     .summary = "Options of a CSV source: delimiter, header, null, encoding, types and those in "
                "docs/files.md.",
     .schema = "{\"type\":\"object\"}"},
    {.name = "incremental",
     .type = OPTION_GROUP,
     .offset = FIELD(PipelineOptions, incremental),
     .group = &INCREMENTAL_GROUP,
     .summary = "Read only what is new since the last run."},
    {.name = "steps",
     .type = OPTION_NODE,
     .offset = FIELD(PipelineOptions, steps),
     .summary = "What happens to the rows, in order.",
     .schema = STEPS_SCHEMA},
    {.name = "to",
     .type = OPTION_TEXT,
     .offset = FIELD(PipelineOptions, to),
     .required = true,
     .summary = "A connection's name, or a location."},
    {.name = "table",
     .type = OPTION_TEXT,
     .offset = FIELD(PipelineOptions, table),
     .summary = "The target table, `name` or `schema.name`."},
    {.name = "mode",
     .type = OPTION_CHOICE,
     .offset = FIELD(PipelineOptions, mode),
     .choices = MODES,
     .summary = "How rows reach the target; default upsert with a key, else "
                "append to tables and replace for files."},
    {.name = "key",
     .type = OPTION_TEXTS,
     .offset = FIELD(PipelineOptions, key),
     .summary = "The columns that name a row."},
    {.name = "ignore_for_change",
     .type = OPTION_TEXTS,
     .offset = FIELD(PipelineOptions, ignore_for_change),
     .summary = "Columns whose difference alone doesn't make a row changed."},
    {.name = "create",
     .type = OPTION_BOOL,
     .offset = FIELD(PipelineOptions, create),
     .otherwise = "true",
     .summary = "Create the table when it is missing."},
    {.name = "evolve",
     .type = OPTION_BOOL,
     .offset = FIELD(PipelineOptions, evolve),
     .otherwise = "true",
     .summary = "Add columns that the table lacks."},
    {.name = "max_delete",
     .type = OPTION_SHARE,
     .offset = FIELD(PipelineOptions, max_delete),
     .otherwise = "10%",
     .summary = "mode mirror: the largest share of rows it may delete."},
    {.name = "parallel",
     .type = OPTION_INT,
     .offset = FIELD(PipelineOptions, parallel),
     .otherwise = "1",
     .summary = "Readers of one table."},
    {.name = "after",
     .type = OPTION_TEXTS,
     .offset = FIELD(PipelineOptions, when.after),
     .summary = "Pipelines that must have succeeded since their last tick."},
    {.name = "catch_up",
     .type = OPTION_CHOICE,
     .offset = FIELD(PipelineOptions, when.catch_up),
     .choices = CATCH_UPS,
     .otherwise = "last",
     .summary = "Which missed ticks are made up for."},
    {.name = "overlap",
     .type = OPTION_CHOICE,
     .offset = FIELD(PipelineOptions, when.overlap),
     .choices = OVERLAPS,
     .otherwise = "skip",
     .summary = "What a tick does while the last run goes on."},
    {.name = "rejects",
     .type = OPTION_NODE,
     .offset = FIELD(PipelineOptions, rejects),
     .summary = "`stop`, or the table or location that refused rows go to.",
     .schema = "{\"type\":\"string\"}"},
};
static const OptionGroup PIPELINE_GROUP = {"the pipeline", sizeof(PipelineOptions),
                                           PIPELINE_OPTIONS, COUNT_OF(PIPELINE_OPTIONS)};

static const Option TEST_OPTIONS[] = {
    {.name = "name",
     .type = OPTION_TEXT,
     .offset = FIELD(TestOptions, name),
     .summary = "What the test shows."},
    {.name = "pipeline",
     .type = OPTION_TEXT,
     .offset = FIELD(TestOptions, pipeline),
     .summary = "The pipeline whose steps are run."},
    {.name = "processor",
     .type = OPTION_TEXT,
     .offset = FIELD(TestOptions, processor),
     .summary = "The stream's processor, stream/type."},
    {.name = "input",
     .type = OPTION_NODE,
     .offset = FIELD(TestOptions, input),
     .required = true,
     .summary = "The rows or messages that go in.",
     .schema = "{\"type\":\"array\"}"},
    {.name = "output",
     .type = OPTION_NODE,
     .offset = FIELD(TestOptions, output),
     .required = true,
     .summary = "What must come out.",
     .schema = "{\"type\":\"array\"}"},
    {.name = "rejects",
     .type = OPTION_INT,
     .offset = FIELD(TestOptions, rejects),
     .otherwise = "0",
     .summary = "How many rows must be refused."},
    {.name = "dead_letters",
     .type = OPTION_INT,
     .offset = FIELD(TestOptions, dead_letters),
     .otherwise = "0",
     .summary = "How many messages must become dead letters."},
};
static const OptionGroup TEST_GROUP = {"the test", sizeof(TestOptions), TEST_OPTIONS,
                                       COUNT_OF(TEST_OPTIONS)};

static const char *const VALUES[] = {"shown", "masked", NULL};

static const Option CONFIGURATION_OPTIONS[] = {
    {.name = "neuron",
     .type = OPTION_GROUP,
     .offset = FIELD(ConfigurationOptions, neuron),
     .group = &NEURON_GROUP,
     .summary = "Who this neuron is."},
    {.name = "state",
     .type = OPTION_TEXT,
     .offset = FIELD(ConfigurationOptions, state),
     .otherwise = "sqlite:///neuron-state.db",
     .summary = "Where the neuron keeps its own state."},
    {.name = "memory",
     .type = OPTION_SIZE,
     .offset = FIELD(ConfigurationOptions, memory_bytes),
     .otherwise = "512MB",
     .summary = "Budget for what grows with the data; past it work spills to disk."},
    {.name = "values",
     .type = OPTION_CHOICE,
     .offset = FIELD(ConfigurationOptions, values),
     .choices = VALUES,
     .otherwise = "shown",
     .summary =
         "masked: no value of a row in logs, errors, evidence, reports and lists of rejects."},
    {.name = "drain",
     .type = OPTION_DURATION,
     .offset = FIELD(ConfigurationOptions, drain_us),
     .otherwise = "30s",
     .summary = "How long an orderly end may take."},
    {.name = "concurrency",
     .type = OPTION_INT,
     .offset = FIELD(ConfigurationOptions, concurrency),
     .otherwise = "64",
     .summary = "How many pipelines, and as many checks, run at the same time; others wait."},
    {.name = "http",
     .type = OPTION_GROUP,
     .offset = FIELD(ConfigurationOptions, http),
     .group = &HTTP_GROUP,
     .summary = "The HTTP API and status page."},
    {.name = "federation",
     .type = OPTION_GROUP,
     .offset = FIELD(ConfigurationOptions, federation),
     .group = &FEDERATION_GROUP,
     .summary = "The federation that this neuron belongs to."},
    {.name = "connections",
     .type = OPTION_NODE,
     .offset = FIELD(ConfigurationOptions, connections),
     .summary = "Locations by name; a map where more than the location is said.",
     .schema = CONNECTIONS_SCHEMA},
    {.name = "pipelines",
     .type = OPTION_GROUPS,
     .offset = FIELD(ConfigurationOptions, pipelines),
     .group = &PIPELINE_GROUP,
     .summary = "Pipelines by name."},
    {.name = "streams",
     .type = OPTION_GROUPS,
     .offset = FIELD(ConfigurationOptions, streams),
     .group = &STREAM_GROUP,
     .summary = "Streams by name."},
    {.name = "quality",
     .type = OPTION_GROUPS,
     .offset = FIELD(ConfigurationOptions, quality),
     .group = &QUALITY_GROUP,
     .summary = "Sets of quality rules by name."},
    {.name = "alerts",
     .type = OPTION_GROUP,
     .offset = FIELD(ConfigurationOptions, alerts),
     .group = &ALERTS_GROUP,
     .summary = "Alert conditions and receivers."},
    {.name = "tests",
     .type = OPTION_ITEMS,
     .offset = FIELD(ConfigurationOptions, tests),
     .group = &TEST_GROUP,
     .summary = "Inputs and the outputs they must give (neuron test)."},
};
const OptionGroup CONFIGURATION_GROUP = {"the configuration", sizeof(ConfigurationOptions),
                                         CONFIGURATION_OPTIONS, COUNT_OF(CONFIGURATION_OPTIONS)};
