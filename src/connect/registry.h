/* The connectors by scheme: drivers ask here and know no system by name. */
#ifndef NEURON_REGISTRY_H
#define NEURON_REGISTRY_H

#include "connect/sink.h"
#include "connect/source.h"

/* One connector. Each connector's room exports one `const Connector <scheme>_connector`. */
typedef struct Connector {
    const char *scheme;
    const char *title;          /* "CSV and TSV files" */
    const char *const *options; /* names that the fragment may have, NULL-terminated; one that ends
                                   in a dot stands for all that begin with it */
    bool reads, writes;
    bool is_file;   /* default mode replace, default table none */
    bool merges;    /* given a key, a row that comes again doesn't stand there twice */
    bool open_rows; /* can give rows as JSON objects */
    bool samples;   /* its watermark follows samples: SourceReq.lag_…, .primary */
    Status (*source_new)(const SourceReq *req, Source **ret_source, Err *err);
    Status (*sink_new)(const SinkReq *req, Sink **ret_sink, Err *err);
} Connector;

/* Filled once at start by the program (cli/main.c), read-only afterwards. */
typedef struct Registry {
    const Connector *const *connectors;
    int32_t count;
} Registry;

/* ERR_CONFIG naming the schemes there are. */
MUST_USE Status registry_find(const Registry *registry, Str scheme, const Connector **ret_connector,
                              Err *err);
/* Look up the location's connector, check its options and make the source or sink. */
MUST_USE Status registry_source(const Registry *registry, const SourceReq *req, Source **ret_source,
                                Err *err);
MUST_USE Status registry_sink(const Registry *registry, const SinkReq *req, Sink **ret_sink,
                              Err *err);

#endif
