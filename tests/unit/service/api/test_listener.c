/* The listening socket: addresses, one owner, at once again after its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "service/api/listener.h"

static void test_wrong(void **state)
{
    (void)state;
    const char *const WRONG[] = {
        "", "x", "1.2.3.4", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:-1"};
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        Listener listener;
        Err err = {0};
        assert_int_equal(listener_open(str_from(WRONG[i]), &listener, &err), FAIL);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_true(err.hint[0] != 0);
    }
}

/* A connection that the listening side closed first stays in TIME_WAIT. */
static void leave_a_trace(const Listener *listener)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)listener->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char byte;
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (const struct sockaddr *)&to, sizeof to), 0);
    int served = accept(listener->fd, NULL, NULL);
    assert_true(served >= 0);
    (void)close(served);
    assert_int_equal(read(client, &byte, 1), 0);
    (void)close(client);
}

static void test_one_owner(void **state)
{
    (void)state;
    Listener first, second;
    char again[64], any[64];
    Err err = {0};
    assert_int_equal(listener_open(STR("127.0.0.1:0"), &first, &err), OK);
    (void)snprintf(again, sizeof again, "127.0.0.1:%d", first.port);
    (void)snprintf(any, sizeof any, "0.0.0.0:%d", first.port);
    assert_int_equal(listener_open(str_from(any), &second, &err), FAIL);
    assert_int_equal(listener_open(str_from(again), &second, &err), FAIL);
    assert_int_equal(err.kind, ERR_CONNECT);
    char process[32];
    (void)snprintf(process, sizeof process, "process %d (test_listener)", (int)getpid());
    assert_true(str_find(str_from(err.message), str_from(process)) > 0);
    leave_a_trace(&first);
    (void)close(first.fd);
    assert_int_equal(listener_open(str_from(again), &second, &err), OK);
    assert_int_equal(second.port, first.port);
    (void)close(second.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wrong),
                                       cmocka_unit_test(test_one_owner)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
