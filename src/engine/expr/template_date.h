/* Templates of dates and times: PostgreSQL's formatting patterns, taken apart once per call site.
 * The patterns and their meaning: PostgreSQL's manual, "Data Type Formatting Functions". */
#ifndef NEURON_TEMPLATE_DATE_H
#define NEURON_TEMPLATE_DATE_H

#include "engine/expr/function.h"

typedef enum Pattern {
    PATTERN_LITERAL,
    PATTERN_YYYY, /* `digits`: 4, 3, 2 or 1 */
    PATTERN_Y_YYY,
    PATTERN_IYYY, /* `digits` */
    PATTERN_MM,
    PATTERN_MONTH,
    PATTERN_MON,
    PATTERN_RM,
    PATTERN_DAY,
    PATTERN_DY,
    PATTERN_DD,
    PATTERN_DDD,
    PATTERN_D,
    PATTERN_ID,
    PATTERN_IDDD,
    PATTERN_HH24,
    PATTERN_HH12,
    PATTERN_MI,
    PATTERN_SS,
    PATTERN_FRACTION, /* MS, US, FF1 … FF6: `digits` */
    PATTERN_SSSS,
    PATTERN_AM,
    PATTERN_AM_DOTS,
    PATTERN_BC,
    PATTERN_BC_DOTS,
    PATTERN_Q,
    PATTERN_WW,
    PATTERN_W,
    PATTERN_IW,
    PATTERN_CC,
    PATTERN_J,
    PATTERN_TZ,
    PATTERN_TZH,
    PATTERN_TZM,
    PATTERN_OF,
} Pattern;

typedef enum Letters { LETTERS_CAPITAL, LETTERS_UPPER, LETTERS_LOWER } Letters;

typedef struct TemplateItem {
    Pattern pattern;
    Letters letters;
    bool fill;    /* FM: no padding */
    char ordinal; /* 'T' or 't': TH or th after a number; 0: none */
    int32_t digits;
    Str literal; /* of the format */
} TemplateItem;

enum { TEMPLATE_ITEMS_MAX = 64 };

typedef struct Template {
    TemplateItem items[TEMPLATE_ITEMS_MAX];
    int32_t count;
    bool too_long;
    bool exact;   /* the prefix FX */
    bool spelled; /* a suffix SP */
} Template;

/* Takes a format apart; its literals are borrowed from `format`. Never fails: what is no pattern is
 * a literal. */
void template_date_read(Str format, Template *ret_template);

/* Argument 0 read by argument 1 (or the call's state): UTC microseconds. False: the row failed. */
bool template_date_parse(KernelCall *call, int64_t row, int64_t *ret_us);

#endif
