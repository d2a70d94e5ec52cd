/* HTTP requests out against a small server of the test's own: replies, resets, silence, sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "foundation/base/clock.h"
#include "foundation/base/thread.h"
#include "foundation/net/http_client.h"

typedef enum Behaviour { ANSWER, RESET_FIRST, RESET_ALWAYS, CUT, HANG } Behaviour;

/* One thread that serves one connection after another. */
typedef struct Server {
    int fd, port;
    Behaviour how;
    const char *reply;
    _Atomic bool end;
    _Atomic int seen;
    char request[8192];
    Thread thread;
} Server;

static void serve(Server *s, int fd)
{
    int64_t len = recv(fd, s->request, sizeof s->request - 1, 0);
    s->request[len > 0 ? len : 0] = 0;
    int seen = atomic_fetch_add(&s->seen, 1);
    if (s->how == RESET_ALWAYS || (s->how == RESET_FIRST && seen == 0)) {
        struct linger hard = {1, 0};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        return;
    }
    if (s->how == HANG) {
        char end;
        (void)!recv(fd, &end, 1, 0);
        return;
    }
    size_t bytes = strlen(s->reply);
    (void)!send(fd, s->reply, s->how == CUT ? bytes - 3 : bytes, MSG_NOSIGNAL);
}

static void run(void *arg)
{
    Server *s = arg;
    while (!atomic_load(&s->end)) {
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0) return;
        if (!atomic_load(&s->end)) serve(s, fd);
        (void)close(fd);
    }
}

static void server_start(Server *s, Behaviour how, const char *reply)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    *s = (Server){.how = how, .reply = reply};
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->fd >= 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(s->fd, 8), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &size), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(thread_start(&s->thread, "server", run, s, NULL), OK);
}

static void server_stop(Server *s)
{
    atomic_store(&s->end, true);
    (void)shutdown(s->fd, SHUT_RDWR);
    thread_join(&s->thread);
    (void)close(s->fd);
}

static Status ask(const Server *s, HttpRequest request, HttpReply *reply, Err *err)
{
    char url[128];
    HttpClient *client = NULL;
    (void)snprintf(url, sizeof url, "http://user:s3cret@127.0.0.1:%d/a/b?token=s3cret", s->port);
    request.url = str_from(url);
    if (!request.method) request.method = "GET";
    assert_int_equal(http_client_new(&client, NULL), OK);
    Status status = http_client_send(client, &request, reply, err);
    http_client_free(client);
    return status;
}

#define REPLY                                                                                      \
    "HTTP/1.1 201 Created\r\nContent-Type: Application/JSON; charset=utf-8\r\n"                    \
    "Content-Length: 5\r\nConnection: close\r\n\r\nhello"

static void test_answer(void **state)
{
    (void)state;
    Server server;
    HttpReply reply;
    const Str headers[] = {STR("Authorization: Bearer abc"), STR("Content-Type: application/json")};
    server_start(&server, ANSWER, REPLY);
    HttpRequest request = {
        .method = "POST", .body = STR("{\"a\":1}"), .headers = headers, .header_count = 2};
    assert_int_equal(ask(&server, request, &reply, NULL), OK);
    assert_int_equal(reply.status, 201);
    assert_true(http_reply_is_json(&reply));
    assert_true(str_eq(buf_str(&reply.body), STR("hello")));
    assert_non_null(strstr(server.request, "POST /a/b?token=s3cret HTTP/1.1\r\n"));
    assert_non_null(strstr(server.request, "Authorization: Bearer abc\r\n"));
    assert_non_null(strstr(server.request, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(server.request, "Expect"));
    http_reply_done(&reply);
    server_stop(&server);
}

static void test_reset(void **state)
{
    (void)state;
    static const struct {
        Behaviour how;
        bool once, good;
        int seen;
    } CASES[] = {{RESET_FIRST, false, true, 2},
                 {RESET_FIRST, true, false, 1},
                 {RESET_ALWAYS, false, false, 2},
                 {CUT, false, false, 1}};
    for (int64_t i = 0; i < COUNT_OF(CASES); i++) {
        Server server;
        HttpReply reply;
        Err err = {0};
        server_start(&server, CASES[i].how, REPLY);
        Status status = ask(&server, (HttpRequest){.once = CASES[i].once}, &reply, &err);
        assert_int_equal(status, CASES[i].good ? OK : FAIL);
        assert_int_equal(atomic_load(&server.seen), CASES[i].seen);
        if (!CASES[i].good) assert_int_equal(err.kind, ERR_CONNECT);
        http_reply_done(&reply);
        server_stop(&server);
    }
}

static void test_timeout_and_cancel(void **state)
{
    (void)state;
    Server server;
    HttpReply reply;
    Err err = {0};
    server_start(&server, HANG, "");
    int64_t begun_ns = clock_mono_ns();
    assert_int_equal(ask(&server, (HttpRequest){.timeout_us = 200000}, &reply, &err), FAIL);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_true(clock_mono_ns() - begun_ns < INT64_C(5000000000));
    http_reply_done(&reply);
    _Atomic bool cancelled = true;
    err = (Err){0};
    assert_int_equal(ask(&server, (HttpRequest){.cancelled = &cancelled}, &reply, &err), FAIL);
    assert_int_equal(err.kind, ERR_CANCELLED);
    http_reply_done(&reply);
    server_stop(&server);
}

static void test_refused_and_limit(void **state)
{
    (void)state;
    Server server;
    HttpReply reply;
    Err err = {0};
    server_start(&server, ANSWER, REPLY);
    assert_int_equal(ask(&server, (HttpRequest){.max_bytes = 4}, &reply, &err), FAIL);
    assert_int_equal(err.kind, ERR_LIMIT);
    http_reply_done(&reply);
    server_stop(&server);
    err = (Err){0};
    assert_int_equal(ask(&server, (HttpRequest){0}, &reply, &err), FAIL);
    assert_int_equal(err.kind, ERR_CONNECT);
    char where[64];
    (void)snprintf(where, sizeof where, "http://127.0.0.1:%d", server.port);
    assert_string_equal(err.where, where);
    assert_null(strstr(err.message, "s3cret"));
    http_reply_done(&reply);
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const BAD[] = {"file:///etc/passwd", "", "://", "gopher://127.0.0.1/"};
    HttpClient *client = NULL;
    assert_int_equal(http_client_new(&client, NULL), OK);
    for (int64_t i = 0; i < COUNT_OF(BAD); i++) {
        HttpReply reply;
        Err err = {0};
        HttpRequest request = {.method = "GET", .url = str_from(BAD[i])};
        assert_int_equal(http_client_send(client, &request, &reply, &err), FAIL);
        if (err.kind != ERR_CONFIG) fail_msg("%s: %s", BAD[i], err.message);
        http_reply_done(&reply);
    }
    http_client_free(client);
    Buf out = buf_make(100);
    assert_int_equal(http_escape(&out, STR("a/b ?~ü"), NULL), OK);
    assert_true(str_eq(buf_str(&out), STR("a%2Fb%20%3F~%C3%BC")));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answer), cmocka_unit_test(test_reset),
                                       cmocka_unit_test(test_timeout_and_cancel),
                                       cmocka_unit_test(test_refused_and_limit),
                                       cmocka_unit_test(test_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
