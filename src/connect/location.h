/* Locations: URLs and paths as users write them, taken apart; and the options after `#`. */
#ifndef NEURON_LOCATION_H
#define NEURON_LOCATION_H

#include "foundation/base/arena.h"

typedef struct LocationOption {
    Str name;
    Str value;
} LocationOption;

/* `postgresql+asyncpg://u:p@h/db?x=y` -> scheme "postgresql", url without the driver suffix;
 * `dir/x.csv.gz#delimiter=;` -> scheme "csv", path "dir/x.csv.gz", compression "gz", option;
 * `-#ndjson` -> scheme "ndjson", path "-". sqlite:///rel.db and sqlite:////abs.db -> scheme
 * "sqlite", path. Texts live in the arena given to location_parse. */
typedef struct Location {
    Str text;                /* as written, secrets masked: fit for messages */
    Str scheme;              /* postgresql, sqlite, mysql, kafka, csv, ndjson, fault, adbc */
    Str url;                 /* databases and brokers: the URL without a driver suffix */
    Str path;                /* files, SQLite: the path; "-": standard input or output */
    Str compression;         /* "", "gz", "zst" (by the file's ending) */
    LocationOption *options; /* of the fragment, in order */
    int32_t option_count;
} Location;

/* FAIL: ERR_CONFIG with the nearest known scheme or ending as hint, or where a URL's authority
 * doesn't parse, which is never quoted. Its secrets are registered with the filter (redact.h). tsv
 * is csv with a tab. */
MUST_USE Status location_parse(Str text, Arena *arena, Location *ret_location, Err *err);
/* The value of an option, or STR_NULL. */
Str location_option(const Location *location, Str name);
/* Append an option (a later one of the same name wins). */
MUST_USE Status location_set(Location *location, Arena *arena, Str name, Str value, Err *err);
/* Both name the same file, whatever its format; never true of standard output and devices. */
bool location_same_file(const Location *a, const Location *b);

#endif
