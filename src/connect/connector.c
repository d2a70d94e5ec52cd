/* Makes sources and sinks: a location's options are checked before anything is made. */
#include "connect/connector.h"

#include "foundation/base/buf.h"

enum { OPTION_NAMES_MAX = 64 };

Str connector_alias(const Registry *registry, Str text)
{
    for (int32_t i = 0; i < registry->count; i++) {
        const Connector *connector = registry->connectors[i];
        bool named =
            connector->alternative.word && str_eq(text, str_from(connector->alternative.word));
        if (named) return str_from(connector->alternative.url);
    }
    return text;
}

/* A name that ends in a dot stands for all that begin with it. */
static bool option_is(Str known, Str option)
{
    if (!str_ends(known, STR("."))) return str_eq(known, option);
    return option.len > known.len && str_starts(option, known);
}

bool connector_has_option(const Connector *connector, Str option)
{
    for (const char *const *name = connector->fragment.options; name && *name; name++) {
        if (option_is(str_from(*name), option)) return true;
    }
    return false;
}

static Status hint_options(const Connector *connector, Err *err)
{
    CLEANUP(buf_done) Buf list = buf_make(ERR_HINT_MAX * 4);
    for (const char *const *name = connector->fragment.options; name && *name; name++) {
        if (buf_printf(&list, NULL, "%s%s", list.len ? ", " : "", *name) != OK) return FAIL;
    }
    return err_hint(err, "its options are: %.*s", STR_ARG(buf_str(&list)));
}

Str connector_nearest_option(const Connector *connector, Str option)
{
    Str names[OPTION_NAMES_MAX];
    int32_t count = 0;
    for (const char *const *name = connector->fragment.options; name && *name; name++) {
        if (count < OPTION_NAMES_MAX) names[count++] = str_from(*name);
    }
    return str_nearest(option, names, count);
}

static Status check_options(const Location *location, Err *err)
{
    const Connector *connector = location->connector;
    for (int32_t i = 0; i < location->option_count; i++) {
        Str option = location->options[i].name;
        if (connector_has_option(connector, option)) continue;
        (void)err_set(err, ERR_CONFIG, "%.*s: unknown option '%.*s'", STR_ARG(location->text),
                      STR_ARG(option));
        Str near = connector_nearest_option(connector, option);
        if (near.len > 0) return err_hint(err, "did you mean '%.*s'?", STR_ARG(near));
        return hint_options(connector, err);
    }
    return OK;
}

/* What a target would take and not obey. */
static Status check_target_options(const Location *location, Err *err)
{
    const char *const *names = location->connector->fragment.source;
    for (; names && *names; names++) {
        if (!location_option(location, str_from(*names)).ptr) continue;
        (void)err_set(err, ERR_CONFIG, "%.*s: \"%s\" says how to read; it is no option of a target",
                      STR_ARG(location->text), *names);
        return err_hint(err, "leave it out");
    }
    return OK;
}

/* What only connectors with samples heed is not silently left out. */
static Status check_samples(const SourceReq *req, Err *err)
{
    bool asked = req->order.primary || req->order.lag_us || req->order.lag_count;
    if (req->location->connector->samples || !asked) return OK;
    (void)err_set(err, ERR_CONFIG, "%.*s: %s know no `%s`", STR_ARG(req->location->text),
                  req->location->connector->title, req->order.primary ? "primary" : "lag");
    return err_hint(err, "leave it out: it is for PostgreSQL");
}

/* Of a table rows come by its name or by a query; files and topics are read whole. */
static Status check_what(const SourceReq *req, Err *err)
{
    const Location *location = req->location;
    bool named = req->table.len || req->query.len;
    if (location->kind == LOCATION_TABLE) {
        if (named || req->open) return OK;
        (void)err_set(err, ERR_CONFIG, "no table and no query for %.*s", STR_ARG(location->text));
        return err_hint(err, "name one of them");
    }
    if (location->kind != LOCATION_FILE) return OK;
    if (named) return err_set(err, ERR_CONFIG, "a file has no tables and takes no query");
    if (!req->incremental.cursor.len) return OK;
    return err_set(err, ERR_CONFIG, "a file has no cursor; load it with mode upsert");
}

Status connector_source_check(const SourceReq *req, Err *err)
{
    const Connector *connector = req->location->connector;
    TRY(check_options(req->location, err));
    if (!connector->reads || !connector->source_new) {
        return err_set(err, ERR_CONFIG, "%.*s: %s cannot be read", STR_ARG(req->location->text),
                       connector->title);
    }
    TRY(check_what(req, err));
    TRY(check_samples(req, err));
    if (req->order.primary && req->order.primary->connector != connector) {
        (void)err_set(err, ERR_CONFIG, "primary: %.*s is of another kind than the source",
                      STR_ARG(req->order.primary->text));
        return err_hint(err, "name the server that the source replicates");
    }
    return OK;
}

Status connector_source(const SourceReq *req, Source **ret_source, Err *err)
{
    TRY(connector_source_check(req, err));
    return req->location->connector->source_new(req, ret_source, err);
}

Status connector_sink(const SinkReq *req, Sink **ret_sink, Err *err)
{
    const Connector *connector = req->location->connector;
    TRY(check_options(req->location, err));
    TRY(check_target_options(req->location, err));
    if (!connector->writes || !connector->sink_new) {
        return err_set(err, ERR_CONFIG, "%.*s: %s cannot be written", STR_ARG(req->location->text),
                       connector->title);
    }
    return connector->sink_new(req, ret_sink, err);
}
