/* Membership: every event in every state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "service/federate/federate_member.h"

static void test_transitions(void **state)
{
    (void)state;
    static const Membership AFTER[4][4] = {
        /* registered, beat taken, row gone, token denied */
        [MEMBER_UNREGISTERED] = {MEMBER_MEMBER, MEMBER_UNREGISTERED, MEMBER_UNREGISTERED,
                                 MEMBER_UNREGISTERED},
        [MEMBER_MEMBER] = {MEMBER_MEMBER, MEMBER_MEMBER, MEMBER_ROW_LOST, MEMBER_TOKEN_REFUSED},
        [MEMBER_ROW_LOST] = {MEMBER_MEMBER, MEMBER_MEMBER, MEMBER_ROW_LOST, MEMBER_TOKEN_REFUSED},
        [MEMBER_TOKEN_REFUSED] = {MEMBER_MEMBER, MEMBER_MEMBER, MEMBER_ROW_LOST,
                                  MEMBER_TOKEN_REFUSED},
    };
    for (int now = 0; now < 4; now++) {
        for (int event = 0; event < 4; event++) {
            assert_int_equal(member_next((Membership)now, (MemberEvent)event), AFTER[now][event]);
        }
    }
    assert_string_equal(member_name(MEMBER_ROW_LOST), "row lost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_transitions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
