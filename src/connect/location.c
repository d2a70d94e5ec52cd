/* Locations: which scheme a text names, its path or URL, its options, and the masked form. */
#include "connect/location.h"

#include "connect/connector.h"
#include "connect/location_shown.h"
#include "foundation/base/buf.h"
#include "foundation/codec/url.h"

enum { LOCATION_TEXT_MAX = 64 * 1024, LOCATION_OPTIONS_MAX = 256 };

/* One spelling of a connector's scheme or ending. */
typedef struct Spelling {
    const Connector *connector; /* NULL: nobody's */
    const char *name;
} Spelling;

static const char *list_find(const char *const *names, Str name)
{
    for (; names && *names; names++) {
        if (str_eq_nocase(str_from(*names), name)) return *names;
    }
    return NULL;
}

static Spelling scheme_find(const Registry *registry, Str name)
{
    for (int32_t i = 0; i < registry->count; i++) {
        const char *found = list_find(registry->connectors[i]->schemes, name);
        if (found) return (Spelling){registry->connectors[i], found};
    }
    return (Spelling){0};
}

static Spelling format_find(const Registry *registry, Str name)
{
    for (int32_t i = 0; i < registry->count; i++) {
        const char *found = list_find(registry->connectors[i]->endings, name);
        if (found) return (Spelling){registry->connectors[i], found};
    }
    return (Spelling){0};
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

/* The length of a URL's scheme with its driver suffix (`postgresql+asyncpg`); 0: a path. A scheme
 * without `//` counts only when it is one of ours, since a file name may hold a colon. */
static int64_t scheme_length(const Registry *registry, Str text)
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
    return scheme_find(registry, str_slice(text, 0, colon)).connector ? colon : 0;
}

/* A URL's scheme without its driver suffix; empty: a path. */
static Str scheme_name(const Registry *registry, Str text)
{
    Str name = str_slice(text, 0, scheme_length(registry, text));
    int64_t plus = str_find_char(name, '+');
    return plus > 0 ? str_slice(name, 0, plus) : name;
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

/* `rest`: as Connector.parse takes it. */
static Status set_connector(Location *location, const Connector *connector, Str rest, Arena *arena,
                            Err *err)
{
    location->connector = connector;
    location->kind = connector->kind;
    return connector->parse ? connector->parse(location, rest, arena, err) : OK;
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
        (void)err_set(err, ERR_CONFIG, "%.*s: an option has no name or no value",
                      STR_ARG(location->text));
        return err_hint(err, "options are written name=value, with & between them");
    }
    if (str_eq(name, STR("compression"))) return set_compression(location, value, err);
    return location_set(location, arena, name, value, err);
}

Status location_options(Location *location, Str text, Arena *arena, Err *err)
{
    Str item;
    while (str_next_part(&text, '&', &item)) {
        if (item.len > 0) TRY(parse_option(location, item, arena, err));
    }
    return OK;
}

/* The format by a path's ending, with the compression's ending taken off first. */
static Spelling path_format(const Registry *registry, Str path, Str *ret_compression)
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
    return format_find(registry, dot < 0 ? STR_NULL : str_slice(name, dot + 1, name.len));
}

/* The `#` after which options stand: a path may hold one itself (`a#b.csv`). -1: none. */
static int64_t fragment_find(const Registry *registry, Str text)
{
    for (int64_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '#') continue;
        Str path = str_slice(text, 0, i);
        Str compression;
        Str rest = str_slice(text, i + 1, text.len);
        Str first = STR_NULL;
        (void)str_next_part(&rest, '&', &first);
        bool known = path_format(registry, path, &compression).connector;
        if (known || str_eq(path, STR("-"))) return i;
        if (path.len > 0 && format_find(registry, first).connector) return i;
    }
    return -1;
}

/* Names in a sentence: "a, b or c"; `before` and `after` each of them. Those that don't fit are
 * left out. */
static Str join(const Str *names, int32_t count, const char *before, const char *last, Buf *out)
{
    for (int32_t i = 0; i < count; i++) {
        const char *with = i == 0 ? "" : i + 1 < count ? ", " : last;
        IGNORE(buf_printf(out, NULL, "%s%s%.*s", with, before, STR_ARG(names[i])));
    }
    return buf_str(out);
}

enum { NAMES_MAX = 32 };

static int32_t put_names(const char *const *list, int32_t most, Str *names, int32_t count)
{
    for (int32_t i = 0; i < most && list && list[i] && count < NAMES_MAX; i++) {
        names[count++] = str_from(list[i]);
    }
    return count;
}

/* The endings that files have; `first`: of each connector the usual one. */
static int32_t ending_names(const Registry *registry, bool first, Str names[NAMES_MAX])
{
    int32_t count = 0;
    for (int32_t i = 0; i < registry->count; i++) {
        count = put_names(registry->connectors[i]->endings, first ? 1 : NAMES_MAX, names, count);
    }
    return count;
}

/* The connector whose URLs name files of that ending; NULL: none. */
static const Connector *lookalike(const Registry *registry, Str ending)
{
    for (int32_t i = 0; i < registry->count; i++) {
        if (list_find(registry->connectors[i]->looks, ending)) return registry->connectors[i];
    }
    return NULL;
}

static Status unknown_ending(const Registry *registry, const Location *location, Str path, Err *err)
{
    Str endings[NAMES_MAX];
    CLEANUP(buf_done) Buf list = buf_make(ERR_HINT_MAX);
    (void)err_set(err, ERR_CONFIG, "%.*s: this is neither a URL nor a file of a known kind",
                  STR_ARG(location->text));
    if (str_eq(path, STR("-"))) {
        int32_t count = ending_names(registry, true, endings);
        Str formats = join(endings, count, "-#", " or ", &list);
        return err_hint(err, "say what standard input or output holds: %.*s", STR_ARG(formats));
    }
    int64_t dot = find_last(path, '.');
    Str ending = dot >= 0 ? str_slice(path, dot + 1, path.len) : STR_NULL;
    bool plain = location_is_plain(path);
    const Connector *database = lookalike(registry, ending);
    if (database && plain) {
        return err_hint(err, "%s are written %s%.*s", database->title, database->form,
                        STR_ARG(path));
    }
    int32_t count = ending_names(registry, false, endings);
    Str near = ending.len > 0 ? str_nearest(ending, endings, count) : STR_NULL;
    if (near.len > 0) return err_hint(err, "did you mean .%.*s?", STR_ARG(near));
    Str known = join(endings, count, ".", " or ", &list);
    Str usual = count ? endings[0] : STR_NULL;
    return err_hint(err,
                    "files end in %.*s, optionally followed by .gz or .zst; "
                    "for others say the format: %.*s#%.*s",
                    STR_ARG(known), STR_ARG(plain ? path : STR("FILE")), STR_ARG(usual));
}

/* `whole`: as it was written, `text`: without file://. */
static Status parse_file(const Registry *registry, Location *location, Str whole, Str text,
                         Arena *arena, Err *err)
{
    int64_t hash = fragment_find(registry, text);
    Str path = hash < 0 ? text : str_slice(text, 0, hash);
    Str fragment = hash < 0 ? STR_NULL : str_slice(text, hash + 1, text.len);
    Spelling format = path_format(registry, path, &location->compression);
    Str rest = fragment;
    Str first;
    if (str_next_part(&rest, '&', &first) && format_find(registry, first).connector) {
        format = format_find(registry, first);
        fragment = rest;
    }
    if (!format.connector) return unknown_ending(registry, location, path, err);
    TRY(location_shown(whole, false, arena, &location->text, err));
    TRY(arena_copy(arena, path, &location->path, err));
    TRY(set_connector(location, format.connector, str_from(format.name), arena, err));
    return location_options(location, fragment, arena, err);
}

/* After a database's URL a fragment counts only where it looks like options: a `#` may belong to a
 * password. */
static int64_t url_fragment(Str text)
{
    int64_t hash = find_last(text, '#');
    if (hash < 0) return -1;
    Str rest = str_slice(text, hash + 1, text.len);
    return str_find_char(rest, '=') > 0 && str_find_char(rest, '@') < 0 ? hash : -1;
}

/* Refused before any library sees it: their messages quote pieces of what they can't read. What is
 * good is known to the filter from now on. `rest`: after the scheme's colon. */
static Status check_url(Spelling scheme, Str rest, Arena *arena, Err *err)
{
    Str text;
    Url url = {.rest = rest};
    TRY(arena_printf(arena, &text, err, "%s:", scheme.name));
    CLEANUP(buf_done) Buf whole = buf_make(LOCATION_TEXT_MAX + 64);
    TRY(buf_append(&whole, text, err));
    TRY(buf_append(&whole, rest, err));
    if (scheme.connector->authority && url_parse(buf_str(&whole), &url, err) != OK) {
        return err_prefix(err, "a %s location: ", scheme.name);
    }
    return url_secrets(&url, arena, err);
}

static Status parse_url(Location *location, Spelling scheme, Str whole, Str rest, Arena *arena,
                        Err *err)
{
    bool authority = scheme.connector->authority;
    TRY(check_url(scheme, rest, arena, err));
    if (authority) TRY(location_shown(whole, true, arena, &location->text, err));
    int64_t hash = url_fragment(rest);
    Str fragment = hash < 0 ? STR_NULL : str_slice(rest, hash + 1, rest.len);
    if (hash >= 0) rest = str_slice(rest, 0, hash);
    TRY(arena_printf(arena, &location->url, err, "%s:", scheme.name));
    Buf url = buf_make(LOCATION_TEXT_MAX + 64);
    Status status = buf_append(&url, location->url, err);
    if (status == OK) status = buf_append(&url, rest, err);
    if (status == OK) status = arena_copy(arena, buf_str(&url), &location->url, err);
    buf_done(&url);
    TRY(status);
    TRY(set_connector(location, scheme.connector, rest, arena, err));
    if (!authority) TRY(location_shown(whole, false, arena, &location->text, err));
    return location_options(location, fragment, arena, err);
}

static Status unknown_scheme(const Registry *registry, const Location *location, Str name, Err *err)
{
    Str names[NAMES_MAX], forms[NAMES_MAX], endings[NAMES_MAX];
    int32_t count = 0, form_count = 0;
    for (int32_t i = 0; i < registry->count; i++) {
        const Connector *connector = registry->connectors[i];
        count = put_names(connector->schemes, NAMES_MAX, names, count);
        form_count = put_names(&connector->form, 1, forms, form_count);
    }
    (void)err_set(err, ERR_CONFIG, "%.*s: unknown kind of location '%.*s'", STR_ARG(location->text),
                  STR_ARG(name));
    Str near = str_nearest(name, names, count);
    if (near.len > 0) return err_hint(err, "did you mean %.*s://?", STR_ARG(near));
    CLEANUP(buf_done) Buf urls = buf_make(ERR_HINT_MAX), files = buf_make(ERR_HINT_MAX);
    int32_t ending_count = ending_names(registry, false, endings);
    Str known = join(forms, form_count, "", ", ", &urls);
    Str ends = join(endings, ending_count, ".", " or ", &files);
    return err_hint(err, "known are %.*s and files that end in %.*s", STR_ARG(known),
                    STR_ARG(ends));
}

static Status parse_any(const Registry *registry, Location *location, Str text, Arena *arena,
                        Err *err)
{
    if (str_starts(text, STR("file://"))) {
        return parse_file(registry, location, text, str_slice(text, 7, text.len), arena, err);
    }
    int64_t colon = scheme_length(registry, text);
    if (colon == 0) return parse_file(registry, location, text, text, arena, err);
    Str name = scheme_name(registry, text);
    Spelling scheme = scheme_find(registry, name);
    if (!scheme.connector) return unknown_scheme(registry, location, name, err);
    return parse_url(location, scheme, text, str_slice(text, colon + 1, text.len), arena, err);
}

Status location_parse(const Registry *registry, Str text, Arena *arena, Location *ret_location,
                      Err *err)
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
    TRY(location_secrets(text, arena, err));
    TRY(location_shown_unparsed(text, arena, &location.text, err));
    if (parse_any(registry, &location, text, arena, err) == OK) {
        *ret_location = location;
        return OK;
    }
    /* Whoever asked may show the text himself. */
    IGNORE(location_secrets_unparsed(text, arena, NULL));
    return FAIL;
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
