/* The configured connections as runs and streams last found them: nobody is asked for it. */
#include "service/daemon/connections.h"

#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "service/daemon/part_health.h"

enum { LINK_ERROR_SIZE = 512 };
typedef enum LinkState { LINK_UNKNOWN, LINK_GOOD, LINK_BAD } LinkState;

typedef struct Link {
    Str name, text; /* as messages show it, secrets masked */
    LinkState state;
    int64_t checked_us, since_us;
    char error[LINK_ERROR_SIZE];
    ErrKind kind; /* of the error */
} Link;

Status links_make(LinkTable *links, Configuration *c, Err *err)
{
    links->items = mem_array(c->connection_count + 1, (int64_t)sizeof *links->items);
    if (!links->items) return err_memory(err);
    pthread_mutex_init(&links->mutex, NULL);
    for (int32_t i = 0; i < c->connection_count; i++) {
        const ConnectionOptions *o = &c->connections[i];
        Location location = {0};
        if (location_parse(c->registry, o->url, &c->arena, &location, NULL) != OK) continue;
        links->items[links->count++] = (Link){.name = o->head.name, .text = location.text};
    }
    return OK;
}

void links_done(LinkTable *links)
{
    if (links->items) pthread_mutex_destroy(&links->mutex);
    mem_free(links->items);
    links->items = NULL;
    links->count = 0;
}

void links_clock_set(LinkTable *links, int64_t step_us)
{
    int64_t now_us = clock_now_us();
    pthread_mutex_lock(&links->mutex);
    for (int32_t i = 0; i < links->count; i++) {
        Link *link = &links->items[i];
        link->checked_us = clock_moment_move(link->checked_us, step_us, now_us);
        link->since_us = clock_moment_move(link->since_us, step_us, now_us);
    }
    pthread_mutex_unlock(&links->mutex);
}

/* Under the mutex. */
static void set(LinkTable *links, Str text, const Err *why)
{
    int64_t now_us = clock_now_us();
    for (int32_t i = 0; i < links->count; i++) {
        Link *link = &links->items[i];
        if (!str_eq(link->text, text)) continue;
        LinkState state = why ? LINK_BAD : LINK_GOOD;
        if (link->state != state) link->since_us = now_us;
        link->state = state;
        link->checked_us = now_us;
        link->kind = why ? why->kind : ERR_INTERNAL;
        str_to_array(link->error, sizeof link->error, why ? str_from(why->message) : STR_NULL);
    }
}

/* Errors of other kinds come from a system that answers. */
static bool is_out_of_reach(const Err *why)
{
    return why->kind == ERR_CONNECT || why->kind == ERR_TIMEOUT || why->kind == ERR_NOT_FOUND ||
           why->kind == ERR_PERMISSION || why->kind == ERR_IO;
}

void links_note(LinkTable *links, Str from, Str to, const Err *why)
{
    Str message = why ? str_from(why->message) : STR_NULL;
    bool of_source = str_find(message, STR("source: ")) >= 0;
    bool of_target = str_find(message, STR("target: ")) >= 0;
    if (why && (!is_out_of_reach(why) || of_source == of_target)) return;
    pthread_mutex_lock(&links->mutex);
    if (!why || of_source) set(links, from, why);
    if (!why || of_target) set(links, to, why);
    pthread_mutex_unlock(&links->mutex);
}

/* Streams tell of their systems all the time. */
static void look_at_streams(LinkTable *links, const StreamTable *streams)
{
    for (int32_t i = 0; i < streams->count; i++) {
        const StreamConfig *c = stream_config(streams->items[i]);
        StreamStats *stats = stream_stats(streams->items[i]);
        int state = atomic_load(&stats->state);
        if (state == STREAM_RUNNING) links_note(links, c->from.text, c->to.text, NULL);
        if (state != STREAM_WAITING && state != STREAM_FAILED) continue;
        pthread_mutex_lock(&stats->mutex);
        Err why = stats->error;
        pthread_mutex_unlock(&stats->mutex);
        links_note(links, c->from.text, c->to.text, &why);
    }
}

static void write_link(const Link *link, bool detail, JsonWriter *w)
{
    static const char *const NAMES[] = {"unknown", "healthy", "unhealthy"};
    char key[256] = "connection:";
    str_to_array(key + 11, sizeof key - 11, link->name);
    json_key(w, key);
    json_object_begin(w);
    PartHealth part = {
        .status = str_from(NAMES[link->state]), .kind = link->kind, .since_us = link->since_us};
    if (link->state == LINK_BAD) part.error = str_from(link->error);
    part_health_write(&part, detail, w);
    if (detail) {
        json_key(w, "location");
        json_write_text(w, link->text);
        json_key_time(w, "checked_at", link->checked_us);
    }
    json_object_end(w);
}

bool links_write(LinkTable *links, const StreamTable *streams, bool detail, JsonWriter *w)
{
    bool good = true;
    look_at_streams(links, streams);
    pthread_mutex_lock(&links->mutex);
    for (int32_t i = 0; i < links->count; i++) {
        write_link(&links->items[i], detail, w);
        good = good && links->items[i].state != LINK_BAD;
    }
    pthread_mutex_unlock(&links->mutex);
    return good;
}
