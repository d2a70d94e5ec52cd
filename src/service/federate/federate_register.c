/* Registration, once per id, and the token that comes of it. */
#include "service/federate/federate_register.h"

#include "service/federate/federate_state.h"

#include "service/federate/federate_url.h"

#define REGISTER_FIRST_NS (5 * FEDERATE_S_NS)
#define REGISTER_MAX_NS (300 * FEDERATE_S_NS)
#define DOWN_MAX_NS (60 * FEDERATE_S_NS)
enum { TRIES_BEFORE_ERROR = 3, TOKENS_MAX = 1 << 20 };

/* ---- the token ---- */

typedef struct Found {
    struct Found *next;
    Str url, token;
} Found;

typedef struct Tokens {
    Arena arena;
    Found *first;
} Tokens;

static Status collect(void *arg, Str url, Str token, Err *err)
{
    Tokens *tokens = arg;
    Found *found = ARENA_NEW(&tokens->arena, Found);
    if (!found) return err_memory(err);
    TRY(arena_copy(&tokens->arena, url, &found->url, err));
    TRY(arena_copy(&tokens->arena, token, &found->token, err));
    found->next = tokens->first;
    tokens->first = found;
    return OK;
}

/* From now on by the one spelling; the former address keeps its own. */
static Status take_over(Federate *f, const Found *found, bool moved, Err *err)
{
    Str key = buf_str(&f->wire.key);
    TRY(state_token_put(f->o.store, key, f->o.id, found->token, err));
    if (!moved) TRY(state_token_drop(f->o.store, found->url, f->o.id, err));
    LOG(LOG_INFO, "federation", moved ? "the token of the former address is used" : "token found",
        log_text("address", key));
    return buf_append(&f->wire.token, found->token, err);
}

static Status search(Federate *f, const Tokens *tokens, Err *err)
{
    Str key = buf_str(&f->wire.key);
    for (int32_t pass = 0; pass < 2; pass++) {
        bool moved = pass == 1;
        Str wanted = moved ? f->o.former_url : key;
        for (const Found *at = tokens->first; at; at = at->next) {
            if (federate_url_same(at->url, wanted)) return take_over(f, at, moved, err);
        }
    }
    if (!tokens->first) return OK;
    if (federate_url(tokens->first->url, true, &f->wire.other, NULL) != OK)
        buf_clear(&f->wire.other);
    return OK;
}

Status federate_load_token(Federate *f, Err *err)
{
    Tokens tokens = {.arena = arena_make(TOKENS_MAX)};
    TRY(state_token_get(f->o.store, buf_str(&f->wire.key), f->o.id, &f->wire.token, err));
    if (f->wire.token.len) return OK;
    Status status = state_token_list(f->o.store, f->o.id, collect, &tokens, err);
    if (status == OK) status = search(f, &tokens, err);
    arena_done(&tokens.arena);
    return status;
}

/* Before anything else: the core gives no second token for an id. */
static Status keep_token(Federate *f, Str token, Err *err)
{
    TRY(state_token_put(f->o.store, buf_str(&f->wire.key), f->o.id, token, err));
    buf_clear(&f->wire.token);
    return buf_append(&f->wire.token, token, err);
}

/* ---- registration ---- */

static Status register_body(const Federate *f, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    body_text(&w, "neuronId", f->o.id, 100);
    body_text(&w, "name", f->o.name.len ? f->o.name : f->o.id, 255);
    body_text(&w, "type", f->o.type, 100);
    body_text(&w, "language", STR("c"), 50);
    body_text(&w, "version", STR(NEURON_VERSION), 50);
    body_text(&w, "healthcheckEndpoint", STR("/health"), 255);
    json_key(&w, "apiEndpoints");
    json_write_raw(&w, STR("[\"/health\",\"/metrics\",\"/api/v1/status\"]"));
    json_key(&w, "authentication");
    json_write_raw(&w, STR("{\"type\":\"jwt\",\"required\":true}"));
    json_key(&w, "capabilities");
    json_write_raw(&w, STR("[\"etl\",\"stream_processing\",\"data_quality\"]"));
    TRY(host_write_registration(&f->o, &w, err));
    json_object_end(&w);
    return json_writer_end(&w);
}

/* A 500 to a registration is the only sign that the core gives of an id that it has already. */
static void say_maybe_taken(Federate *f, const Answer *a, Err *why)
{
    (void)err_set(why, ERR_CONNECT,
                  "the id %.*s may be taken, or the core's database is away"
                  " (register answered %d: %s)",
                  STR_ARG(f->o.id), (int)a->status, a->text);
    if (f->wire.other.len) {
        (void)err_hint(why,
                       "this store has a token for the id under %.*s; if that is the same"
                       " federation, set federation.former_url to that address",
                       STR_ARG(buf_str(&f->wire.other)));
    } else {
        (void)err_hint(why, "if it stays so, give back the state store that holds the id's token,"
                            " or set another neuron.id");
    }
}

static void say_why(Federate *f, const Answer *a, Err *why)
{
    if (a->outcome == CALL_ERROR) {
        say_maybe_taken(f, a, why);
    } else if (a->outcome == CALL_DOWN) {
        (void)err_set(why, ERR_CONNECT, "the federation does not answer: %s", a->text);
    } else if (a->outcome == CALL_STRANGE) {
        (void)err_set(why, ERR_CONFIG, "no federation answers at %.*s (register answered %d: %s)",
                      STR_ARG(buf_str(&f->wire.key)), (int)a->status, a->text);
        (void)err_hint(why, "check federation.url (FEDERATION_URL)");
    } else {
        (void)err_set(why, ERR_CONFIG, "the registration is refused (register answered %d: %s)",
                      (int)a->status, a->text);
        (void)err_hint(why, "check neuron.id, neuron.name and neuron.type");
    }
}

static void not_registered(Federate *f, const Answer *a, Err *why)
{
    bool down = a->outcome == CALL_DOWN;
    int64_t max_ns = down ? DOWN_MAX_NS : REGISTER_MAX_NS;
    int64_t wait_ns = REGISTER_FIRST_NS << int64_min(f->failures.registration++, 6);
    f->due.register_ns = clock_mono_ns() + int64_min(wait_ns, max_ns);
    bool often = f->failures.registration >= TRIES_BEFORE_ERROR && !down;
    federate_trouble(f, often ? LOG_ERROR : LOG_WARN, "not registered", a->outcome, why);
    /* Perhaps the core's old secret or its rows are back: one heartbeat after each of these. */
    if (f->wire.token.len) f->due.beat_ns = clock_mono_ns();
}

static void registered(Federate *f)
{
    f->failures.registration = 0;
    f->failures.beat = 0;
    f->reports.no_analytics = false;
    f->due.beat_ns = f->due.beat_slot_ns = f->due.poll_ns = f->due.report_ns = f->due.config_ns =
        clock_mono_ns();
    federate_event(f, MEMBER_REGISTERED);
    event_note(&f->events, "registered", "as %.*s", STR_ARG(f->o.id));
    LOG(LOG_INFO, "federation", "registered", log_text("id", f->o.id));
}

void federate_register(Federate *f)
{
    Err err = {0};
    Str token = STR_NULL;
    Answer a = {.outcome = CALL_DOWN};
    Arena arena = arena_make(FEDERATE_ARENA_MAX);
    CLEANUP(buf_done) Buf body = buf_make(FEDERATE_JSON_MAX);
    if (register_body(f, &body, &err) == OK) {
        Call call = {.operation = OP_REGISTER, .body = buf_str(&body)};
        federate_call(f, &call, &arena, &a);
        if (a.outcome == CALL_OK && !reply_token(a.data, &token)) a.outcome = CALL_STRANGE;
        if (a.outcome != CALL_OK) say_why(f, &a, &err);
    }
    if (token.len && keep_token(f, token, &err) == OK) registered(f);
    else not_registered(f, &a, &err);
    arena_done(&arena);
}
