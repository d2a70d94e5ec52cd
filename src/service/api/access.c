/* Who may ask: loopback or token; Host and Origin must be ours. */
#include "service/api/access.h"

#include <arpa/inet.h>

#include "foundation/base/clock.h"
#include "foundation/base/number.h"
#include "foundation/obs/log.h"
#include "service/api/api_state.h"
#include "service/api/routes.h"
#include "service/api/session.h"

/* The host of "host:port", "[v6]:port" or "scheme://host:port". */
static Str host_of(Str text)
{
    int64_t scheme = str_find(text, STR("://"));
    if (scheme >= 0) text = str_slice(text, scheme + 3, text.len);
    if (str_starts(text, STR("["))) {
        int64_t end = str_find_char(text, ']');
        return end < 0 ? STR_NULL : str_slice(text, 1, end);
    }
    int64_t colon = str_find_char(text, ':');
    return colon < 0 ? text : str_slice(text, 0, colon);
}

static bool is_address(Str host)
{
    char text[INET6_ADDRSTRLEN + 1];
    struct in6_addr address;
    if (host.len == 0 || host.len > INET6_ADDRSTRLEN) return false;
    memcpy(text, host.ptr, (size_t)host.len);
    text[host.len] = 0;
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

/* A name that someone else's DNS points here (rebinding) is foreign; addresses can't be that. With
 * a token, the token decides. */
static bool host_is_ours(const Request *r)
{
    Str host = host_of(request_header(r, "Host"));
    if (host.len == 0) return true;
    return is_address(host) || str_eq_nocase(host, STR("localhost")) ||
           str_eq_nocase(host, r->api->host) || r->api->options.token.len > 0;
}

static bool origin_is_ours(const Request *r)
{
    Str origin = request_header(r, "Origin");
    Str site = request_header(r, "Sec-Fetch-Site");
    bool cross = str_eq(site, STR("cross-site")) && !str_eq(r->method, STR("GET"));
    if (origin.len == 0) return !cross;
    int64_t scheme = str_find(origin, STR("://"));
    Str authority = scheme < 0 ? STR_NULL : str_slice(origin, scheme + 3, origin.len);
    return str_eq_nocase(authority, request_header(r, "Host"));
}

static Str bearer_of(const Request *r)
{
    Str header = request_header(r, "Authorization");
    if (!str_starts_nocase(header, STR("Bearer "))) return STR_NULL;
    return str_trim(str_slice(header, 7, header.len));
}

static Str session_given(const Request *r)
{
    return str_from(MHD_lookup_connection_value(r->connection, MHD_COOKIE_KIND, "neuron_session"));
}

static bool refuse_stranger(Request *r, bool guess)
{
    if (r->api->options.token.len == 0) {
        request_problem(r, 403, "Forbidden",
                        "without a token only this machine is served; set http.token in the"
                        " configuration (or NEURON_API_TOKEN) and send Authorization: Bearer");
    } else if (guess && request_guessed(r)) {
        request_problem(r, 429, "Too Many Requests", "this is not the token; too many were tried");
    } else {
        request_problem(r, 401, "Unauthorized", "send the token as Authorization: Bearer …");
    }
    return false;
}

bool request_allowed(Request *r)
{
    const ApiOptions *o = &r->api->options;
    RouteAccess access = r->route ? r->route->access : ACCESS_TOKEN;
    bool ours = host_is_ours(r) && origin_is_ours(r);
    Str bearer = bearer_of(r);
    bool opens = o->token.len ? secret_opens(r->api, bearer, session_given(r)) : r->peer.loopback;
    bool guess = o->token.len && bearer.len && !opens;
    r->known = ours && opens;
    if (access <= ACCESS_OPEN) {
        if (guess) (void)request_guessed(r);
        return true;
    }
    if (!ours) {
        request_problem(r, 403, "Forbidden", "a foreign Host or Origin is refused");
        return false;
    }
    bool page = access == ACCESS_PAGE && o->token.len && !guess;
    bool metrics = access == ACCESS_METRICS && o->metrics_public && o->token.len;
    if (r->known || page || metrics) return true;
    return refuse_stranger(r, guess);
}
