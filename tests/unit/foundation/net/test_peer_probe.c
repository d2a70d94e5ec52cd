/* Another connection to a peer: one that answers, one that is silent, one that is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "foundation/net/peer_probe.h"

/* A listening socket, and one that is connected to it. */
typedef struct Pair {
    int listener, client, accepted;
} Pair;

static void pair_open(Pair *p)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    p->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(p->listener, 8), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&address, &len), 0);
    p->client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(p->client, (struct sockaddr *)&address, len), 0);
    p->accepted = accept(p->listener, NULL, NULL);
    assert_true(p->accepted >= 0);
}

static void pair_close(Pair *p)
{
    (void)close(p->client);
    (void)close(p->accepted);
    if (p->listener >= 0) (void)close(p->listener);
}

static PeerAnswer look_until(PeerProbe *probe, PeerAnswer not )
{
    PeerAnswer answer = not ;
    for (int i = 0; i < 2000 && answer == not ; i++) {
        (void)poll(NULL, 0, 5);
        answer = peer_probe_look(probe, STR("hello"));
    }
    return answer;
}

static void test_a_peer_that_answers(void **state UNUSED)
{
    Pair p;
    PeerProbe probe;
    char got[8] = "";
    pair_open(&p);
    assert_int_equal(peer_probe_start(&probe, p.client), PEER_WAITED_FOR);
    int other = accept(p.listener, NULL, NULL);
    while (!probe.asked) {
        (void)poll(NULL, 0, 5);
        assert_int_equal(peer_probe_look(&probe, STR("hello")), PEER_WAITED_FOR);
    }
    assert_int_equal(recv(other, got, 5, MSG_WAITALL), 5);
    assert_string_equal(got, "hello");
    assert_int_equal(peer_probe_look(&probe, STR("hello")), PEER_WAITED_FOR);
    assert_int_equal(send(other, "N", 1, 0), 1);
    assert_int_equal(look_until(&probe, PEER_WAITED_FOR), PEER_ALIVE);
    assert_int_equal(probe.fd, -1);
    (void)close(other);
    pair_close(&p);
}

static void test_a_peer_that_is_gone(void **state UNUSED)
{
    Pair p;
    PeerProbe probe;
    pair_open(&p);
    (void)close(p.listener);
    p.listener = -1;
    PeerAnswer answer = peer_probe_start(&probe, p.client);
    if (answer == PEER_WAITED_FOR) answer = look_until(&probe, PEER_WAITED_FOR);
    assert_int_equal(answer, PEER_DEAD);
    assert_int_equal(probe.fd, -1);
    peer_probe_end(&probe);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_peer_that_answers),
        cmocka_unit_test(test_a_peer_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
