/* Locations: URLs and paths as users write them, taken apart; and the options after `#`. */
#ifndef NEURON_LOCATION_H
#define NEURON_LOCATION_H

#include "foundation/base/arena.h"

typedef struct LocationOption {
    Str name;
    Str value;
} LocationOption;

typedef struct Connector Connector; /* connect/connector.h */
typedef struct Registry Registry;

typedef enum LocationKind {
    LOCATION_NONE, /* not given */
    LOCATION_FILE, /* files: rows in order, replaced or appended to as a whole */
    LOCATION_TABLE,
    LOCATION_TOPIC, /* messages in partitions */
} LocationKind;

/* `postgresql+asyncpg://u:p@h/db?x=y` -> url without the driver suffix;
 * `dir/x.csv.gz#delimiter=;` -> path "dir/x.csv.gz", compression "gz", option;
 * `-#ndjson` -> path "-". sqlite:///rel.db and sqlite:////abs.db -> path. Texts live in the arena
 * given to location_parse. */
typedef struct Location {
    Str text;                   /* as written, secrets masked: fit for messages */
    const Connector *connector; /* whose it is; NULL: not given */
    LocationKind kind;          /* the connector's */
    Str url;                    /* databases and brokers: the URL without a driver suffix */
    Str path;                   /* files, SQLite: the path; "-": standard input or output */
    bool ephemeral;             /* what is written there ends with the process */
    Str compression;            /* "", "gz", "zst" (by the file's ending) */
    LocationOption *options;    /* of the fragment, in order */
    int32_t option_count;
} Location;

/* A location of one of the connectors. FAIL: ERR_CONFIG with the nearest known scheme or ending as
 * hint, or where a URL's authority doesn't parse, which is never quoted. Its secrets are registered
 * with the filter (redact.h). */
MUST_USE Status location_parse(const Registry *registry, Str text, Arena *arena,
                               Location *ret_location, Err *err);
/* Take the options of a text `name=value&…`, values percent-decoded; `compression` counts for the
 * file itself. */
MUST_USE Status location_options(Location *location, Str text, Arena *arena, Err *err);
/* The value of an option, or STR_NULL. */
Str location_option(const Location *location, Str name);
/* Append an option (a later one of the same name wins). */
MUST_USE Status location_set(Location *location, Arena *arena, Str name, Str value, Err *err);
/* Both name the same file, whatever its format; never true of standard output and devices. */
bool location_same_file(const Location *a, const Location *b);

#endif
