/* Paths into JSON as text: a.b[0]."odd key". */
#include "foundation/base/number.h"
#include "foundation/codec/json_walk.h"

static bool is_key_start(char c)
{
    unsigned char lower = (unsigned char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_key_char(char c)
{
    return is_key_start(c) || (c >= '0' && c <= '9') || c == '$';
}

static bool key_is_plain(Str key)
{
    if (key.len == 0 || !is_key_start(key.ptr[0])) return false;
    for (int64_t i = 1; i < key.len; i++) {
        if (!is_key_char(key.ptr[i])) return false;
    }
    return true;
}

typedef struct PathReader {
    Str text;
    int64_t at;
    Arena *arena;
} PathReader;

static Status path_mistake(const PathReader *reader, const char *what, Err *err)
{
    Status status = err_set(err, ERR_EXPRESSION, "path \"%.*s\": %s at character %lld",
                            STR_ARG(reader->text), what, (long long)reader->at + 1);
    err_at(err, 1, reader->at + 1);
    return status;
}

static char path_peek(const PathReader *reader)
{
    return reader->at < reader->text.len ? reader->text.ptr[reader->at] : 0;
}

/* `at` stands after the opening quote. */
static Status read_quoted(PathReader *reader, Str *ret_key, Err *err)
{
    char *key = arena_alloc(reader->arena, reader->text.len - reader->at + 1);
    if (!key) return err_memory(err);
    int64_t len = 0;
    while (reader->at < reader->text.len) {
        char c = reader->text.ptr[reader->at++];
        if (c != '"') {
            key[len++] = c;
        } else if (path_peek(reader) == '"') {
            reader->at++;
            key[len++] = '"';
        } else {
            *ret_key = str_make(key, len);
            return OK;
        }
    }
    return path_mistake(reader, "a closing quote is missing", err);
}

static Status read_key(PathReader *reader, JsonStep *ret_step, Err *err)
{
    if (path_peek(reader) == '"') {
        reader->at++;
        return read_quoted(reader, &ret_step->key, err);
    }
    if (!is_key_start(path_peek(reader))) {
        return path_mistake(reader, "a name was expected", err);
    }
    int64_t from = reader->at;
    while (is_key_char(path_peek(reader))) reader->at++;
    ret_step->key = str_slice(reader->text, from, reader->at);
    return OK;
}

static Status read_index(PathReader *reader, JsonStep *ret_step, Err *err)
{
    Str rest = str_slice(reader->text, reader->at, reader->text.len);
    int64_t close = str_find_char(rest, ']');
    bool digits = close > 0 && rest.ptr[0] != '+';
    if (!digits || number_parse_int64(str_slice(rest, 0, close), &ret_step->index) != NUMBER_OK) {
        return path_mistake(reader, "a whole number and ] were expected", err);
    }
    ret_step->is_index = true;
    reader->at += close + 1;
    return OK;
}

static Status read_step(PathReader *reader, bool first, JsonStep *ret_step, Err *err)
{
    char c = path_peek(reader);
    if (c == '[') {
        reader->at++;
        return read_index(reader, ret_step, err);
    }
    if (first) return read_key(reader, ret_step, err);
    if (c != '.') return path_mistake(reader, "a dot or [ was expected", err);
    reader->at++;
    return read_key(reader, ret_step, err);
}

Status json_path_parse(Str text, Arena *arena, JsonPath *ret_path, Err *err)
{
    PathReader reader = {text, 0, arena};
    JsonStep steps[JSON_PATH_STEPS_MAX];
    int32_t count = 0;
    if (text.len == 0) return path_mistake(&reader, "it is empty", err);
    while (reader.at < text.len) {
        if (count == JSON_PATH_STEPS_MAX) {
            return path_mistake(&reader, "more than 64 steps", err);
        }
        steps[count] = (JsonStep){STR_NULL, 0, false};
        TRY(read_step(&reader, count == 0, &steps[count], err));
        count++;
    }
    JsonStep *copy = ARENA_ARRAY(arena, JsonStep, count);
    if (!copy) return err_memory(err);
    memcpy(copy, steps, sizeof(JsonStep) * (size_t)count);
    *ret_path = (JsonPath){copy, count};
    return OK;
}

static Status format_key(Str key, Buf *out, Err *err)
{
    if (key_is_plain(key)) return buf_append(out, key, err);
    TRY(buf_append_char(out, '"', err));
    for (int64_t i = 0; i < key.len; i++) {
        if (key.ptr[i] == '"') TRY(buf_append_char(out, '"', err));
        TRY(buf_append_char(out, key.ptr[i], err));
    }
    return buf_append_char(out, '"', err);
}

Status json_path_format(const JsonPath *path, Buf *out, Err *err)
{
    for (int32_t i = 0; i < path->count; i++) {
        const JsonStep *step = &path->steps[i];
        if (step->is_index) {
            TRY(buf_printf(out, err, "[%lld]", (long long)step->index));
            continue;
        }
        if (i > 0) TRY(buf_append_char(out, '.', err));
        TRY(format_key(step->key, out, err));
    }
    return OK;
}
