/* neuron rejects: refused rows and dead letters by cause; one of them; replayed. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/replay_lease.h"
#include "foundation/base/redact.h"
#include "service/setup/configuration.h"
#include "store/state/state_store.h"
#include "work/reject/replay.h"

enum { OUT_MAX = 1 << 30, SHOWN_MAX = 20 };

typedef struct Rejects {
    Program *program;
    const Args *args;
    Configuration *config;
    StateStore *store; /* marks of what was replayed */
    RefusedEnv env;
    Budget budget;
    Buf out;
    JsonWriter w; /* --json */
    int64_t shown;
    bool failed;
} Rejects;

/* One place while it is looked at. */
typedef struct ListContext {
    Rejects *r;
    RefusedPlace place;
    Causes causes;
    ReplayLease lease; /* while it is replayed */
    Str wanted;        /* --show: an id; empty: none */
    bool found;
    int64_t passed; /* by --cause: replayed before, not shown */
} ListContext;

/* ---- marks ---- */

static Status mark_key(const ListContext *look, const Cause *cause, Buf *out, Err *err)
{
    return buf_printf(out, err, "rejects:%.*s:%s", STR_ARG(look->place.name), cause->id);
}

static Status marks_load(ListContext *look, Cause *cause, Err *err)
{
    CLEANUP(buf_done) Buf key = buf_make(1 << 16);
    CLEANUP(buf_done) Buf value = buf_make(1 << 24);
    TRY(mark_key(look, cause, &key, err));
    TRY(state_value_get(look->r->store, buf_str(&key), &value, err));
    return cause_marks_read(&look->causes, cause, buf_str(&value), err);
}

static Status marks_keep(void *arg, Err *err)
{
    ListContext *look = arg;
    TRY(replay_lease_check(&look->lease, err));
    if (!look->place.ordered) return OK;
    for (int32_t i = 0; i < look->causes.count; i++) {
        const Cause *cause = look->causes.items[i];
        CLEANUP(buf_done) Buf key = buf_make(1 << 16);
        CLEANUP(buf_done) Buf value = buf_make(1 << 24);
        if (cause->mark_count == 0) continue;
        TRY(mark_key(look, cause, &key, err));
        TRY(cause_marks_write(cause, &value, err));
        TRY(state_value_put(look->r->store, buf_str(&key), buf_str(&value), err));
    }
    return OK;
}

/* ---- what a replay begins ---- */

static Status begun_key(const ListContext *look, Buf *out, Err *err)
{
    return buf_printf(out, err, "replay:%.*s", STR_ARG(look->place.name));
}

static Status begun_keep(void *arg, Str begun, Err *err)
{
    ListContext *look = arg;
    CLEANUP(buf_done) Buf key = buf_make(1 << 16);
    TRY(replay_lease_check(&look->lease, err));
    TRY(begun_key(look, &key, err));
    if (!begun.len) return state_value_drop(look->r->store, buf_str(&key), err);
    return state_value_put(look->r->store, buf_str(&key), begun, err);
}

static Status begun_load(const ListContext *look, Buf *begun, Err *err)
{
    CLEANUP(buf_done) Buf key = buf_make(1 << 16);
    TRY(begun_key(look, &key, err));
    return state_value_get(look->r->store, buf_str(&key), begun, err);
}

/* ---- counting ---- */

static Status count_one(void *arg, const Refused *refused, Err *err)
{
    ListContext *look = arg;
    Cause *cause = NULL;
    int32_t before = look->causes.count;
    TRY(causes_find(&look->causes, refused, &cause, err));
    if (!cause) return OK;
    if (look->causes.count > before && look->place.ordered) TRY(marks_load(look, cause, err));
    cause_look(cause, refused);
    if (cause_is_replayed(cause, refused)) {
        cause->replayed++;
        return OK;
    }
    cause->count++;
    memcpy(cause->example, refused->id, sizeof cause->example);
    if (refused->time.len) TRY(arena_copy(&look->causes.arena, refused->time, &cause->last, err));
    return OK;
}

static void list_json(const ListContext *look, JsonWriter *w)
{
    for (int32_t i = 0; i < look->causes.count; i++) {
        const Cause *cause = look->causes.items[i];
        json_object_begin(w);
        json_key_text_or_null(w, "name", look->place.name);
        json_key_text_or_null(w, "kind", look->place.stream ? STR("stream") : STR("pipeline"));
        json_key_text_or_null(w, "cause", str_from(cause->id));
        json_key_int64(w, "count", cause->count);
        json_key_int64(w, "replayed", cause->replayed);
        json_key_text_or_null(w, "stage", cause->stage);
        char reason[REFUSED_REASON_MAX];
        json_key_text_or_null(w, "reason", refused_reason(cause->reason, reason));
        json_key_text_or_null(w, "first", cause->first);
        json_key_text_or_null(w, "last", cause->last);
        json_key_text_or_null(w, "example", str_from(cause->example));
        json_object_end(w);
    }
}

static Status list_text(const ListContext *look, Err *err)
{
    Rejects *r = look->r;
    for (int32_t i = 0; i < look->causes.count; i++) {
        const Cause *cause = look->causes.items[i];
        int64_t count = cause->count + (args_has(r->args, "all") ? cause->replayed : 0);
        if (count == 0) continue;
        if (r->shown++ == 0) {
            TRY(buf_printf(&r->out, err, "%-20s %-8s %8s  %-20s %s\n", "NAME", "CAUSE", "COUNT",
                           "STAGE", "REASON (of the first)"));
        }
        char text[REFUSED_REASON_MAX];
        Str reason = str_slice(refused_reason(cause->reason, text), 0, 200);
        TRY(buf_printf(&r->out, err, "%-20.*s %-8s %8lld  %-20.*s %.*s\n",
                       STR_ARG(look->place.name), cause->id, (long long)count,
                       STR_ARG(cause->stage), STR_ARG(reason)));
    }
    if (look->causes.others == 0) return OK;
    return buf_printf(&r->out, err, "%.*s: %lld more of other causes\n", STR_ARG(look->place.name),
                      (long long)look->causes.others);
}

static Status look_list(ListContext *look, Err *err)
{
    TRY(refused_read(&look->place, &look->r->env, count_one, look, err));
    if (causes_drop_stale(&look->causes, look->place.lasting)) {
        look->causes.others = 0;
        for (int32_t i = 0; i < look->causes.count; i++) {
            look->causes.items[i]->count = look->causes.items[i]->replayed = 0;
        }
        TRY(refused_read(&look->place, &look->r->env, count_one, look, err));
    }
    if (!look->r->program->json) return list_text(look, err);
    list_json(look, &look->r->w);
    return OK;
}

/* Causes of what was replayed before must be known before the first row is looked at. */
static Status load_all(void *arg, const Refused *refused, Err *err)
{
    ListContext *look = arg;
    Cause *cause = NULL;
    int32_t before = look->causes.count;
    TRY(causes_find(&look->causes, refused, &cause, err));
    bool made = look->causes.count > before && look->place.ordered;
    if (made) TRY(marks_load(look, cause, err));
    if (cause) cause_look(cause, refused);
    return OK;
}

/* ---- showing ---- */

static Status show_one(void *arg, const Refused *refused, Err *err)
{
    ListContext *look = arg;
    Rejects *r = look->r;
    Str id = args_get(r->args, "cause", STR_NULL);
    bool wanted = look->wanted.len ? str_eq(look->wanted, str_from(refused->id))
                                   : str_eq(id, str_from(refused->cause)) && r->shown < SHOWN_MAX;
    if (!wanted) return OK;
    const Cause *cause = causes_get(&look->causes, id);
    bool open = look->wanted.len || args_has(r->args, "all");
    if (!open && cause && cause_is_replayed(cause, refused)) {
        look->passed++;
        return OK;
    }
    r->shown++;
    look->found = true;
    JsonWriter own = json_writer_make(&r->out, err);
    JsonWriter *w = r->program->json ? &r->w : &own;
    json_object_begin(w);
    refused_write(refused, w);
    json_object_end(w);
    if (r->program->json) return OK;
    TRY(json_writer_end(w));
    return buf_append_char(&r->out, '\n', err);
}

static Status look_show(ListContext *look, Err *err)
{
    const RefusedEnv *env = &look->r->env;
    const char *name = look->wanted.len ? "show" : "cause";
    Str id = args_get(look->r->args, name, STR_NULL);
    TRY(refused_read(&look->place, env, load_all, look, err));
    (void)causes_drop_stale(&look->causes, look->place.lasting);
    TRY(refused_read(&look->place, env, show_one, look, err));
    if (look->found) return OK;
    (void)err_set(err, ERR_NOT_FOUND, "%.*s has no %srejects of --%s %.*s",
                  STR_ARG(look->place.name), look->passed ? "open " : "", name, STR_ARG(id));
    if (look->passed) return err_hint(err, "--all shows what was replayed before");
    if (look->wanted.len) return err_hint(err, "ids are shown by --cause CAUSE");
    return err_hint(err, "causes are listed by `neuron rejects %.*s`", STR_ARG(look->place.name));
}

/* ---- replaying ---- */

static Status show_fixed(void *arg, const Refused *refused, Str fixed, Str why, Err *err)
{
    ListContext *look = arg;
    Rejects *r = look->r;
    bool dry = args_has(r->args, "dry-run");
    if (r->program->json || (!dry && fixed.ptr) || r->shown++ >= SHOWN_MAX) return OK;
    if (!fixed.ptr) {
        return buf_printf(&r->out, err, "%s stays: %.*s\n", refused->id, STR_ARG(why));
    }
    TRY(buf_printf(&r->out, err, "%s\n- %.*s\n+ %.*s\n", refused->id,
                   STR_ARG(redact_value(refused->original)), STR_ARG(redact_value(fixed))));
    return OK;
}

static Status replay_print(ListContext *look, const ReplayResult *result, Err *err)
{
    Rejects *r = look->r;
    bool dry = args_has(r->args, "dry-run");
    if (!r->program->json) {
        TRY(buf_printf(&r->out, err, "%.*s: %lld %s, %lld stay", STR_ARG(look->place.name),
                       (long long)result->replayed, dry ? "would be replayed" : "replayed",
                       (long long)(result->skipped + result->rejected)));
        if (result->rejected) {
            TRY(buf_printf(&r->out, err, " (%lld refused again)", (long long)result->rejected));
        }
        TRY(buf_printf(&r->out, err, ", %lld were replayed before\n", (long long)result->before));
        if (!dry || look->place.stream) return OK;
        return buf_append(&r->out, STR("the steps after --fix were not tried\n"), err);
    }
    json_object_begin(&r->w);
    json_key_text_or_null(&r->w, "name", look->place.name);
    json_key(&r->w, "dry_run");
    json_write_bool(&r->w, dry);
    json_key_int64(&r->w, "replayed", result->replayed);
    json_key_int64(&r->w, "skipped", result->skipped);
    json_key_int64(&r->w, "truncated", result->cut);
    json_key_int64(&r->w, "replayed_before", result->before);
    json_key_int64(&r->w, "records_loaded", result->loaded);
    json_key_int64(&r->w, "records_rejected", result->rejected);
    json_object_end(&r->w);
    return OK;
}

static Status look_replay(ListContext *look, Err *err)
{
    Rejects *r = look->r;
    const Args *args = r->args;
    CLEANUP(buf_done) Buf begun = buf_make(OUT_MAX);
    int64_t epoch = 0;
    if (!args_has(args, "dry-run")) {
        TRY(replay_lease_take(&look->lease, r->store, look->place.name, r->env.stop, err));
        TRY(replay_epoch(&look->place, &r->env, &epoch, err));
    }
    TRY(begun_load(look, &begun, err));
    Replay replay = {.place = &look->place,
                     .env = &r->env,
                     .fix = args_get(args, "fix", STR_NULL),
                     .cause = args_get(args, "cause", STR_NULL),
                     .all = args_has(args, "all"),
                     .dry_run = args_has(args, "dry-run"),
                     .causes = &look->causes,
                     .show = show_fixed,
                     .show_arg = look,
                     .keep = marks_keep,
                     .begin = begun_keep,
                     .keep_arg = look,
                     .epoch = epoch,
                     .begun = buf_str(&begun)};
    ReplayResult result;
    TRY(refused_read(&look->place, &r->env, load_all, look, err));
    (void)causes_drop_stale(&look->causes, look->place.lasting);
    if (replay.cause.len && !causes_get(&look->causes, replay.cause)) {
        (void)err_set(err, ERR_NOT_FOUND, "%.*s has no rejects of --cause %.*s",
                      STR_ARG(look->place.name), STR_ARG(replay.cause));
        return err_hint(err, "causes are listed by `neuron rejects %.*s`",
                        STR_ARG(look->place.name));
    }
    TRY(replay_run(&replay, &result, err));
    if (!replay.dry_run) TRY(marks_keep(look, err));
    if (result.skipped + result.rejected > 0) r->failed = true;
    return replay_print(look, &result, err);
}

/* ---- which ---- */

static bool replays(const Args *args)
{
    return args_has(args, "replay") || args_has(args, "fix") || args_has(args, "dry-run");
}

static Status look_run(Rejects *r, const RefusedPlace *place, Err *err)
{
    ListContext *look =
        &(ListContext){.r = r, .place = *place, .wanted = args_get(r->args, "show", STR(""))};
    Status status = causes_init(&look->causes, err);
    if (status == OK) {
        if (replays(r->args)) status = look_replay(look, err);
        else if (look->wanted.len || args_has(r->args, "cause")) status = look_show(look, err);
        else status = look_list(look, err);
    }
    replay_lease_drop(&look->lease);
    causes_done(&look->causes);
    return status;
}

/* One that can't be read doesn't hide the others. */
static Status look_any(Rejects *r, const RefusedPlace *place, Err *err)
{
    Err why = {0};
    if (look_run(r, place, &why) == OK) return OK;
    if (why.kind == ERR_MEMORY || why.kind == ERR_CANCELLED) {
        *err = why;
        return FAIL;
    }
    r->failed = true;
    if (!r->program->json) {
        return buf_printf(&r->out, err, "%.*s: %s\n", STR_ARG(place->name), why.message);
    }
    json_object_begin(&r->w);
    json_key_text_or_null(&r->w, "name", place->name);
    json_key_text_or_null(&r->w, "error", str_from(why.message));
    json_object_end(&r->w);
    return OK;
}

static Status look_all(Rejects *r, Err *err)
{
    RefusedPlace place;
    for (int32_t i = 0; i < r->config->stream_count; i++) {
        if (refused_place_stream(&r->config->streams[i], &place)) TRY(look_any(r, &place, err));
    }
    for (int32_t i = 0; i < r->config->pipeline_count; i++) {
        if (refused_place_pipeline(&r->config->pipelines[i], &place)) TRY(look_any(r, &place, err));
    }
    return OK;
}

static Status name_unknown(const Configuration *c, Str name, Err *err)
{
    Str near = STR_NULL;
    for (int32_t i = 0; i < c->stream_count && !near.len; i++) {
        near = str_nearest(name, &c->streams[i].name, 1);
    }
    for (int32_t i = 0; i < c->pipeline_count && !near.len; i++) {
        near = str_nearest(name, &c->pipelines[i].name, 1);
    }
    (void)err_set(err, ERR_CONFIG, "no pipeline or stream \"%.*s\" in %.*s", STR_ARG(name),
                  STR_ARG(c->path));
    return near.len ? err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near)) : FAIL;
}

static Status look_named(Rejects *r, Str name, Err *err)
{
    RefusedPlace place;
    const StreamConfig *stream = NULL;
    const PipelineConfig *pipeline = NULL;
    Err ignored = {0};
    bool is_stream = configuration_stream(r->config, name, &stream, &ignored) == OK;
    if (!is_stream && configuration_pipeline(r->config, name, &pipeline, err) != OK) {
        return name_unknown(r->config, name, err);
    }
    bool has =
        is_stream ? refused_place_stream(stream, &place) : refused_place_pipeline(pipeline, &place);
    if (has) return look_run(r, &place, err);
    (void)err_set(err, ERR_USAGE, "\"%.*s\" has no `%s:` destination", STR_ARG(name),
                  is_stream ? "dead_letter" : "rejects");
    return err_hint(err, is_stream ? "give it `dead_letter: { topic: … }`"
                                   : "give it `rejects:` with a table or a file");
}

static Status rejects_configured(Rejects *r, Err *err)
{
    Configuration *c = r->config;
    bool one = r->args->positional_count > 0;
    TRY(configuration_check(c, err));
    if (!one && (replays(r->args) || args_has(r->args, "show") || args_has(r->args, "cause"))) {
        return err_set(err, ERR_USAGE, "of which stream or pipeline?");
    }
    TRY(state_store_open(c->options.state, &r->store, err));
    budget_init(&r->budget, "memory", NULL, c->options.memory_bytes);
    r->env = (RefusedEnv){
        .registry = r->program->registry, .budget = &r->budget, .stop = &r->program->cancelled};
    if (r->program->json) {
        r->w = json_writer_make(&r->out, err);
        json_object_begin(&r->w);
        json_key(&r->w, "rejects");
        json_array_begin(&r->w);
    }
    TRY(one ? look_named(r, r->args->positional[0], err) : look_all(r, err));
    if (!r->program->json) {
        return r->out.len ? OK : buf_append(&r->out, STR("no rejects\n"), err);
    }
    json_array_end(&r->w);
    json_object_end(&r->w);
    TRY(json_writer_end(&r->w));
    return buf_append_char(&r->out, '\n', err);
}

static Status rejects_run(Program *program, const Args *args, int *ret_exit, Err *err)
{
    Configuration c;
    Rejects r = {.program = program, .args = args, .config = &c, .out = buf_make(OUT_MAX)};
    Status status = configuration_open(program, args, &c, err);
    if (status == OK) status = rejects_configured(&r, err);
    if (status == OK) status = output_write(program, buf_str(&r.out), err);
    if (status == OK && r.failed) *ret_exit = 1;
    state_store_close(r.store);
    buf_done(&r.out);
    configuration_done(&c);
    return status;
}

static const ArgOption OPTIONS[] = {
    {"cause", 0, "ID", "only those of this cause", false},
    {"show", 0, "ID", "one of them, whole; --cause lists them with their ids", false},
    {"replay", 0, NULL, "give them back: to the stream's topic, or to the pipeline's steps", false},
    {"fix", 0, "SELECT", "replay them fixed by this select list", false},
    {"dry-run", 0, NULL, "show what would be replayed; nothing is written", false},
    {"all", 0, NULL, "also what was replayed before (a table has let it go)", false},
};

const Command COMMAND_REJECTS = {
    .name = "rejects",
    .usage = "[NAME] [options]",
    .summary = "Lists rejected rows and dead letters by cause, shows one, replays them.",
    .example = "neuron rejects data-events --fix '* REPLACE (amount::numeric AS amount)' --dry-run",
    .options = OPTIONS,
    .option_count = COUNT_OF(OPTIONS),
    .positional_min = 0,
    .positional_max = 1,
    .run = rejects_run,
};
