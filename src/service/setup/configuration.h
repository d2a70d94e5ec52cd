/* The configuration file: read whole, checked whole, turned into what the drivers take. */
#ifndef NEURON_CONFIGURATION_H
#define NEURON_CONFIGURATION_H

#include "foundation/config/substitute.h"
#include "service/alert/alert.h"
#include "work/pipeline/pipeline.h"
#include "work/quality/quality_set.h"
#include "work/stream/stream.h"

/* The structs that the option tables fill; what is not looked into yet stays a node. */
typedef struct NeuronOptions {
    OptionHead head;
    Str id, name, type;
} NeuronOptions;

typedef struct HttpOptions {
    OptionHead head;
    Str listen, token;
    bool metrics_public;
} HttpOptions;

typedef struct FederationOptions {
    OptionHead head;
    Str url, former_url;
    int64_t heartbeat_us, outbox;
} FederationOptions;

typedef struct RetryOptions {
    OptionHead head;
    int64_t attempts, wait_us;
} RetryOptions;

typedef struct IncrementalOptions {
    OptionHead head;
    Str cursor, start, overlap, lag;
    int32_t nulls, emptied;
} IncrementalOptions;

typedef struct WhenOptions {
    Str schedule;
    int32_t catch_up, overlap;
    TextList after;
    bool at_start;
} WhenOptions;

typedef struct PipelineSourceOptions {
    Str from, primary, from_table, query;
    const YamlNode *params, *csv;
} PipelineSourceOptions;

typedef struct PipelineOptions {
    OptionHead head;
    WhenOptions when;
    PipelineSourceOptions source;
    Str to, table;
    RetryOptions retry;
    const YamlNode *steps, *rejects;
    IncrementalOptions incremental;
    int32_t mode;
    TextList key, ignore_for_change;
    bool create, evolve;
    double max_delete;
    int64_t parallel;
} PipelineOptions;

/* Where messages come from or go to: one of topic, table, file. */
typedef struct StreamPlaceOptions {
    OptionHead head;
    Str connection, topic, table, file;
    Str group, instance; /* from */
    int32_t start;       /* from: earliest | latest */
    int32_t mode;        /* to a table: append | upsert */
    const YamlNode *key; /* to */
    bool create, evolve; /* to a table */
    int32_t format;      /* dead letters: envelope | raw */
} StreamPlaceOptions;

typedef struct StreamOptions {
    OptionHead head;
    StreamPlaceOptions from, to, dead_letter;
    Str route_by;
    const YamlNode *processors, *options;
    int32_t unknown, delivery;
    Str max_rejects;
    const YamlNode *window, *check; /* not there yet: refused */
    int64_t cycle_us, cycle_rows;
} StreamOptions;

typedef struct AlertThresholdOptions {
    OptionHead head;
    double disk, memory;
    int64_t lag_us, failures, within_us, wait_us, federation_us;
} AlertThresholdOptions;

typedef struct AlertRuleOptions {
    OptionHead head;
    Str name, when, severity, summary;
    int64_t for_us, keep_us;
    const YamlNode *labels;
    bool enabled;
} AlertRuleOptions;

typedef struct AlertReceiverOptions {
    OptionHead head;
    Str name, webhook, alertmanager, slack, token, secret;
    TextList command;
    bool federation, resolved;
} AlertReceiverOptions;

typedef struct AlertsOptions {
    OptionHead head;
    bool defaults;
    AlertThresholdOptions thresholds;
    GroupList rules;     /* AlertRuleOptions */
    GroupList receivers; /* AlertReceiverOptions */
    TextList group_by;
    int64_t interval_us, group_interval_us, repeat_us, retry_us;
    Str external_url;
} AlertsOptions;

typedef struct TestOptions {
    OptionHead head;
    Str pipeline, processor, name;
    const YamlNode *input, *output;
    int64_t rejects, dead_letters;
} TestOptions;

/* A connection: its location, and what belongs to the system there. */
typedef struct ConnectionOptions {
    OptionHead head;
    Str url;
    int64_t timeout_us;  /* how long a statement may give nothing; 0: as the connector has it */
    int64_t concurrency; /* pipelines, and as many checks, that use it at the same time */
} ConnectionOptions;

typedef struct ConfigurationOptions {
    OptionHead head;
    NeuronOptions neuron;
    Str state;
    int64_t memory_bytes;
    int32_t values; /* 1: masked */
    HttpOptions http;
    FederationOptions federation;
    const YamlNode *connections;
    GroupList pipelines; /* PipelineOptions */
    GroupList streams;   /* StreamOptions */
    GroupList quality;   /* QualityOptions */
    AlertsOptions alerts;
    GroupList tests; /* TestOptions */
    int64_t drain_us;
    int64_t concurrency; /* pipelines, and as many checks, at the same time */
} ConfigurationOptions;

extern const OptionGroup CONFIGURATION_GROUP;

/* One configuration, with everything that it points to. */
typedef struct Configuration {
    const Registry *registry; /* of the locations; borrowed */
    Arena arena;
    Buf text; /* the file as it was read */
    Str path;
    ConfigurationOptions options;
    ConnectionOptions *connections; /* in the file's order */
    int32_t connection_count;
    MistakeList mistakes;
    PipelineConfig *pipelines; /* in the file's order; only complete when there are no mistakes */
    int32_t pipeline_count;
    StreamConfig *streams; /* likewise */
    QualitySet *quality;   /* likewise */
    int32_t quality_count;
    int32_t stream_count;
    AlertSettings alerts;
} Configuration;

/* Read and check. Returns FAIL only when the file can't be read or is no YAML (one error);
 * otherwise look at mistakes.count. `configuration` is freed with configuration_done in either
 * case. */
MUST_USE Status configuration_load(const Registry *registry, Str path, const SubstituteFrom *from,
                                   Configuration *configuration, Err *err);
/* The same from text (tests, built-in configurations). */
MUST_USE Status configuration_parse(const Registry *registry, Str path, Str text,
                                    const SubstituteFrom *from, Configuration *configuration,
                                    Err *err);
void configuration_done(Configuration *configuration);

/* FAIL: ERR_CONFIG naming the nearest pipeline. */
MUST_USE Status configuration_pipeline(const Configuration *configuration, Str name,
                                       const PipelineConfig **ret_pipeline, Err *err);
MUST_USE Status configuration_stream(const Configuration *configuration, Str name,
                                     const StreamConfig **ret_stream, Err *err);
MUST_USE Status configuration_quality(const Configuration *configuration, Str name,
                                      const QualitySet **ret_set, Err *err);
/* A file of rules alone: a list of rules, or a map as under `quality:`. As configuration_load: look
 * at mistakes.count; `configuration` owns what the set points to. */
MUST_USE Status configuration_rules_load(const Registry *registry, Str path,
                                         const SubstituteFrom *from, Configuration *configuration,
                                         QualitySet *ret_set, Err *err);
/* A connection's name, or a location as it is. A connection may be a connector's alias
 * (`embedded`). */
MUST_USE Status configuration_location(Configuration *configuration, Str text,
                                       Location *ret_location, Err *err);
/* Mistakes, one a line: file:line:column: what (the fix). */
MUST_USE Status configuration_print_mistakes(const Configuration *configuration, Buf *out,
                                             Err *err);
/* The first mistakes as one error, for commands other than validate. */
MUST_USE Status configuration_check(const Configuration *configuration, Err *err);

/* The guide's complete neuron as a configuration's text. With `from`, parts whose variables
 * (SOURCE_DB_URL, TARGET_DB_URL, KAFKA_SERVERS) are not set are left out; NULL: all of it. */
MUST_USE Status configuration_guide(const SubstituteFrom *from, Buf *out, Err *err);
MUST_USE Status configuration_guide_load(const Registry *registry, const SubstituteFrom *from,
                                         Configuration *ret_configuration, Err *err);

/* A commented starter configuration. */
extern const char CONFIGURATION_STARTER[];

#endif
