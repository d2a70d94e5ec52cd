/* All families of functions: looked up by name, listed for people, editors and the docs. */
#include <stdio.h>

#include "engine/expr/kernel.h"
#include "foundation/codec/json_writer.h"

static const FunctionTable *const TABLES[] = {
    &COMPARE_FUNCTIONS,     &ARITHMETIC_FUNCTIONS,    &LOGIC_FUNCTIONS,     &LIKE_FUNCTIONS,
    &NUMBER_FUNCTIONS,      &TEXT_FUNCTIONS,          &TEXT_PART_FUNCTIONS, &REGEX_FUNCTIONS,
    &DATETIME_FUNCTIONS,    &DATETIME_PART_FUNCTIONS, &HASH_FUNCTIONS,      &JSON_FUNCTIONS,
    &FORMAT_DATE_FUNCTIONS, &FORMAT_NUMBER_FUNCTIONS, &ARRAY_FUNCTIONS,     &QUOTE_FUNCTIONS,
    &TYPE_FUNCTIONS,        &INTERVAL_FUNCTIONS,      &JSON_EDIT_FUNCTIONS, &JSON_SEARCH_FUNCTIONS,
    &EXACT_FUNCTIONS,       &TRIG_FUNCTIONS,          &BYTES_FUNCTIONS,
};

Status function_find(Str name, const Function *ret_functions[32], int32_t *ret_count, Err *err)
{
    int32_t count = 0;
    for (int64_t t = 0; t < COUNT_OF(TABLES); t++) {
        for (int64_t i = 0; i < TABLES[t]->count; i++) {
            const Function *function = &TABLES[t]->functions[i];
            if (!str_eq(name, str_from(function->name))) continue;
            if (count == 32) return err_set(err, ERR_INTERNAL, "too many overloads");
            ret_functions[count++] = function;
        }
    }
    *ret_count = count;
    return OK;
}

Str function_nearest(Str name)
{
    Str best = STR_NULL;
    int64_t best_distance = INT64_MAX;
    for (int64_t t = 0; t < COUNT_OF(TABLES); t++) {
        for (int64_t i = 0; i < TABLES[t]->count; i++) {
            Str candidate = str_from(TABLES[t]->functions[i].name);
            if (!str_nearest(name, &candidate, 1).ptr) continue;
            int64_t distance = str_distance(name, candidate);
            if (distance >= best_distance) continue;
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

/* ---- listing ---- */

/* Internal names of what has a syntax of its own. */
static bool is_hidden(const Function *f)
{
    return str_starts(str_from(f->name), STR("check_"));
}

static Status list_text(const Function *f, Buf *out, Err *err)
{
    return buf_printf(out, err, "%-24s %-44s %s%s%s\n", f->name, f->signature, f->summary,
                      f->alias_of ? " = " : "", f->alias_of ? f->alias_of : "");
}

static Status list_markdown(const Function *f, Buf *out, Err *err)
{
    TRY(buf_append(out, STR("| `"), err));
    for (const char *c = f->name; *c; c++) {
        if (*c == '|') TRY(buf_append_char(out, '\\', err));
        TRY(buf_append_char(out, *c, err));
    }
    TRY(buf_printf(out, err, "` | `%s` | %s | `", f->signature, f->summary));
    for (const char *c = f->example; *c; c++) {
        if (*c == '|') TRY(buf_append_char(out, '\\', err));
        TRY(buf_append_char(out, *c, err));
    }
    return buf_append(out, STR("` |\n"), err);
}

static void list_json(const Function *f, JsonWriter *w)
{
    json_object_begin(w);
    json_key(w, "name");
    json_write_text(w, str_from(f->name));
    json_key(w, "signature");
    json_write_text(w, str_from(f->signature));
    json_key(w, "family");
    json_write_text(w, str_from(f->family));
    json_key(w, "summary");
    json_write_text(w, str_from(f->summary));
    json_key(w, "example");
    json_write_text(w, str_from(f->example));
    json_key(w, "fallible");
    json_write_bool(w, f->flags & FUNCTION_FALLIBLE);
    json_key(w, "alias_of");
    json_write_text_or_null(w, str_from(f->alias_of));
    json_object_end(w);
}

static Status list_one(const Function *f, FunctionFormat format, JsonWriter *w, Buf *out, Err *err)
{
    switch (format) {
    case FUNCTION_TEXT:
        return list_text(f, out, err);
    case FUNCTION_MARKDOWN:
        return list_markdown(f, out, err);
    case FUNCTION_JSON:
        list_json(f, w);
        return OK;
    }
    return OK;
}

static Status list_family(const char *family, FunctionFormat format, JsonWriter *w, Buf *out,
                          Err *err)
{
    if (format == FUNCTION_MARKDOWN) {
        TRY(buf_printf(out, err,
                       "\n### %s\n\n| name | signature | what | example |\n| --- | --- | --- | --- "
                       "|\n",
                       family));
    } else if (format == FUNCTION_TEXT) {
        TRY(buf_printf(out, err, "%s\n", family));
    }
    for (int64_t t = 0; t < COUNT_OF(TABLES); t++) {
        for (int64_t i = 0; i < TABLES[t]->count; i++) {
            const Function *f = &TABLES[t]->functions[i];
            if (is_hidden(f) || !str_eq(str_from(f->family), str_from(family))) continue;
            TRY(list_one(f, format, w, out, err));
        }
    }
    return OK;
}

Status function_list(FunctionFormat format, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    if (format == FUNCTION_JSON) json_array_begin(&w);
    const char *seen[64];
    int32_t count = 0;
    for (int64_t t = 0; t < COUNT_OF(TABLES); t++) {
        for (int64_t i = 0; i < TABLES[t]->count; i++) {
            const char *family = TABLES[t]->functions[i].family;
            int32_t at = 0;
            while (at < count && !str_eq(str_from(seen[at]), str_from(family))) at++;
            if (at < count || count == 64) continue;
            seen[count++] = family;
            TRY(list_family(family, format, &w, out, err));
        }
    }
    if (format != FUNCTION_JSON) return OK;
    json_array_end(&w);
    return json_writer_end(&w);
}
