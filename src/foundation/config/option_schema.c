/* Option tables as a JSON Schema, for editors. */
#include "foundation/codec/json_writer.h"
#include "foundation/config/option.h"

static void write_group(JsonWriter *w, const OptionGroup *group);

static void write_type(JsonWriter *w, const char *type)
{
    json_key(w, "type");
    json_write_text(w, str_from(type));
}

static void write_choices(JsonWriter *w, const Option *option)
{
    json_key(w, "enum");
    json_array_begin(w);
    for (int32_t i = 0; option->choices[i]; i++) json_write_text(w, str_from(option->choices[i]));
    json_array_end(w);
}

static void write_types(JsonWriter *w, const char *const *types, int32_t count)
{
    json_key(w, "type");
    json_array_begin(w);
    for (int32_t i = 0; i < count; i++) json_write_text(w, str_from(types[i]));
    json_array_end(w);
}

static void write_value(JsonWriter *w, const Option *option)
{
    static const char *const SCALARS[] = {"string", "number", "boolean"};
    static const char *const LISTS[] = {"array", "string"};
    switch (option->type) {
    case OPTION_TEXT:
        write_types(w, SCALARS, 3);
        return;
    case OPTION_SIZE:
    case OPTION_DURATION:
    case OPTION_SHARE:
        write_types(w, SCALARS, 2);
        return;
    case OPTION_NAME:
        write_type(w, "string");
        return;
    case OPTION_BOOL:
        write_types(w, SCALARS + 2, 1);
        return;
    case OPTION_INT:
        write_type(w, "integer");
        return;
    case OPTION_CHOICE:
        write_choices(w, option);
        return;
    case OPTION_TEXTS:
        write_types(w, LISTS, 2);
        return;
    case OPTION_GROUP:
        write_group(w, option->group);
        return;
    case OPTION_GROUPS:
        write_type(w, "object");
        json_key(w, "additionalProperties");
        json_object_begin(w);
        write_group(w, option->group);
        json_object_end(w);
        return;
    case OPTION_ITEMS:
        write_type(w, "array");
        json_key(w, "items");
        json_object_begin(w);
        write_group(w, option->group);
        json_object_end(w);
        return;
    case OPTION_NODE:
        return;
    }
}

static void write_option(JsonWriter *w, const Option *option)
{
    json_key(w, option->name);
    if (option->type == OPTION_NODE && option->schema) {
        json_write_raw(w, str_from(option->schema));
        return;
    }
    json_object_begin(w);
    json_key(w, "description");
    json_write_text(w, str_from(option->summary));
    if (option->otherwise) {
        json_key(w, "default");
        json_write_text(w, str_from(option->otherwise));
    }
    write_value(w, option);
    json_object_end(w);
}

static bool has_required(const OptionGroup *group)
{
    for (int32_t i = 0; i < group->count; i++) {
        if (group->options[i].required) return true;
    }
    return false;
}

static void write_group(JsonWriter *w, const OptionGroup *group)
{
    write_type(w, "object");
    json_key(w, "additionalProperties");
    json_write_bool(w, false);
    json_key(w, "properties");
    json_object_begin(w);
    for (int32_t i = 0; i < group->count; i++) write_option(w, &group->options[i]);
    json_object_end(w);
    if (!has_required(group)) return;
    json_key(w, "required");
    json_array_begin(w);
    for (int32_t i = 0; i < group->count; i++) {
        if (group->options[i].required) json_write_text(w, str_from(group->options[i].name));
    }
    json_array_end(w);
}

Status option_schema(const OptionGroup *group, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "$schema");
    json_write_text(&w, STR("https://json-schema.org/draft/2020-12/schema"));
    json_key(&w, "title");
    json_write_text(&w, STR("neuron configuration"));
    write_group(&w, group);
    json_object_end(&w);
    return json_writer_end(&w);
}
