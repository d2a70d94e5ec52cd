/* The sections of a configuration, each from its options to what the drivers take. Mistakes are
 * added to the configuration; FAIL only when memory runs out. */
#ifndef NEURON_SETUP_SECTIONS_H
#define NEURON_SETUP_SECTIONS_H

#include "service/setup/configuration.h"

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
/* An empty configuration of that path. */
MUST_USE Status configuration_begin(const Registry *registry, Str path,
                                    Configuration *configuration, Err *err);
/* No two pipelines or streams may append to one file (file_targets.c): it keeps one position. Adds
 * mistakes. */
void file_targets_check(Configuration *configuration);
/* Schedules and `after:`. Mistakes are added; FAIL only when memory runs out. */
MUST_USE Status timing_check(Configuration *configuration, Err *err);
/* The names under `tests:` (configuration_test.c). Adds mistakes. */
void tests_check(Configuration *configuration);
/* `alerts:` and the rules that are on by default, into configuration->alerts. */
MUST_USE Status alerts_make(Configuration *configuration, Err *err);
extern const OptionGroup ALERTS_GROUP;
/* The list under `steps:`. */
MUST_USE Status steps_make(Configuration *configuration, const YamlNode *node,
                           PipelineConfig *pipeline, Err *err);

#endif
