/* The world of one scripted test: made, and its dice. */
#include "connect/fault/fault_impl.h"
#include "foundation/base/mem.h"

Status fault_world_init(FaultWorld *w, uint64_t seed, int32_t parts, int64_t rows, Err *err)
{
    assert(parts <= FAULT_PARTS_MAX);
    *w = (FaultWorld){.seed = seed, .parts = parts, .rows = rows, .revoke_after_ns = 200000000};
    pthread_mutex_init(&w->mutex, NULL);
    for (int32_t i = 0; i < parts; i++) {
        w->assigned[i] = true;
        w->epoch[i] = 1;
        w->committed[i] = mem_zalloc(rows + 1);
        w->rejected[i] = mem_zalloc(rows + 1);
        if (!w->committed[i] || !w->rejected[i]) return err_memory(err);
    }
    return OK;
}

void fault_world_done(FaultWorld *w)
{
    for (int32_t i = 0; i < w->parts; i++) {
        mem_free(w->committed[i]);
        mem_free(w->rejected[i]);
    }
    pthread_mutex_destroy(&w->mutex);
}

int64_t fault_dice(FaultWorld *w, int64_t sides)
{
    /* A linear congruential generator; its upper bits are good enough for dice. */
    w->seed = w->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((w->seed >> 33) % (uint64_t)sides);
}

bool fault_happens(FaultWorld *w, int32_t odds)
{
    return odds > 0 && fault_dice(w, 1000) < odds;
}

Status fault_schema(Schema **ret_schema, Err *err)
{
    Field fields[] = {{.name = STR("part"), .type = TYPE_INT64},
                      {.name = STR("row"), .type = TYPE_INT64}};
    return schema_new(fields, 2, false, ret_schema, err);
}
