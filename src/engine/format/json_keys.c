/* A hash table from names to indexes. */
#include "engine/format/json_keys.h"

#include "engine/format/json_read.h"
#include "foundation/base/hash.h"
#include "foundation/base/mem.h"

void json_keys_init(JsonKeys *keys)
{
    *keys = (JsonKeys){.arena = arena_make(INT64_C(256) << 20)};
}

void json_keys_done(JsonKeys *keys)
{
    mem_free(keys->names);
    mem_free(keys->table);
    arena_done(&keys->arena);
}

/* The place of `name`, or the free place where it belongs. */
static int64_t table_place(const JsonKeys *keys, Str name)
{
    int64_t at = (int64_t)hash_64(name, 0) & (keys->table_size - 1);
    while (keys->table[at] && !str_eq(keys->names[keys->table[at] - 1], name)) {
        at = (at + 1) & (keys->table_size - 1);
    }
    return at;
}

int32_t json_keys_find(const JsonKeys *keys, Str name, int32_t hint)
{
    if (LIKELY(hint >= 0 && hint < keys->count && str_eq(keys->names[hint], name))) return hint;
    if (keys->count == 0) return -1;
    return keys->table[table_place(keys, name)] - 1;
}

static Status grow(JsonKeys *keys, Err *err)
{
    int32_t capacity = keys->capacity ? 2 * keys->capacity : 32;
    Str *names = mem_realloc(keys->names, capacity * (int64_t)sizeof *names);
    if (!names) return err_memory(err);
    keys->names = names;
    int64_t size = 4 * (int64_t)capacity;
    int32_t *table = mem_array(size, (int64_t)sizeof *table);
    if (!table) return err_memory(err);
    mem_free(keys->table);
    keys->table = table;
    keys->table_size = size;
    keys->capacity = capacity;
    for (int32_t i = 0; i < keys->count; i++) table[table_place(keys, names[i])] = i + 1;
    return OK;
}

Status json_keys_add(JsonKeys *keys, Str name, Err *err)
{
    if (keys->count == JSON_COLUMNS_MAX) {
        return err_set(err, ERR_LIMIT, "the objects have more than %d different keys",
                       JSON_COLUMNS_MAX);
    }
    if (keys->count == keys->capacity) TRY(grow(keys, err));
    Str copy;
    TRY(arena_copy(&keys->arena, name, &copy, err));
    keys->names[keys->count] = copy;
    keys->table[table_place(keys, copy)] = keys->count + 1;
    keys->count++;
    return OK;
}
