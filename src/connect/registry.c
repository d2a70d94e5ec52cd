/* The registry: finds a location's connector and checks its options before anything is made. */
#include "connect/registry.h"

#include "foundation/base/buf.h"

enum { REGISTRY_NAMES_MAX = 64 };

static int32_t option_names(const Connector *connector, Str *ret_names)
{
    int32_t count = 0;
    for (const char *const *name = connector->options; name && *name; name++) {
        if (count < REGISTRY_NAMES_MAX) ret_names[count++] = str_from(*name);
    }
    return count;
}

static Status list_names(const Str *names, int32_t count, Buf *out, Err *err)
{
    for (int32_t i = 0; i < count; i++) {
        TRY(buf_printf(out, err, "%s%.*s", i ? ", " : "", STR_ARG(names[i])));
    }
    return OK;
}

static Status hint_names(Err *err, const char *what, const Str *names, int32_t count)
{
    Buf list = buf_make(ERR_HINT_MAX * 4);
    Err ignored = {0};
    if (list_names(names, count, &list, &ignored) == OK) {
        (void)err_hint(err, "%s: %.*s", what, STR_ARG(buf_str(&list)));
    }
    buf_done(&list);
    return FAIL;
}

Status registry_find(const Registry *registry, Str scheme, const Connector **ret_connector,
                     Err *err)
{
    Str names[REGISTRY_NAMES_MAX];
    int32_t count = 0;
    for (int32_t i = 0; i < registry->count; i++) {
        Str name = str_from(registry->connectors[i]->scheme);
        if (str_eq(name, scheme)) {
            *ret_connector = registry->connectors[i];
            return OK;
        }
        if (count < REGISTRY_NAMES_MAX) names[count++] = name;
    }
    (void)err_set(err, ERR_CONFIG, "this program was built without a connector for '%.*s'",
                  STR_ARG(scheme));
    return hint_names(err, "there are", names, count);
}

/* A name that ends in a dot stands for all that begin with it. */
static bool option_is(Str known, Str option)
{
    if (!str_ends(known, STR("."))) return str_eq(known, option);
    return option.len > known.len && str_starts(option, known);
}

static Status check_options(const Connector *connector, const Location *location, Err *err)
{
    Str names[REGISTRY_NAMES_MAX];
    int32_t count = option_names(connector, names);
    for (int32_t i = 0; i < location->option_count; i++) {
        Str option = location->options[i].name;
        bool known = false;
        for (int32_t n = 0; n < count && !known; n++) known = option_is(names[n], option);
        if (known) continue;
        (void)err_set(err, ERR_CONFIG, "%.*s: unknown option '%.*s'", STR_ARG(location->text),
                      STR_ARG(option));
        Str near = str_nearest(option, names, count);
        if (near.len > 0) return err_hint(err, "did you mean '%.*s'?", STR_ARG(near));
        return hint_names(err, "its options are", names, count);
    }
    return OK;
}

static Status find_checked(const Registry *registry, const Location *location,
                           const Connector **ret_connector, Err *err)
{
    if (registry_find(registry, location->scheme, ret_connector, err) != OK) {
        return err_prefix(err, "%.*s: ", STR_ARG(location->text));
    }
    return check_options(*ret_connector, location, err);
}

/* What only connectors with samples heed is not silently left out. */
static Status check_samples(const Connector *connector, const SourceReq *req, Err *err)
{
    bool asked = req->primary || req->lag_us || req->lag_count;
    if (connector->samples || !asked) return OK;
    (void)err_set(err, ERR_CONFIG, "%.*s: %s know no `%s`", STR_ARG(req->location->text),
                  connector->title, req->primary ? "primary" : "lag");
    return err_hint(err, "leave it out: it is for PostgreSQL");
}

Status registry_source(const Registry *registry, const SourceReq *req, Source **ret_source,
                       Err *err)
{
    const Connector *connector = NULL;
    TRY(find_checked(registry, req->location, &connector, err));
    if (!connector->reads || !connector->source_new) {
        return err_set(err, ERR_CONFIG, "%.*s: %s cannot be read", STR_ARG(req->location->text),
                       connector->title);
    }
    TRY(check_samples(connector, req, err));
    if (req->primary && !str_eq(req->primary->scheme, req->location->scheme)) {
        (void)err_set(err, ERR_CONFIG, "primary: %.*s is of another kind than the source",
                      STR_ARG(req->primary->text));
        return err_hint(err, "name the server that the source replicates");
    }
    return connector->source_new(req, ret_source, err);
}

Status registry_sink(const Registry *registry, const SinkReq *req, Sink **ret_sink, Err *err)
{
    const Connector *connector = NULL;
    TRY(find_checked(registry, req->location, &connector, err));
    if (!connector->writes || !connector->sink_new) {
        return err_set(err, ERR_CONFIG, "%.*s: %s cannot be written", STR_ARG(req->location->text),
                       connector->title);
    }
    return connector->sink_new(req, ret_sink, err);
}
