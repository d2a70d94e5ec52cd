/* openapi.json from the table of routes. */
#include "service/api/openapi.h"

#include "foundation/codec/json_writer.h"

static void write_text(JsonWriter *w, const char *key, const char *text)
{
    json_key(w, key);
    json_write_text(w, str_from(text));
}

static void write_parameter(JsonWriter *w, Str name, const char *in)
{
    bool number = str_eq(name, STR("limit")) || str_eq(name, STR("days"));
    json_object_begin(w);
    json_key(w, "name");
    json_write_text(w, name);
    write_text(w, "in", in);
    json_key(w, "required");
    json_write_bool(w, in[0] == 'p');
    json_key(w, "schema");
    json_object_begin(w);
    write_text(w, "type", number ? "integer" : "string");
    if (number) {
        json_key(w, "minimum");
        json_write_int64(w, 0);
    }
    json_object_end(w);
    json_object_end(w);
}

static void write_parameters(JsonWriter *w, const Route *route)
{
    json_key(w, "parameters");
    json_array_begin(w);
    if (str_find(str_from(route->path), STR("{name}")) >= 0) {
        write_parameter(w, STR("name"), "path");
    }
    Str rest = str_from(route->query), name;
    while (rest.len && str_next_part(&rest, ',', &name)) write_parameter(w, name, "query");
    json_array_end(w);
}

static void write_body(JsonWriter *w, const Route *route)
{
    Str rest = str_from(route->members), name;
    if (!rest.len) return;
    static const char *const OPEN[] = {"requestBody", "content", "application/json", "schema"};
    for (int32_t i = 0; i < COUNT_OF(OPEN); i++) {
        json_key(w, OPEN[i]);
        json_object_begin(w);
    }
    write_text(w, "type", "object");
    json_key(w, "additionalProperties");
    json_write_bool(w, false);
    json_key(w, "properties");
    json_object_begin(w);
    while (rest.len && str_next_part(&rest, ',', &name)) {
        json_key_str(w, name);
        json_write_raw(w, STR("{\"type\":\"string\"}"));
    }
    for (int32_t i = 0; i <= COUNT_OF(OPEN); i++) json_object_end(w);
}

static void write_answers(JsonWriter *w, const Route *route)
{
    json_key(w, "responses");
    json_object_begin(w);
    json_key(w, route->status == 202 ? "202" : "200");
    json_object_begin(w);
    write_text(w, "description", route->summary);
    json_object_end(w);
    json_key(w, "default");
    json_object_begin(w);
    write_text(w, "description", "A problem (RFC 9457).");
    json_key(w, "content");
    json_write_raw(w, STR("{\"application/problem+json\":{\"schema\":{\"type\":\"object\"}}}"));
    json_object_end(w);
    json_object_end(w);
}

static void write_operation(JsonWriter *w, const Route *route)
{
    json_key(w, route->method[0] == 'G' ? "get" : "post");
    json_object_begin(w);
    write_text(w, "summary", route->summary);
    write_parameters(w, route);
    write_body(w, route);
    write_answers(w, route);
    if (route->access == ACCESS_OPEN) {
        json_key(w, "security");
        json_write_raw(w, STR("[]"));
    }
    json_object_end(w);
}

static bool path_was_written(const Route *routes, int32_t at)
{
    for (int32_t i = 0; i < at; i++) {
        if (str_eq(str_from(routes[i].path), str_from(routes[at].path))) return true;
    }
    return false;
}

Status openapi_write(const Route *routes, int32_t count, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    write_text(&w, "openapi", "3.1.0");
    json_key(&w, "info");
    json_object_begin(&w);
    write_text(&w, "title", "neuron");
    write_text(&w, "version", NEURON_VERSION);
    json_object_end(&w);
    json_key(&w, "components");
    json_write_raw(&w, STR("{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":"
                           "\"bearer\"}}}"));
    json_key(&w, "security");
    json_write_raw(&w, STR("[{\"token\":[]}]"));
    json_key(&w, "paths");
    json_object_begin(&w);
    for (int32_t i = 0; i < count; i++) {
        if (path_was_written(routes, i)) continue;
        json_key(&w, routes[i].path);
        json_object_begin(&w);
        for (int32_t j = i; j < count; j++) {
            bool same = str_eq(str_from(routes[i].path), str_from(routes[j].path));
            if (same) write_operation(&w, &routes[j]);
        }
        json_object_end(&w);
    }
    json_object_end(&w);
    json_object_end(&w);
    return json_writer_end(&w);
}
