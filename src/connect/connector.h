/* What a connector is: its locations, what it can do, how its sources and sinks are made. Others
 * ask for what a system can do, never for its name. */
#ifndef NEURON_CONNECTOR_H
#define NEURON_CONNECTOR_H

#include "connect/sink.h"
#include "connect/source.h"

/* A word that stands for a URL. */
typedef struct ConnectorAlias {
    const char *word;
    const char *url;
} ConnectorAlias;

/* What may follow `#` in a location. */
typedef struct ConnectorFragment {
    const char *const
        *options;              /* names; one that ends in a dot stands for all that begin with it */
    const char *const *source; /* those of them that say how to read, and are none of a target's */
    const char *client;        /* options of the system's own client begin with it: "rdkafka." */
    /* Judges one of those, named without that prefix, and connects to nothing. FAIL: ERR_CONFIG,
     * with the fix in a configuration's words. NULL: none can be judged so. */
    Status (*check)(Str name, Str value, Err *err);
} ConnectorFragment;

/* One connector. Each connector's room exports one `const Connector <name>_connector`, listed in
 * connectors.def. Lists of texts end in NULL; NULL: none.
 *
 * Those of kind LOCATION_TOPIC take the options group, instance, from (earliest, latest), tail,
 * delivery (exactly_once, at_least_once) and id, which streams set. */
struct Connector {
    const char *title; /* "CSV and TSV files" */
    LocationKind kind;

    /* ---- its locations ---- */
    const char *const *schemes; /* spellings of its URLs' scheme, the usual one first */
    bool authority;             /* after :// come hosts and perhaps a password */
    const char *const *endings; /* of its files, also names of its formats after `#` */
    const char *form;           /* how its URLs begin, for hints: "sqlite:///" */
    const char *const *looks;   /* endings of files that its URLs name, for hints */
    ConnectorAlias alternative; /* in a configuration */
    ConnectorFragment fragment;
    /* Fills in what only the connector knows; before the fragment's options are taken. `rest`: of a
     * URL what is after the scheme's colon, without the fragment; of a file its format's name.
     * NULL: nothing to do. */
    Status (*parse)(Location *location, Str rest, Arena *arena, Err *err);
    /* Sets options so that the client's own queues take no more than their share of
     * `memory_bytes`. NULL: it has none. */
    Status (*fit)(Location *location, int64_t memory_bytes, Arena *arena, Err *err);

    /* ---- what it can do ---- */
    bool reads, writes;
    bool merges;    /* given a key, a row that comes again is not stored twice */
    bool open_rows; /* gives rows as JSON objects: SourceReq.open */
    bool texts;     /* gives columns as texts, without a pass to find types: SourceReq.texts */
    bool messages;  /* takes batches of the message schema (engine/format/message.h) */
    bool samples;   /* its watermark follows samples: SourceOrder.lag_…, .primary */
    Status (*source_new)(const SourceReq *req, Source **ret_source, Err *err);
    Status (*sink_new)(const SinkReq *req, Sink **ret_sink, Err *err);
};

/* Filled once at start by the program (cli/main.c), read-only afterwards. */
struct Registry {
    const Connector *const *connectors;
    int32_t count;
};

/* The URL that a word stands for in a configuration (`embedded`); else the text itself. */
Str connector_alias(const Registry *registry, Str text);
/* May the connector's locations have that option? */
bool connector_has_option(const Connector *connector, Str option);
/* The option of that name, nearly; empty: none. */
Str connector_nearest_option(const Connector *connector, Str option);
/* What a source is refused for before it is made: its location's options, what is read of it. FAIL:
 * ERR_CONFIG. */
MUST_USE Status connector_source_check(const SourceReq *req, Err *err);
/* Check that, or the options of the sink's location, and make it. FAIL: ERR_CONFIG. */
MUST_USE Status connector_source(const SourceReq *req, Source **ret_source, Err *err);
MUST_USE Status connector_sink(const SinkReq *req, Sink **ret_sink, Err *err);

#endif
