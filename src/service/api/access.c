/* Who may ask: loopback or token; Host and Origin must be ours. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "foundation/base/number.h"
#include "service/api/api_impl.h"

bool secret_is(Str given, Str wanted)
{
    unsigned char differs = given.len != wanted.len;
    for (int64_t i = 0; i < given.len; i++) {
        differs |= (unsigned char)(given.ptr[i] ^ (wanted.len ? wanted.ptr[i % wanted.len] : 1));
    }
    return !differs;
}

static bool is_loopback(const Request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr) return false;
    if (info->client_addr->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, info->client_addr, sizeof in);
        return (ntohl(in.sin_addr.s_addr) >> 24) == 127;
    }
    if (info->client_addr->sa_family != AF_INET6) return false;
    struct sockaddr_in6 in6;
    memcpy(&in6, info->client_addr, sizeof in6);
    bool mapped = IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) && in6.sin6_addr.s6_addr[12] == 127;
    return mapped || IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

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

static bool has_token(const Request *r)
{
    Str header = request_header(r, "Authorization");
    if (!str_starts_nocase(header, STR("Bearer "))) return false;
    return secret_is(str_trim(str_slice(header, 7, header.len)), r->api->options.token);
}

/* The owner: this machine where there is no token, else whoever shows it. */
static bool is_known(const Request *r)
{
    if (r->api->options.token.len == 0) return is_loopback(r);
    return has_token(r) || request_has_session(r);
}

bool request_allowed(Request *r)
{
    RouteAccess access = r->route ? r->route->access : ACCESS_TOKEN;
    if (access == ACCESS_LIVE) return true;
    r->known = host_is_ours(r) && origin_is_ours(r) && is_known(r);
    if (access == ACCESS_OPEN || r->known) return true;
    if (!host_is_ours(r) || !origin_is_ours(r)) {
        request_problem(r, 403, "Forbidden", "a foreign Host or Origin is refused");
        return false;
    }
    if (r->api->options.token.len == 0) {
        request_problem(r, 403, "Forbidden",
                        "without a token only this machine is served; set http.token in the"
                        " configuration (or NEURON_API_TOKEN) and send Authorization: Bearer");
        return false;
    }
    bool metrics = access == ACCESS_METRICS && r->api->options.metrics_public;
    if (access == ACCESS_PAGE || metrics) return true;
    request_problem(r, 401, "Unauthorized", "send the token as Authorization: Bearer …");
    return false;
}
