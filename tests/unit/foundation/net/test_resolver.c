/* Names to addresses: found, past the deadline, stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "foundation/base/clock.h"
#include "foundation/net/resolver.h"

static const struct addrinfo HINTS = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};

static void test_an_address_is_found(void **state UNUSED)
{
    struct addrinfo *found = NULL;
    int64_t deadline_ns = clock_mono_ns() + INT64_C(20000000000);
    assert_int_equal(resolver_lookup("127.0.0.1", "80", &HINTS, deadline_ns, NULL, &found), 0);
    assert_int_equal(found->ai_family, AF_INET);
    freeaddrinfo(found);
    assert_int_equal(resolver_lookup("no address", NULL, &HINTS, deadline_ns, NULL, &found),
                     EAI_NONAME);
}

static void test_a_stop_ends_the_wait(void **state UNUSED)
{
    _Atomic bool stop = true;
    struct addrinfo *found = NULL;
    int64_t deadline_ns = clock_mono_ns() + INT64_C(20000000000);
    int code = resolver_lookup("127.0.0.1", NULL, &HINTS, deadline_ns, &stop, &found);
    assert_true(code == EAI_INTR || code == 0);
    if (code == 0) freeaddrinfo(found);
}

static void test_a_deadline_ends_the_wait(void **state UNUSED)
{
    struct addrinfo *found = NULL;
    int code = resolver_lookup("127.0.0.1", NULL, &HINTS, clock_mono_ns(), NULL, &found);
    assert_true(code == EAI_AGAIN || code == 0);
    if (code == 0) freeaddrinfo(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_address_is_found),
        cmocka_unit_test(test_a_stop_ends_the_wait),
        cmocka_unit_test(test_a_deadline_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
