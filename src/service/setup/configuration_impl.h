/* What the files of this room share. */
#ifndef NEURON_CONFIGURATION_IMPL_H
#define NEURON_CONFIGURATION_IMPL_H

#include "service/setup/configuration.h"
#include "service/setup/quality_options.h"

/* Secrets of the whole document become known to the filter (redact.h): values under keys whose
 * names say so, and of URLs. An address of http that doesn't parse is a mistake. */
MUST_USE Status secrets_register(Configuration *configuration, const YamlNode *root, Err *err);
/* The URL under `state:` must parse. */
void state_check(Configuration *configuration);
/* `connections:` into configuration->connections. Mistakes are added; FAIL only when memory runs
 * out. */
MUST_USE Status connections_check(Configuration *configuration, Err *err);
extern const char CONNECTIONS_SCHEMA[];
/* PipelineOptions to PipelineConfig, with all further checks. */
MUST_USE Status pipelines_make(Configuration *configuration, Err *err);
/* StreamOptions to StreamConfig, with all further checks, expressions too. */
MUST_USE Status streams_make(Configuration *configuration, Err *err);
extern const OptionGroup STREAM_GROUP;
/* QualityOptions to QualitySet, rules too. Before the pipelines, whose steps name sets. */
MUST_USE Status quality_make(Configuration *configuration, Err *err);
/* The location under a key: a connection's name or a location as it is. */
void location_settle(Configuration *configuration, const OptionHead *head, const char *key,
                     Str text, Location *location);
/* What the source would be refused for at the start of a run, as a mistake at `node`. A location
 * that is none was a mistake already. */
void source_check(Configuration *configuration, const YamlNode *node, const SourceReq *req);
/* Each of them must stand in the query. */
void params_check(Configuration *configuration, const YamlNode *node, Str query);
/* The map under `params:`; may be NULL. */
MUST_USE Status params_make(Configuration *configuration, const YamlNode *node,
                            const SourceParam **ret_params, int32_t *ret_count, Err *err);
/* An empty configuration of that path. */
MUST_USE Status configuration_begin(const Registry *registry, Str path,
                                    Configuration *configuration, Err *err);
/* An error as a mistake at the node. */
void mistake_from(Configuration *configuration, const YamlNode *node, const Err *err);
/* Where a scalar's text begins in the file. */
void text_place(const Configuration *configuration, const YamlNode *node, int64_t *ret_line,
                int64_t *ret_column);
/* No two pipelines or streams may append to one file (file_targets.c): it keeps one position. Adds
 * mistakes. */
void file_targets_check(Configuration *configuration);
/* Schedules and `after:`. Mistakes are added; FAIL only when memory runs out. */
MUST_USE Status timing_check(Configuration *configuration, Err *err);
/* `alerts:` and the rules that are on by default, into configuration->alerts. */
MUST_USE Status alerts_make(Configuration *configuration, Err *err);
extern const OptionGroup ALERTS_GROUP;
/* The list under `steps:`. */
MUST_USE Status steps_make(Configuration *configuration, const YamlNode *node,
                           PipelineConfig *pipeline, Err *err);

#endif
