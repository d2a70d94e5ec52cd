/* Room for vectors. */
#include "engine/expr/vector.h"

int64_t vector_width(TypeId type)
{
    switch (type) {
    case TYPE_BOOL:
        return 1;
    case TYPE_DYNAMIC:
        return (int64_t)sizeof(Cell);
    case TYPE_TEXT:
    case TYPE_BYTES:
    case TYPE_JSON:
        return (int64_t)sizeof(Str);
    case TYPE_INT64:
    case TYPE_DOUBLE:
    case TYPE_NUMERIC:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_INTERVAL:
    case TYPE_UUID:
    case TYPE_COUNT:
        break;
    }
    return type_width(type);
}

Status vector_make(Arena *arena, TypeId type, int64_t rows, bool raw, Vector *ret_vector, Err *err)
{
    Vector vector = {.type = type, .mask = -1};
    int64_t bytes = vector_width(type) * rows;
    vector.data = raw ? arena_raw(arena, bytes) : arena_alloc(arena, bytes);
    if (!vector.data) return err_memory(err);
    if (type == TYPE_NUMERIC) {
        vector.scales = arena_alloc(arena, rows);
        if (!vector.scales) return err_memory(err);
    }
    *ret_vector = vector;
    return OK;
}
