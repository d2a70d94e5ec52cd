/* HTTP requests out: one at a time, with timeouts, a maximum size and a cancel flag. */
#ifndef NEURON_HTTP_CLIENT_H
#define NEURON_HTTP_CLIENT_H

#include <stdatomic.h>

#include "foundation/base/buf.h"

enum { HTTP_HEADERS_MAX = 16, HTTP_CONTENT_TYPE_MAX = 128 };

/* Keeps connections open between requests. For one thread at a time. */
typedef struct HttpClient HttpClient;

MUST_USE Status http_client_new(HttpClient **ret_client, Err *err);
void http_client_free(HttpClient *client);
DEFINE_FREE_P(HttpClient, http_client_free)

/* Borrowed for the call. Only http: and https: (certificates are verified); redirects are not
 * followed. */
typedef struct HttpRequest {
    const char *method; /* GET, POST … */
    Str url;
    Str body;
    const Str *headers; /* "Name: value"; at most HTTP_HEADERS_MAX */
    int32_t header_count;
    int64_t connect_us, timeout_us; /* 0: 5 s and 30 s; timeout_us is of the whole request */
    int64_t max_bytes;              /* of the reply's body; 0: 4 MiB */
    const _Atomic bool *cancelled;  /* looked at about once a second; may be NULL */
    bool once;                      /* never sent a second time */
} HttpRequest;

/* buf_make'd by http_client_send, to be buf_done'd by the caller in any case. */
typedef struct HttpReply {
    int32_t status;
    char content_type[HTTP_CONTENT_TYPE_MAX]; /* as sent, empty when absent */
    Buf body;
} HttpReply;

/* OK for any status that came back whole. A connection that is reset before the first byte of a
 * reply is tried once more (not with `once`). FAIL: ERR_CONNECT (refused, no such host, reset, cut
 * off), ERR_TIMEOUT, ERR_LIMIT (too large), ERR_CANCELLED, ERR_CONFIG (no URL of ours), ERR_MEMORY.
 * `where` of the error is scheme://host:port. */
MUST_USE Status http_client_send(HttpClient *client, const HttpRequest *request,
                                 HttpReply *ret_reply, Err *err);

static inline void http_reply_done(HttpReply *reply)
{
    buf_done(&reply->body);
}

/* True for application/json, with or without parameters. */
bool http_reply_is_json(const HttpReply *reply);

/* Append with everything but letters, digits, - . _ ~ as %XX. */
MUST_USE Status http_escape(Buf *out, Str text, Err *err);

#endif
