/* A request: made, asked, given back. */
#include "service/api/request.h"

#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"
#include "service/api/api_state.h"

enum { ARENA_MAX = 256 << 10 };

Request *request_new(Api *api)
{
    Request *r = mem_zalloc((int64_t)sizeof *r);
    if (!r) return NULL;
    r->api = api;
    r->refs = 1;
    r->arena = arena_make(ARENA_MAX);
    r->body = buf_make(0);
    r->start_ns = clock_mono_ns();
    answer_init(&r->answer);
    return r;
}

void request_unref(Request *r)
{
    Api *api = r->api;
    pthread_mutex_lock(&api->lock);
    bool last = --r->refs == 0;
    if (last && r->charge.bytes && r->charge.life == api->life) {
        budget_release(api->options.memory, r->charge.bytes);
        api->charged_bytes -= r->charge.bytes;
    }
    pthread_mutex_unlock(&api->lock);
    if (!last) return;
    buf_done(&r->body);
    answer_done(&r->answer);
    arena_done(&r->arena);
    mem_free(r);
}

Str request_query(const Request *r, const char *name)
{
    for (const QueryValue *at = r->query; at; at = at->next) {
        if (str_eq(at->name, str_from(name))) return at->value;
    }
    return STR_NULL;
}

Str request_header(const Request *r, const char *name)
{
    return str_from(MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name));
}

Status request_number(const Request *r, const char *name, int64_t max, int64_t *ret_number,
                      Err *err)
{
    Str text = request_query(r, name);
    int64_t number = 0;
    if (text.len &&
        (number_parse_int64(text, &number) != NUMBER_OK || number < 0 || number > max)) {
        return err_set(err, ERR_USAGE, "%s must be a number from 0 to %lld", name, (long long)max);
    }
    *ret_number = number;
    return OK;
}
