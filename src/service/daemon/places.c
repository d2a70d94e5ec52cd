/* The limits of systems and of kinds of runs. */
#include "service/daemon/places.h"

#include "foundation/base/mem.h"

Status places_new(PlaceTable *table, const Configuration *config, int64_t job_count, Err *err)
{
    table->limit = config->options.concurrency;
    table->items = mem_array(JOB_PLACES_MAX * job_count + 1, (int64_t)sizeof *table->items);
    return table->items ? OK : err_memory(err);
}

void places_done(PlaceTable *table)
{
    mem_free(table->items);
    *table = (PlaceTable){0};
}

static int64_t limit_of(const Configuration *c, const Location *location)
{
    enum { OTHERWISE = 16 }; /* as a connection's, where it has no name */
    for (int32_t i = 0; i < c->connection_count; i++) {
        Arena arena = arena_make(1 << 20);
        Location named = {0};
        bool same =
            location_parse(c->registry, c->connections[i].url, &arena, &named, NULL) == OK &&
            str_eq(named.text, location->text);
        arena_done(&arena);
        if (same) return c->connections[i].concurrency;
    }
    return OTHERWISE;
}

void places_add(PlaceTable *table, Job *job, const Configuration *config, const Location *location)
{
    int32_t at = 0;
    while (at < table->count && !str_eq(table->items[at].text, location->text)) at++;
    if (at == table->count) {
        table->items[table->count++] =
            (Place){.text = location->text, .limit = limit_of(config, location)};
    }
    for (int32_t i = 0; i < job->place_count; i++) {
        if (job->places[i] == at) return;
    }
    job->places[job->place_count++] = at;
}

const Place *places_full(const PlaceTable *table, const Job *job)
{
    for (int32_t i = 0; i < job->place_count; i++) {
        const Place *place = &table->items[job->places[i]];
        if (place->running[job->kind] >= place->limit) return place;
    }
    return NULL;
}

bool places_have_room(const PlaceTable *table, const Job *job)
{
    return table->running[job->kind] < table->limit && !places_full(table, job);
}

void places_count(PlaceTable *table, Job *job, int32_t more)
{
    table->running[job->kind] += more;
    for (int32_t i = 0; i < job->place_count; i++) {
        table->items[job->places[i]].running[job->kind] += more;
    }
}
