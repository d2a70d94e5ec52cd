/* Locations: which scheme a text names, its path or URL, its options, and the masked form. */
#include "connect/location.h"

#include "foundation/base/buf.h"
#include "foundation/codec/url.h"

enum { LOCATION_TEXT_MAX = 64 * 1024, LOCATION_OPTIONS_MAX = 256 };

#define LOCATION_MASK "***"

typedef struct NamePair {
    const char *name;
    const char *scheme;
    bool authority; /* URLs: the text after :// holds hosts and perhaps a password */
} NamePair;

/* Spellings of URL schemes, and the connector that each belongs to. */
static const NamePair url_schemes[] = {
    {"postgresql", "postgresql", true},
    {"postgres", "postgresql", true},
    {"sqlite", "sqlite", false},
    {"mysql", "mysql", true},
    {"mariadb", "mysql", true},
    {"kafka", "kafka", true},
    {"adbc", "adbc", false},
    {"fault", "fault", false},
};

/* Endings of files, also names of formats in a fragment. */
static const NamePair file_formats[] = {
    {"csv", "csv", false},
    {"tsv", "csv", false},
    {"ndjson", "ndjson", false},
    {"jsonl", "ndjson", false},
};

static const NamePair *pair_find(const NamePair *pairs, int64_t count, Str name)
{
    for (int64_t i = 0; i < count; i++) {
        if (str_eq_nocase(str_from(pairs[i].name), name)) return &pairs[i];
    }
    return NULL;
}

static const NamePair *format_find(Str name)
{
    return pair_find(file_formats, COUNT_OF(file_formats), name);
}

Str location_option(const Location *location, Str name)
{
    for (int32_t i = location->option_count - 1; i >= 0; i--) {
        if (str_eq(location->options[i].name, name)) return location->options[i].value;
    }
    return STR_NULL;
}

Status location_set(Location *location, Arena *arena, Str name, Str value, Err *err)
{
    if (location->option_count >= LOCATION_OPTIONS_MAX) {
        return err_set(err, ERR_CONFIG, "more than %d options", LOCATION_OPTIONS_MAX);
    }
    LocationOption *options = ARENA_ARRAY(arena, LocationOption, location->option_count + 1);
    if (!options) return err_memory(err);
    if (location->option_count > 0) {
        memcpy(options, location->options, (size_t)location->option_count * sizeof(LocationOption));
    }
    LocationOption *last = &options[location->option_count];
    TRY(arena_copy(arena, name, &last->name, err));
    TRY(arena_copy(arena, value, &last->value, err));
    location->options = options;
    location->option_count++;
    return OK;
}

static int64_t find_last(Str text, char c)
{
    for (int64_t i = text.len - 1; i >= 0; i--) {
        if (text.ptr[i] == c) return i;
    }
    return -1;
}

/* Where the password of `scheme://user:password@host` stands, to its @. A text that doesn't parse
 * is shown as its scheme alone. */
static bool find_password(Str text, int64_t *ret_from, int64_t *ret_to)
{
    Url url;
    int64_t start = str_find(text, STR("://"));
    if (start < 0 || str_starts(text, STR("sqlite")) || str_starts(text, STR("file"))) return false;
    if (url_parse(text, &url, NULL) != OK) {
        *ret_from = start + 3;
        *ret_to = text.len;
    } else {
        *ret_from = url.password.ptr - text.ptr;
        *ret_to = *ret_from + url.password.len;
    }
    return *ret_to > *ret_from;
}

static Str secret_value(Str text, int64_t equals)
{
    int64_t to = equals + 1;
    while (to < text.len && text.ptr[to] != '&' && text.ptr[to] != '#') to++;
    return str_slice(text, equals + 1, to);
}

static int64_t name_start(Str text, int64_t equals)
{
    int64_t from = equals;
    while (from > 0 && !strchr("?&#/;", text.ptr[from - 1])) from--;
    return from;
}

/* The text without passwords: of the user part, and of parameters whose name says so. */
static Status location_mask(Str text, Arena *arena, Str *ret_text, Err *err)
{
    int64_t secret_from = -1;
    int64_t secret_to = -1;
    (void)find_password(text, &secret_from, &secret_to);
    char *out = arena_alloc(arena, text.len * 4 + 8);
    if (!out) return err_memory(err);
    int64_t len = 0;
    for (int64_t i = 0; i < text.len; i++) {
        bool is_password = i == secret_from && secret_to > secret_from;
        if (is_password) {
            memcpy(out + len, LOCATION_MASK, 3);
            len += 3;
            i = secret_to;
            if (i >= text.len) break;
        }
        out[len++] = text.ptr[i];
        if (text.ptr[i] != '=') continue;
        if (!url_name_is_secret(str_slice(text, name_start(text, i), i))) continue;
        memcpy(out + len, LOCATION_MASK, 3);
        len += 3;
        i += secret_value(text, i).len;
    }
    *ret_text = str_make(out, len);
    return OK;
}

static Status set_compression(Location *location, Str value, Err *err)
{
    if (str_eq(value, STR("none"))) {
        location->compression = STR_NULL;
    } else if (str_eq(value, STR("gz")) || str_eq(value, STR("gzip"))) {
        location->compression = STR("gz");
    } else if (str_eq(value, STR("zst")) || str_eq(value, STR("zstd"))) {
        location->compression = STR("zst");
    } else {
        (void)err_set(err, ERR_CONFIG, "%.*s: unknown compression '%.*s'", STR_ARG(location->text),
                      STR_ARG(value));
        return err_hint(err, "compression is gz, zst or none");
    }
    return OK;
}

static Status set_format(Location *location, const NamePair *format, Arena *arena, Err *err)
{
    location->scheme = str_from(format->scheme);
    if (strcmp(format->name, "tsv") != 0) return OK;
    return location_set(location, arena, STR("delimiter"), STR("\t"), err);
}

static Status parse_option(Location *location, Str item, Arena *arena, Err *err)
{
    Str name = item;
    Str value = STR_NULL;
    int64_t equals = str_find_char(item, '=');
    if (equals >= 0) {
        name = str_slice(item, 0, equals);
        TRY(url_decode(str_slice(item, equals + 1, item.len), arena, &value, err));
    }
    TRY(url_decode(name, arena, &name, err));
    if (name.len == 0 || equals < 0) {
        (void)err_set(err, ERR_CONFIG, "%.*s: '%.*s' is not an option", STR_ARG(location->text),
                      STR_ARG(item));
        return err_hint(err, "options are written name=value, with & between them");
    }
    if (str_eq(name, STR("compression"))) return set_compression(location, value, err);
    return location_set(location, arena, name, value, err);
}

static Status parse_options(Location *location, Str fragment, Arena *arena, Err *err)
{
    Str item;
    while (str_next_part(&fragment, '&', &item)) {
        if (item.len > 0) TRY(parse_option(location, item, arena, err));
    }
    return OK;
}

/* The format by a path's ending, with the compression's ending taken off first. */
static const NamePair *path_format(Str path, Str *ret_compression)
{
    *ret_compression = STR_NULL;
    if (str_ends(path, STR(".gz"))) *ret_compression = STR("gz");
    if (str_ends(path, STR(".zst"))) *ret_compression = STR("zst");
    if (ret_compression->len > 0) {
        path = str_slice(path, 0, path.len - ret_compression->len - 1);
    }
    int64_t slash = find_last(path, '/');
    Str name = str_slice(path, slash + 1, path.len);
    int64_t dot = find_last(name, '.');
    return dot < 0 ? NULL : format_find(str_slice(name, dot + 1, name.len));
}

/* The `#` after which options stand: a path may hold one itself (`a#b.csv`). -1: none. */
static int64_t fragment_find(Str text)
{
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '#') continue;
        Str path = str_slice(text, 0, i);
        Str compression;
        Str rest = str_slice(text, i + 1, text.len);
        Str first = STR_NULL;
        (void)str_next_part(&rest, '&', &first);
        if (path_format(path, &compression) || str_eq(path, STR("-"))) return i;
        if (path.len > 0 && format_find(first)) return i;
    }
    return -1;
}

static Status unknown_ending(const Location *location, Str path, Err *err)
{
    static const Str endings[] = {STR("csv"), STR("tsv"), STR("ndjson"), STR("jsonl")};
    (void)err_set(err, ERR_CONFIG, "%.*s: this is neither a URL nor a file of a known kind",
                  STR_ARG(location->text));
    int64_t dot = find_last(path, '.');
    Str ending = dot >= 0 ? str_slice(path, dot + 1, path.len) : STR_NULL;
    if (str_eq(path, STR("-"))) {
        return err_hint(err, "say what standard input or output holds: -#csv or -#ndjson");
    }
    if (str_eq(ending, STR("db")) || str_starts(ending, STR("sqlite"))) {
        return err_hint(err, "an SQLite database is written sqlite:///%.*s", STR_ARG(path));
    }
    Str near = ending.len > 0 ? str_nearest(ending, endings, COUNT_OF(endings)) : STR_NULL;
    if (near.len > 0) return err_hint(err, "did you mean .%.*s?", STR_ARG(near));
    return err_hint(err,
                    "files end in .csv, .tsv or .ndjson, also with .gz or .zst after; "
                    "for others say the format: %.*s#csv",
                    STR_ARG(path));
}

static Status parse_file(Location *location, Str text, Arena *arena, Err *err)
{
    int64_t hash = fragment_find(text);
    Str path = hash < 0 ? text : str_slice(text, 0, hash);
    Str fragment = hash < 0 ? STR_NULL : str_slice(text, hash + 1, text.len);
    const NamePair *format = path_format(path, &location->compression);
    Str rest = fragment;
    Str first;
    if (str_next_part(&rest, '&', &first) && format_find(first)) {
        format = format_find(first);
        fragment = rest;
    }
    if (!format) return unknown_ending(location, path, err);
    TRY(arena_copy(arena, path, &location->path, err));
    TRY(set_format(location, format, arena, err));
    return parse_options(location, fragment, arena, err);
}

/* Behind a database's URL a fragment counts only where it looks like options: a `#` may belong to a
 * password. */
static int64_t url_fragment(Str text)
{
    int64_t hash = find_last(text, '#');
    if (hash < 0) return -1;
    Str rest = str_slice(text, hash + 1, text.len);
    return str_find_char(rest, '=') > 0 && str_find_char(rest, '@') < 0 ? hash : -1;
}

/* sqlite:///relative, sqlite:////absolute, sqlite:// (in memory); parameters after `?`. */
static Status parse_sqlite(Location *location, Str rest, Arena *arena, Err *err)
{
    if (!str_starts(rest, STR("//"))) {
        (void)err_set(err, ERR_CONFIG, "%.*s: not an SQLite location", STR_ARG(location->text));
        return err_hint(err, "write sqlite:///relative.db or sqlite:////absolute.db");
    }
    rest = str_slice(rest, 2, rest.len);
    if (rest.len > 0 && rest.ptr[0] != '/') {
        (void)err_set(err, ERR_CONFIG, "%.*s: an SQLite location has no host",
                      STR_ARG(location->text));
        return err_hint(err, "write sqlite:///%.*s with three slashes", STR_ARG(rest));
    }
    int64_t question = str_find_char(rest, '?');
    Str path = str_slice(rest, 1, question < 0 ? rest.len : question);
    if (path.len == 0) path = STR(":memory:");
    TRY(arena_copy(arena, path, &location->path, err));
    if (question < 0) return OK;
    return parse_options(location, str_slice(rest, question + 1, rest.len), arena, err);
}

/* Refused before any library sees it: their messages quote pieces of what they can't read. What is
 * good is known to the filter from now on. `rest`: after the scheme's colon. */
static Status check_url(const NamePair *scheme, Str rest, Arena *arena, Err *err)
{
    Str text;
    Url url = {.rest = rest};
    TRY(arena_printf(arena, &text, err, "%s:", scheme->name));
    CLEANUP(buf_done) Buf whole = buf_make(LOCATION_TEXT_MAX + 64);
    TRY(buf_append(&whole, text, err));
    TRY(buf_append(&whole, rest, err));
    if (scheme->authority && url_parse(buf_str(&whole), &url, err) != OK) {
        return err_prefix(err, "a %s location: ", scheme->name);
    }
    return url_secrets(&url, arena, err);
}

static Status parse_url(Location *location, const NamePair *scheme, Str rest, Arena *arena,
                        Err *err)
{
    location->scheme = str_from(scheme->scheme);
    TRY(check_url(scheme, rest, arena, err));
    int64_t hash = url_fragment(rest);
    Str fragment = hash < 0 ? STR_NULL : str_slice(rest, hash + 1, rest.len);
    if (hash >= 0) rest = str_slice(rest, 0, hash);
    TRY(arena_printf(arena, &location->url, err, "%s:", scheme->name));
    Buf url = buf_make(LOCATION_TEXT_MAX + 64);
    Status status = buf_append(&url, location->url, err);
    if (status == OK) status = buf_append(&url, rest, err);
    if (status == OK) status = arena_copy(arena, buf_str(&url), &location->url, err);
    buf_done(&url);
    TRY(status);
    if (str_eq(location->scheme, STR("sqlite"))) TRY(parse_sqlite(location, rest, arena, err));
    return parse_options(location, fragment, arena, err);
}

static Status unknown_scheme(const Location *location, Str name, Err *err)
{
    Str names[COUNT_OF(url_schemes)];
    for (int64_t i = 0; i < COUNT_OF(url_schemes); i++) names[i] = str_from(url_schemes[i].name);
    (void)err_set(err, ERR_CONFIG, "%.*s: unknown kind of location '%.*s'", STR_ARG(location->text),
                  STR_ARG(name));
    Str near = str_nearest(name, names, COUNT_OF(names));
    if (near.len > 0) return err_hint(err, "did you mean %.*s://?", STR_ARG(near));
    return err_hint(err, "known are postgresql://, sqlite:///, kafka:// and files that end in "
                         ".csv, .tsv or .ndjson");
}

/* The length of a URL's scheme with its driver suffix (`postgresql+asyncpg`); 0: a path. A scheme
 * without `//` counts only when it is one of ours, since a file name may hold a colon. */
static int64_t scheme_length(Str text)
{
    int64_t colon = str_find_char(text, ':');
    if (colon <= 1) return 0;
    for (int64_t i = 0; i < colon; i++) {
        char c = text.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' || c == '_';
        if (!letter && !(other && i > 0)) return 0;
    }
    if (str_starts(str_slice(text, colon, text.len), STR("://"))) return colon;
    Str name = str_slice(text, 0, colon);
    return pair_find(url_schemes, COUNT_OF(url_schemes), name) ? colon : 0;
}

static Status parse_any(Location *location, Str text, Arena *arena, Err *err)
{
    if (str_starts(text, STR("file://"))) {
        return parse_file(location, str_slice(text, 7, text.len), arena, err);
    }
    int64_t colon = scheme_length(text);
    if (colon == 0) return parse_file(location, text, arena, err);
    Str name = str_slice(text, 0, colon);
    int64_t plus = str_find_char(name, '+');
    if (plus > 0) name = str_slice(name, 0, plus);
    const NamePair *scheme = pair_find(url_schemes, COUNT_OF(url_schemes), name);
    if (!scheme) return unknown_scheme(location, name, err);
    return parse_url(location, scheme, str_slice(text, colon + 1, text.len), arena, err);
}

Status location_parse(Str text, Arena *arena, Location *ret_location, Err *err)
{
    Location location = {0};
    if (text.len == 0) {
        (void)err_set(err, ERR_CONFIG, "a location is empty");
        return err_hint(err, "write a URL, a file name, or -#csv for standard input");
    }
    if (text.len > LOCATION_TEXT_MAX) {
        return err_set(err, ERR_CONFIG, "a location is longer than %d bytes", LOCATION_TEXT_MAX);
    }
    if (str_find_char(text, '\0') >= 0) {
        return err_set(err, ERR_CONFIG, "a location holds a NUL byte");
    }
    TRY(location_mask(text, arena, &location.text, err));
    TRY(parse_any(&location, text, arena, err));
    *ret_location = location;
    return OK;
}

static Str plain_path(const Location *location)
{
    Str path = location->path;
    while (str_starts(path, STR("./"))) {
        path = str_slice(path, 2, path.len);
        while (str_starts(path, STR("/"))) path = str_slice(path, 1, path.len);
    }
    return path;
}

bool location_same_file(const Location *a, const Location *b)
{
    Str path = plain_path(a);
    if (a->url.len || b->url.len || str_eq(path, STR("-")) || str_starts(path, STR("/dev/"))) {
        return false;
    }
    return path.len > 0 && str_eq(path, plain_path(b));
}
