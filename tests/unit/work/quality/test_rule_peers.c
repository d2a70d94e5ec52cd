/* Rules of other tools: found in any case, with a package in front, and every one has an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "work/quality/rule_peers.h"

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(rule_peer_find(STR("missing_percent"))->here, "null_percentage");
    assert_string_equal(rule_peer_find(STR("ISCOMPLETE"))->here, "not_null");
    assert_string_equal(rule_peer_find(STR("dbt_utils.accepted_range"))->here, "range");
    assert_null(rule_peer_find(STR("row_count")));
    assert_null(rule_peer_find(STR("")));
    assert_null(rule_peer_find(STR("dbt_utils.")));
}

static void test_a_rule_without_a_word_here_has_advice(void **state)
{
    (void)state;
    const RulePeer *peer = rule_peer_find(STR("distinct_count"));
    assert_null(peer->here);
    assert_non_null(strstr(peer->advice, "uniqueness"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_rule_without_a_word_here_has_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
