/* The rules that judge where nobody gave others. */
#include "work/quality/quality_set.h"

#define AT_LEAST(number, words)                                                                    \
    {                                                                                              \
        .op = THRESHOLD_GREATER_EQUAL, .low = (number), .text = {(words), sizeof(words) - 1 }      \
    }
#define NAMED(words)                                                                               \
    {                                                                                              \
        (words), sizeof(words) - 1                                                                 \
    }

const QualityRule QUALITY_DEFAULT_RULES[3] = {
    {.kind = RULE_COMPLETENESS,
     .name = NAMED("completeness"),
     .must = AT_LEAST(95, ">= 95"),
     .evidence = -1},
    {.kind = RULE_UNIQUENESS,
     .name = NAMED("uniqueness"),
     .must = AT_LEAST(99, ">= 99"),
     .evidence = -1},
    {.kind = RULE_CONSISTENCY,
     .name = NAMED("consistency"),
     .must = AT_LEAST(90, ">= 90"),
     .evidence = -1},
};
