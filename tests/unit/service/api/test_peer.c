/* Peers: one per IPv4 address, one per /64 of IPv6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "service/api/peer.h"

static Peer peer(const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) return peer_of((const struct sockaddr *)&in);
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return peer_of((const struct sockaddr *)&in6);
}

static bool same(const char *a, const char *b)
{
    Peer first = peer(a), second = peer(b);
    return peer_eq(&first, &second);
}

static void test_addresses(void **state)
{
    (void)state;
    assert_true(same("10.0.0.1", "10.0.0.1"));
    assert_false(same("10.0.0.1", "10.0.0.2"));
    assert_true(same("10.0.0.1", "::ffff:10.0.0.1"));
    assert_true(same("2001:db8::1", "2001:db8::ffff:1"));
    assert_false(same("2001:db8::1", "2001:db8:0:1::1"));
    assert_true(peer("127.9.9.9").loopback && peer("::1").loopback);
    assert_true(peer("::ffff:127.0.0.1").loopback);
    assert_false(peer("128.0.0.1").loopback || peer("::2").loopback);
    assert_false(same("::1", "::2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
