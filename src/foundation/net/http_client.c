/* HTTP requests out, on libcurl's easy interface. */
#include "foundation/net/http_client.h"

#include <curl/curl.h>

#include "foundation/base/mem.h"
#include "foundation/codec/url.h"

#define CONNECT_US INT64_C(5000000)
#define TIMEOUT_US INT64_C(30000000)
#define BODY_MAX (INT64_C(4) << 20)
enum { URL_MAX = 4096 };

struct HttpClient {
    CURL *curl;
    char message[CURL_ERROR_SIZE];
};

/* One request on its way. */
typedef struct Exchange {
    HttpReply *reply;
    const _Atomic bool *cancelled;
    bool too_large, no_memory, begun;
} Exchange;

Status http_client_new(HttpClient **ret_client, Err *err)
{
    HttpClient *client = mem_zalloc((int64_t)sizeof *client);
    if (!client) return err_memory(err);
    /* Counted and thread-safe in libcurl since 7.84. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
        client->curl = curl_easy_init();
        if (!client->curl) curl_global_cleanup();
    }
    if (!client->curl) {
        mem_free(client);
        return err_set(err, ERR_INTERNAL, "libcurl can't be used");
    }
    *ret_client = client;
    return OK;
}

void http_client_free(HttpClient *client)
{
    if (!client) return;
    curl_easy_cleanup(client->curl);
    curl_global_cleanup();
    mem_free(client);
}

/* ---- while it goes on ---- */

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    Exchange *x = arg;
    Err err = {0};
    size_t len = size * count;
    x->begun = true;
    if (buf_append(&x->reply->body, str_make(bytes, (int64_t)len), &err) == OK) return len;
    x->too_large = err.kind == ERR_LIMIT;
    x->no_memory = !x->too_large;
    return 0;
}

static size_t on_header(char *bytes UNUSED, size_t size, size_t count, void *arg)
{
    Exchange *x = arg;
    x->begun = true;
    return size * count;
}

static int on_progress(void *arg, curl_off_t down_all UNUSED, curl_off_t down UNUSED,
                       curl_off_t up_all UNUSED, curl_off_t up UNUSED)
{
    const Exchange *x = arg;
    return x->cancelled && atomic_load(x->cancelled);
}

/* ---- errors ---- */

/* scheme://host:port, without user information, path and query. */
static void name_place(Str url, Err *err)
{
    int64_t at = str_find(url, STR("://"));
    if (at < 0) return;
    Str scheme = str_slice(url, 0, at), rest = str_slice(url, at + 3, url.len);
    for (int64_t i = 0; i < rest.len; i++) {
        if (rest.ptr[i] != '/' && rest.ptr[i] != '?' && rest.ptr[i] != '#') continue;
        rest = str_slice(rest, 0, i);
    }
    for (int64_t i = str_find_char(rest, '@'); i >= 0; i = str_find_char(rest, '@')) {
        rest = str_slice(rest, i + 1, rest.len);
    }
    (void)err_where(err, "%.*s://%.*s", STR_ARG(scheme), STR_ARG(rest));
}

static ErrKind kind_of(CURLcode code)
{
    if (code == CURLE_OPERATION_TIMEDOUT) return ERR_TIMEOUT;
    if (code == CURLE_ABORTED_BY_CALLBACK) return ERR_CANCELLED;
    if (code == CURLE_OUT_OF_MEMORY) return ERR_MEMORY;
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) return ERR_CONFIG;
    return ERR_CONNECT;
}

static Status refuse(HttpClient *c, const Exchange *x, CURLcode code, Str url, Err *err)
{
    if (x->too_large) {
        (void)err_set(err, ERR_LIMIT, "the reply is larger than %lld bytes",
                      (long long)x->reply->body.max);
    } else if (x->no_memory) {
        (void)err_memory(err);
    } else if (code == CURLE_ABORTED_BY_CALLBACK) {
        (void)err_set(err, ERR_CANCELLED, "the request was cancelled");
    } else if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        (void)err_set(err, ERR_CONFIG, "no address of http or https");
        (void)err_hint(err, "write it like http://host:5000");
    } else {
        (void)err_set(err, kind_of(code), "%s",
                      c->message[0] ? c->message : curl_easy_strerror(code));
    }
    name_place(url, err);
    return FAIL;
}

/* ---- a request ---- */

static bool set_options(HttpClient *c, const HttpRequest *r, Exchange *x, const char *url,
                        struct curl_slist *headers)
{
    CURL *curl = c->curl;
    int64_t connect_us = r->connect_us ? r->connect_us : CONNECT_US;
    int64_t timeout_us = r->timeout_us ? r->timeout_us : TIMEOUT_US;
    curl_easy_reset(curl); /* keeps the connections */
    c->message[0] = 0;
    bool bad = false;
    bad |= curl_easy_setopt(curl, CURLOPT_URL, url);
    bad |= curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, c->message);
    bad |= curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    /* At the deadline a name server that hangs is left to its thread. */
    bad |= curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    bad |= curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(connect_us / 1000));
    bad |= curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(timeout_us / 1000));
    bad |= curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    /* libcurl by itself sends again over a kept connection that turns out to be closed. */
    bad |= curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, r->once ? 1L : 0L);
    bad |= curl_easy_setopt(curl, CURLOPT_USERAGENT, "neuron/" NEURON_VERSION);
    bad |= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(curl, CURLOPT_WRITEDATA, x);
    bad |= curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    bad |= curl_easy_setopt(curl, CURLOPT_HEADERDATA, x);
    bad |= curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    bad |= curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    bad |= curl_easy_setopt(curl, CURLOPT_XFERINFODATA, x);
    if (strcmp(r->method, "GET") != 0) {
        bad |= curl_easy_setopt(curl, CURLOPT_POST, 1L);
        bad |= curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
        bad |= curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
        bad |= curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body.len ? r->body.ptr : "");
    }
    return !bad;
}

static Status make_headers(const HttpRequest *r, struct curl_slist **list, Err *err)
{
    CLEANUP(buf_done) Buf line = buf_make(64 << 10);
    for (int32_t i = 0; i < r->header_count && i < HTTP_HEADERS_MAX; i++) {
        buf_clear(&line);
        TRY(buf_append(&line, r->headers[i], err));
        TRY(buf_terminate(&line, err));
        struct curl_slist *longer = curl_slist_append(*list, line.data);
        if (!longer) return err_memory(err);
        *list = longer;
    }
    /* Without "Expect: 100-continue" there is no second to wait for nothing. */
    struct curl_slist *longer = curl_slist_append(*list, "Expect:");
    if (!longer) return err_memory(err);
    *list = longer;
    return OK;
}

static bool was_reset(CURLcode code)
{
    return code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR;
}

static Status perform(HttpClient *c, const HttpRequest *r, const char *url,
                      struct curl_slist *headers, HttpReply *reply, Err *err)
{
    Exchange x = {.reply = reply, .cancelled = r->cancelled};
    CURLcode code = CURLE_OK;
    for (int32_t i = 0; i < 2; i++) {
        if (!set_options(c, r, &x, url, headers)) {
            return err_set(err, ERR_INTERNAL, "libcurl refuses an option");
        }
        code = curl_easy_perform(c->curl);
        if (r->once || x.begun || !was_reset(code)) break;
    }
    if (code != CURLE_OK) return refuse(c, &x, code, r->url, err);
    long status = 0;
    const char *type = NULL;
    (void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(c->curl, CURLINFO_CONTENT_TYPE, &type);
    reply->status = (int32_t)status;
    Str known = str_slice(str_from(type), 0, HTTP_CONTENT_TYPE_MAX - 1);
    if (known.len) memcpy(reply->content_type, known.ptr, (size_t)known.len);
    reply->content_type[known.len] = 0;
    return OK;
}

Status http_client_send(HttpClient *c, const HttpRequest *r, HttpReply *ret_reply, Err *err)
{
    struct curl_slist *headers = NULL;
    CLEANUP(buf_done) Buf url = buf_make(URL_MAX);
    *ret_reply = (HttpReply){.body = buf_make(r->max_bytes ? r->max_bytes : BODY_MAX)};
    Url parsed;
    if (str_find(r->url, STR("://")) >= 0) TRY(url_parse(r->url, &parsed, err));
    TRY(buf_append(&url, r->url, err));
    TRY(buf_terminate(&url, err));
    Status status = make_headers(r, &headers, err);
    if (status == OK) status = perform(c, r, url.data, headers, ret_reply, err);
    curl_slist_free_all(headers);
    return status;
}

bool http_reply_is_json(const HttpReply *reply)
{
    Str type = str_from(reply->content_type), rest = type;
    Str first = STR_NULL;
    if (!str_next_part(&rest, ';', &first)) return false;
    return str_eq_nocase(str_trim(first), STR("application/json"));
}

Status http_escape(Buf *out, Str text, Err *err)
{
    for (int64_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) TRY(buf_append_char(out, c, err));
        else TRY(buf_printf(out, err, "%%%02X", (unsigned char)c));
    }
    return OK;
}
