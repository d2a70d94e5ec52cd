/* The machine's numbers, and what a core is told of the neuron when it registers. */
#include "service/federate/federate_host.h"

#include <sys/utsname.h>
#include <unistd.h>

#include "foundation/base/clock.h"
#include "foundation/codec/json_tree.h"
#include "foundation/obs/metrics.h"
#include "service/federate/federate_body.h"

#define LOOK_EVERY_NS INT64_C(1000000000)
enum { NAME_MAX_LEN = 255, NAMES_MAX = 200 };

static void note_disk(void *arg, const Str *labels UNUSED, double value)
{
    double *most = arg;
    if (value > *most) *most = value;
}

void host_look(Host *host)
{
    int64_t now_ns = clock_mono_ns();
    /* Over a moment the processors tell nothing. */
    if (host->machine.at_ns && now_ns - host->machine.at_ns < LOOK_EVERY_NS) return;
    SystemMemory memory = system_memory_read(NULL);
    double disk = -1;
    metrics_each(METRIC_DISK_USED, note_disk, &disk);
    if (disk < 0) disk = system_disk_used(STR("."));
    host->machine = (Machine){
        .at_ns = now_ns,
        .cpu = system_cpu_used(&host->cpu) * 100,
        .memory = memory.limit ? 100.0 * (double)memory.used / (double)memory.limit : 0,
        .disk = disk < 0 ? 0 : disk * 100,
    };
}

typedef struct Penalty {
    double high, low;
    int64_t high_points, low_points;
} Penalty;

static int64_t points(double value, const Penalty *p)
{
    return value > p->high ? p->high_points : value > p->low ? p->low_points : 0;
}

int64_t host_score(const Machine *machine, double error_rate)
{
    static const Penalty CPU = {80, 60, 20, 10}, MEMORY = {85, 70, 20, 10}, DISK = {90, 80, 15, 5},
                         ERRORS = {5, 2, 25, 10};
    int64_t score = 100 - points(machine->cpu, &CPU) - points(machine->memory, &MEMORY) -
                    points(machine->disk, &DISK) - points(error_rate, &ERRORS);
    return int64_max(score, 1); /* the core takes 0 for 100 */
}

/* ---- JSON ---- */

static Str host_name(char name[NAME_MAX_LEN + 1])
{
    if (gethostname(name, NAME_MAX_LEN) != 0) return STR("unknown");
    name[NAME_MAX_LEN] = 0;
    return str_from(name);
}

static void write_place(JsonWriter *w)
{
    char name[NAME_MAX_LEN + 1];
    struct utsname system = {0};
    (void)uname(&system);
    body_text(w, "hostname", host_name(name), NAME_MAX_LEN);
    body_text(w, "platform", str_from(system.sysname), NAME_MAX_LEN);
    body_text(w, "release", str_from(system.release), NAME_MAX_LEN);
    body_text(w, "architecture", str_from(system.machine), NAME_MAX_LEN);
    body_int(w, "cpus", (double)sysconf(_SC_NPROCESSORS_ONLN));
}

void host_write_info(JsonWriter *w)
{
    json_object_begin(w);
    write_place(w);
    body_int(w, "pid", (double)getpid());
    json_object_end(w);
}

void host_write_system(const Machine *machine, JsonWriter *w)
{
    json_object_begin(w);
    body_double(w, "cpu_usage", machine->cpu);
    body_double(w, "memory_usage", machine->memory);
    body_double(w, "disk_usage", machine->disk);
    json_object_end(w);
}

/* ---- registration ---- */

/* The names in a list of Control: {"pipelines":[{"name":…},…]}. */
static void write_names(JsonWriter *w, const char *key, const JsonValue *root)
{
    const JsonValue *list = root ? root->first : NULL;
    int32_t count = 0;
    json_key(w, key);
    json_array_begin(w);
    bool given = list && list->kind == JSON_ARRAY;
    for (const JsonValue *at = given ? list->first : NULL; at; at = at->next) {
        Str name = json_member_text(at, STR("name"), STR_NULL);
        if (name.len && count++ < NAMES_MAX) json_write_text(w, body_clip(name, 100));
    }
    json_array_end(w);
}

static Status write_metadata(const FederateOptions *o, JsonWriter *w, Arena *arena, Err *err)
{
    const Control *c = o->control;
    const struct {
        const char *key;
        Status (*list)(void *arg, Buf *out, Err *err);
    } LISTS[] = {{"pipelines", c->pipelines.list},
                 {"streams", c->streams.list},
                 {"datasets", c->quality.list}};
    json_key(w, "metadata");
    json_object_begin(w);
    body_text(w, "program", STR("neuron"), 50);
    for (int32_t i = 0; i < COUNT_OF(LISTS); i++) {
        CLEANUP(buf_done) Buf out = buf_make(FEDERATE_JSON_MAX);
        JsonValue *root = NULL;
        Str text = STR_NULL;
        TRY(LISTS[i].list(c->arg, &out, err));
        TRY(arena_copy(arena, buf_str(&out), &text, err));
        TRY(json_parse(text, arena, &root, err));
        write_names(w, LISTS[i].key, root);
    }
    json_object_end(w);
    return OK;
}

/* The names of what the neuron's health depends on. */
static Status write_dependencies(const FederateOptions *o, JsonWriter *w, Arena *arena, Err *err)
{
    CLEANUP(buf_done) Buf out = buf_make(FEDERATE_JSON_MAX);
    JsonValue *root = NULL;
    Health health = HEALTH_HEALTHY;
    int32_t count = 0;
    TRY(o->control->health(o->control->arg, true, &health, &out, err));
    TRY(json_parse(buf_str(&out), arena, &root, err));
    const JsonValue *map = json_member(root, STR("dependencies"));
    json_key(w, "dependencies");
    json_array_begin(w);
    for (const JsonValue *at = map ? map->first : NULL; at && count < NAMES_MAX; at = at->next) {
        if (str_eq(at->key, STR("federation"))) continue;
        json_write_text(w, body_clip(at->key, 100));
        count++;
    }
    json_array_end(w);
    return OK;
}

Status host_write_registration(const FederateOptions *o, JsonWriter *w, Err *err)
{
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    if (o->base_url.len) body_text(w, "baseUrl", o->base_url, 500);
    json_key(w, "deploymentInfo");
    json_object_begin(w);
    write_place(w);
    json_object_end(w);
    json_key(w, "resourceRequirements");
    json_object_begin(w);
    json_key(w, "memory_bytes");
    json_write_int64(w, o->memory_bytes);
    json_object_end(w);
    json_key(w, "alertThresholds");
    json_object_begin(w);
    body_double(w, "memory_usage", o->memory_limit * 100);
    body_double(w, "disk_usage", o->disk_limit * 100);
    body_double(w, "error_rate", 5);
    json_object_end(w);
    Status status = write_metadata(o, w, &arena, err);
    if (status == OK) status = write_dependencies(o, w, &arena, err);
    arena_done(&arena);
    return status;
}
