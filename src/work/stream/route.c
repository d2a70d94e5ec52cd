/* A stream's processors compiled: conditions, selects, keys, and the columns that come out. */
#include "foundation/base/mem.h"
#include "work/stream/stream_impl.h"

typedef struct Compiling {
    Route *route;
    StreamMistake *mistake;
    void *arg;
    int32_t keys_made, keys_missing;
    Err key_error; /* of the first case that has no such column */
} Compiling;

/* An expression's own position moved to where its text stands in the configuration. */
static void place_error(const StreamText *text, Err *err)
{
    if (!text || !text->line) return;
    int64_t column = err->line <= 1 ? text->column + int64_max(err->column - 1, 0) : err->column;
    (void)err_at(err, text->line + int64_max(err->line - 1, 0), column);
}

/* Tell a mistake and go on, or make it the error. */
static Status note(const Compiling *c, const StreamText *text, Err *why, Err *err)
{
    if (why->kind == ERR_MEMORY) {
        *err = *why;
        return FAIL;
    }
    place_error(text, why);
    if (c->mistake) {
        c->mistake(c->arg, text, why);
        return OK;
    }
    *err = *why;
    return FAIL;
}

/* ---- one case ---- */

static Status compile_where(Compiling *c, const StreamCase *from, RouteCase *to, Err *err)
{
    Err why = {0};
    Route *route = c->route;
    if (!from->where.text.len) return OK;
    if (expr_compile(from->where.text, route->base, &route->paths, TYPE_BOOL, &to->where, &why) ==
        OK) {
        return OK;
    }
    return note(c, &from->where, &why, err);
}

static Status compile_select(Compiling *c, const StreamCase *from, RouteCase *to, Err *err)
{
    Err why = {0};
    Route *route = c->route;
    Str text = from->select.text.len ? from->select.text : STR("*");
    if (select_compile(text, route->base, &route->paths, &to->select, &why) == OK) return OK;
    return note(c, &from->select, &why, err);
}

/* A case without the key's column has no key; so it is a mistake only where none has it. */
static Status compile_key(Compiling *c, RouteCase *to, Err *err)
{
    const StreamText *key = &c->route->config->key;
    Err why = {0};
    if (!key->text.len || !to->select) return OK;
    if (expr_compile(key->text, select_schema(to->select), NULL, TYPE_COUNT, &to->key, &why) ==
        OK) {
        c->keys_made++;
        return OK;
    }
    if (str_find(str_from(why.message), STR("no column \"")) < 0) return note(c, key, &why, err);
    if (c->keys_missing++ == 0) c->key_error = why;
    return OK;
}

static Status compile_case(Compiling *c, const StreamCase *from, RouteCase *to, Err *err)
{
    TRY(compile_where(c, from, to, err));
    TRY(compile_select(c, from, to, err));
    if (!to->select) return OK;
    if (!c->route->config->to_messages) return OK;
    TRY(compile_key(c, to, err));
    return message_codec_json.encoder_new(select_schema(to->select), &to->encoder, err);
}

static Status compile_processor(Compiling *c, const StreamProcessor *from, RouteProcessor *to,
                                Err *err)
{
    Route *route = c->route;
    to->type = from->type;
    to->cases = ARENA_ARRAY(&route->arena, RouteCase, from->case_count + 1);
    if (!to->cases) return err_memory(err);
    for (int32_t i = 0; i < from->case_count; i++) {
        RouteCase *made = &to->cases[to->case_count++];
        TRY(arena_printf(&route->arena, &made->stage, err, "%.*s/%d", STR_ARG(from->type), i + 1));
        TRY(compile_case(c, &from->cases[i], made, err));
    }
    return OK;
}

static Status compile_processors(Compiling *c, Err *err)
{
    Route *route = c->route;
    const StreamConfig *config = route->config;
    route->processors =
        ARENA_ARRAY(&route->arena, RouteProcessor, config->routing.processor_count + 1);
    if (!route->processors) return err_memory(err);
    for (int32_t i = 0; i < config->routing.processor_count; i++) {
        RouteProcessor *made = &route->processors[route->processor_count++];
        TRY(compile_processor(c, &config->routing.processors[i], made, err));
    }
    if (c->keys_missing && !c->keys_made) return note(c, &config->key, &c->key_error, err);
    return OK;
}

/* ---- one table for the columns of all cases ---- */

typedef struct Union {
    Field *fields;
    Str *owners; /* the case that had the column first */
    int32_t count;
} Union;

static Status union_column(const Compiling *c, Union *u, const RouteCase *from, const Field *field,
                           Err *err)
{
    int32_t at = 0;
    while (at < u->count && !str_eq(u->fields[at].name, field->name)) at++;
    if (at == u->count) {
        u->fields[at] = *field;
        u->fields[at].not_null = false;
        u->owners[u->count++] = from->stage;
        return OK;
    }
    Field *has = &u->fields[at];
    if (has->type == field->type) return OK;
    Err why = {0};
    (void)err_set(&why, ERR_CONFIG, "column \"%.*s\" is %s in %.*s and %s in %.*s",
                  STR_ARG(field->name), type_name(has->type), STR_ARG(u->owners[at]),
                  type_name(field->type), STR_ARG(from->stage));
    (void)err_hint(&why, "a column of a table has one type: cast one of them (`%.*s::%s`)",
                   STR_ARG(field->name),
                   type_name(has->type == TYPE_DYNAMIC ? field->type : has->type));
    return note(c, NULL, &why, err);
}

static Status union_case(const Compiling *c, Union *u, const RouteCase *from, Err *err)
{
    const Schema *schema = from->select ? select_schema(from->select) : NULL;
    Err why = {0};
    if (!schema) return OK;
    if (schema->open) {
        (void)err_set(&why, ERR_CONFIG, "%.*s: a table needs known columns, and `*` has others",
                      STR_ARG(from->stage));
        (void)err_hint(&why, "name the columns in `select`");
        return note(c, NULL, &why, err);
    }
    for (int32_t i = 0; i < schema->count; i++) {
        TRY(union_column(c, u, from, &schema->fields[i], err));
    }
    return OK;
}

static int32_t columns_max(const Route *route)
{
    int32_t count = 1;
    for (int32_t p = 0; p < route->processor_count; p++) {
        for (int32_t i = 0; i < route->processors[p].case_count; i++) {
            const RouteCase *from = &route->processors[p].cases[i];
            if (from->select) count += select_schema(from->select)->count;
        }
    }
    return count;
}

static Status case_columns(Route *route, RouteCase *to, Err *err)
{
    to->columns = ARENA_ARRAY(&route->arena, int32_t, route->out->count + 1);
    if (!to->columns) return err_memory(err);
    for (int32_t i = 0; i < route->out->count; i++) {
        to->columns[i] = schema_find(select_schema(to->select), route->out->fields[i].name);
    }
    return OK;
}

static Status check_key_columns(const Compiling *c, Err *err)
{
    const StreamConfig *config = c->route->config;
    for (int32_t i = 0; i < config->key_column_count; i++) {
        Str name = config->key_columns[i];
        if (schema_find(c->route->out, name) >= 0) continue;
        Err why = {0};
        (void)err_set(&why, ERR_CONFIG, "no processor makes the key column \"%.*s\"",
                      STR_ARG(name));
        Str near = schema_nearest(c->route->out, name);
        if (near.len) (void)err_hint(&why, "did you mean \"%.*s\"?", STR_ARG(near));
        TRY(note(c, &config->key, &why, err));
    }
    return OK;
}

static Status union_schema(const Compiling *c, Err *err)
{
    Route *route = c->route;
    int32_t most = columns_max(route);
    Union u = {.fields = ARENA_ARRAY(&route->arena, Field, most),
               .owners = ARENA_ARRAY(&route->arena, Str, most)};
    if (!u.fields || !u.owners) return err_memory(err);
    for (int32_t p = 0; p < route->processor_count; p++) {
        for (int32_t i = 0; i < route->processors[p].case_count; i++) {
            TRY(union_case(c, &u, &route->processors[p].cases[i], err));
        }
    }
    TRY(schema_new(u.fields, u.count, false, &route->out, err));
    TRY(check_key_columns(c, err));
    if (c->mistake) return OK; /* only looked at */
    for (int32_t p = 0; p < route->processor_count; p++) {
        for (int32_t i = 0; i < route->processors[p].case_count; i++) {
            TRY(case_columns(route, &route->processors[p].cases[i], err));
        }
    }
    return OK;
}

/* ---- all ---- */

static Status compile_route_by(const Compiling *c, Err *err)
{
    Route *route = c->route;
    const StreamText *text = &route->config->routing.by;
    Err why = {0};
    if (!text->text.len) return OK;
    if (expr_compile(text->text, route->base, &route->paths, TYPE_COUNT, &route->route_by, &why) !=
        OK) {
        return note(c, text, &why, err);
    }
    TypeId type = expr_type(route->route_by);
    if (type == TYPE_DYNAMIC || type == TYPE_TEXT) return OK;
    (void)err_set(&why, ERR_CONFIG, "`route_by` must give a text, not %s", type_name(type));
    return note(c, text, &why, err);
}

Status route_compile(Route *route, const StreamConfig *config, StreamMistake *mistake, void *arg,
                     Err *err)
{
    *route = (Route){.config = config, .arena = arena_make(INT64_C(64) << 20)};
    Compiling c = {.route = route, .mistake = mistake, .arg = arg};
    pathset_init(&route->paths);
    TRY(pathset_schema(&route->paths, config->from_messages, &route->base, err));
    TRY(compile_route_by(&c, err));
    TRY(compile_processors(&c, err));
    TRY(pathset_schema(&route->paths, config->from_messages, &route->in, err));
    return config->to_messages ? message_schema(&route->out, err) : union_schema(&c, err);
}

void route_done(Route *route)
{
    for (int32_t p = 0; p < route->processor_count; p++) {
        for (int32_t i = 0; i < route->processors[p].case_count; i++) {
            RouteCase *made = &route->processors[p].cases[i];
            expr_free(made->where);
            expr_free(made->key);
            message_encoder_free(made->encoder);
            select_free(made->select);
        }
    }
    expr_free(route->route_by);
    schema_unref(route->base);
    schema_unref(route->in);
    schema_unref(route->out);
    pathset_done(&route->paths);
    arena_done(&route->arena);
}

Status stream_check(const StreamConfig *config, StreamMistake *mistake, void *arg, Err *err)
{
    Route route;
    Status status = route_compile(&route, config, mistake, arg, err);
    route_done(&route);
    return status;
}
