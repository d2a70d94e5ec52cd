/* What rules of other tools are called here: one table. */
#include "work/quality/rule_peers.h"

static const RulePeer PEERS[] = {
    /* Soda */
    {"missing_percent", "null_percentage", NULL},
    {"missing_count", "nulls", NULL},
    {"duplicate_count", "duplicates", NULL},
    {"duplicate_percent", "duplicate_percentage", NULL},
    {"avg_length", "mean_length", NULL},
    {"stddev_samp", "stddev", NULL},
    {"invalid_percent", NULL, "under columns: email: [{ format: email, fail: \"> 5%\" }]"},
    {"invalid_count", NULL, "under columns: email: [{ format: email }]"},
    {"failed_rows", NULL, "write the condition of good rows as the rule"},
    {"distinct_count", NULL, "uniqueness(a) is the share of values that are no repeats"},
    /* dbt */
    {"expression_is_true", NULL, "write the expression as the rule"},
    {"unique_combination_of_columns", "duplicates", NULL},
    {"accepted_range", "range", NULL},
    {"not_null_proportion", "completeness", NULL},
    {"not_empty_string", NULL, "under columns: name: [{ missing: { values: [\"\"] } }]"},
    /* Great Expectations */
    {"expect_column_values_to_not_be_null", "not_null", NULL},
    {"expect_column_values_to_be_unique", "unique", NULL},
    {"expect_column_values_to_be_in_set", "accepted_values", NULL},
    {"expect_column_values_to_be_between", "range", NULL},
    {"expect_column_values_to_match_regex", NULL, "write the rule \"name ~ 'pattern'\""},
    {"expect_column_values_to_be_of_type", "schema", NULL},
    {"expect_column_value_lengths_to_be_between", NULL, "min_length(a) and max_length(a)"},
    {"expect_column_to_exist", "schema", NULL},
    {"expect_column_mean_to_be_between", "mean", NULL},
    {"expect_column_min_to_be_between", "min", NULL},
    {"expect_column_max_to_be_between", "max", NULL},
    {"expect_column_sum_to_be_between", "sum", NULL},
    {"expect_column_stdev_to_be_between", "stddev", NULL},
    {"expect_column_proportion_of_unique_values_to_be_between", "uniqueness", NULL},
    {"expect_compound_columns_to_be_unique", "duplicates", NULL},
    {"expect_table_row_count_to_be_between", "row_count", NULL},
    {"expect_table_row_count_to_equal", "row_count", NULL},
    {"expect_table_row_count_to_equal_other_table", "row_count", NULL},
    {"expect_table_columns_to_match_set", "schema", NULL},
    /* Deequ */
    {"hasSize", "row_count", NULL},
    {"isComplete", "not_null", NULL},
    {"hasCompleteness", "completeness", NULL},
    {"isUnique", "unique", NULL},
    {"isPrimaryKey", "duplicates", NULL},
    {"hasUniqueness", "uniqueness", NULL},
    {"hasMin", "min", NULL},
    {"hasMax", "max", NULL},
    {"hasMean", "mean", NULL},
    {"hasSum", "sum", NULL},
    {"hasStandardDeviation", "stddev", NULL},
    {"hasMinLength", "min_length", NULL},
    {"hasMaxLength", "max_length", NULL},
    {"isContainedIn", "accepted_values", NULL},
    {"isNonNegative", NULL, "under columns: amount: [{ range: [0, null] }]"},
    {"isPositive", NULL, "write the rule \"amount > 0\""},
    {"hasPattern", NULL, "write the rule \"name ~ 'pattern'\""},
    {"containsEmail", NULL, "under columns: email: [{ format: email }]"},
    {"containsURL", NULL, "under columns: link: [{ format: url }]"},
    {"containsCreditCardNumber", NULL, "under columns: card: [{ format: credit_card }]"},
    {"satisfies", NULL, "write the expression as the rule"},
    /* common words of several */
    {"drift", NULL, "`anomaly` on mean, stddev or row_count watches a number"},
    {"regex", NULL, "write the rule \"name ~ 'pattern'\""},
    {"pattern", NULL, "write the rule \"name ~ 'pattern'\""},
    {"not_in", NULL, "write the rule \"name not in ('a', 'b')\""},
    {"median", NULL, "mean, min and max are there"},
};

const RulePeer *rule_peer_find(Str name)
{
    int64_t dot = str_find_char(name, '.');
    if (dot >= 0) name = str_slice(name, dot + 1, name.len);
    for (int64_t i = 0; i < COUNT_OF(PEERS); i++) {
        if (str_eq_nocase(name, str_from(PEERS[i].name))) return &PEERS[i];
    }
    return NULL;
}
