/* to_char, to_date and to_timestamp with PostgreSQL's template patterns. */
#include <stdio.h>

#include "engine/expr/kernel.h"
#include "engine/expr/template_date.h"
#include "foundation/base/mem.h"

typedef struct Parts {
    CivilTime c;
    int64_t days;    /* since 1970 */
    int64_t weekday; /* Sunday 0 */
    int64_t doy, iso_year, iso_week;
} Parts;

static const char *const MONTHS[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const DAYS[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const ROMAN[] = {"I",   "II",   "III", "IV", "V",  "VI",
                                    "VII", "VIII", "IX",  "X",  "XI", "XII"};

static Parts parts_of(int64_t us)
{
    Parts p = {.c = datetime_civil(us)};
    p.days = datetime_days_from_civil(p.c.year, p.c.month, p.c.day);
    p.weekday = ((p.days + 4) % 7 + 7) % 7;
    p.doy = p.days - datetime_days_from_civil(p.c.year, 1, 1) + 1;
    int64_t thursday = p.days - (p.weekday + 6) % 7 + 3;
    int32_t month, day;
    datetime_civil_from_days(thursday, &p.iso_year, &month, &day);
    p.iso_week = (thursday - datetime_days_from_civil(p.iso_year, 1, 1)) / 7 + 1;
    return p;
}

/* ---- output ---- */

typedef struct Output {
    char *text;
    int64_t len, room;
} Output;

static void put(Output *out, const char *text, int64_t len)
{
    for (int64_t i = 0; i < len && out->len < out->room; i++) out->text[out->len++] = text[i];
}

/* A number in at least `width` digits, or as it is with FM; "th" after it where asked. */
static void put_number(Output *out, const TemplateItem *item, int64_t value, int width)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%0*lld",
                       item->fill ? 0 : width + (value < 0 ? 1 : 0), (long long)value);
    put(out, digits, len);
    if (!item->ordinal) return;
    int64_t n = value < 0 ? -value : value;
    bool teen = n % 100 >= 11 && n % 100 <= 13;
    const char *suffix = teen          ? "th"
                         : n % 10 == 1 ? "st"
                         : n % 10 == 2 ? "nd"
                         : n % 10 == 3 ? "rd"
                                       : "th";
    char upper[2] = {(char)(suffix[0] - 32), (char)(suffix[1] - 32)};
    put(out, item->ordinal == 'T' ? upper : suffix, 2);
}

/* A name in the pattern's case, padded unless FM or short. */
static void put_name(Output *out, const TemplateItem *item, const char *name, int64_t cut,
                     int64_t pad)
{
    char text[16];
    int64_t len = 0;
    for (; name[len] && (cut == 0 || len < cut); len++) {
        char c = name[len];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (letter && item->letters == LETTERS_UPPER) c = (char)(c & ~32);
        if (letter && item->letters == LETTERS_LOWER) c = (char)(c | 32);
        text[len] = c;
    }
    put(out, text, len);
    for (; !item->fill && len < pad; len++) put(out, " ", 1);
}

static int64_t year_shown(int64_t year)
{
    return year <= 0 ? 1 - year : year;
}

static int64_t power10(int64_t n)
{
    int64_t value = 1;
    while (n-- > 0) value *= 10;
    return value;
}

static void put_year(Output *out, const TemplateItem *item, int64_t year, int digits)
{
    int64_t shown = year_shown(year);
    put_number(out, item, digits < 4 ? shown % power10(digits) : shown, digits);
}

static void put_half(Output *out, const TemplateItem *item, bool second, const char *first_name,
                     const char *second_name)
{
    put_name(out, item, second ? second_name : first_name, 0, 0);
}

static bool put_clock(Output *out, const TemplateItem *item, const Parts *p)
{
    const CivilTime *c = &p->c;
    int64_t seconds = (c->hour * INT64_C(60) + c->minute) * 60 + c->second;
    switch ((int)item->pattern) {
    case PATTERN_HH24:
        put_number(out, item, c->hour, 2);
        return true;
    case PATTERN_HH12:
        put_number(out, item, c->hour % 12 == 0 ? 12 : c->hour % 12, 2);
        return true;
    case PATTERN_MI:
        put_number(out, item, c->minute, 2);
        return true;
    case PATTERN_SS:
        put_number(out, item, c->second, 2);
        return true;
    case PATTERN_FRACTION:
        put_number(out, item, c->us / power10(6 - item->digits), item->digits);
        return true;
    case PATTERN_SSSS:
        put_number(out, item, seconds, 1);
        return true;
    case PATTERN_AM:
        put_half(out, item, c->hour >= 12, "AM", "PM");
        return true;
    case PATTERN_AM_DOTS:
        put_half(out, item, c->hour >= 12, "A.M.", "P.M.");
        return true;
    default:
        return false;
    }
}

static bool put_calendar(Output *out, const TemplateItem *item, const Parts *p)
{
    const CivilTime *c = &p->c;
    switch ((int)item->pattern) {
    case PATTERN_MM:
        put_number(out, item, c->month, 2);
        return true;
    case PATTERN_MONTH:
        put_name(out, item, MONTHS[c->month - 1], 0, 9);
        return true;
    case PATTERN_MON:
        put_name(out, item, MONTHS[c->month - 1], 3, 3);
        return true;
    case PATTERN_RM:
        put_name(out, item, ROMAN[c->month - 1], 0, 4);
        return true;
    case PATTERN_DAY:
        put_name(out, item, DAYS[p->weekday], 0, 9);
        return true;
    case PATTERN_DY:
        put_name(out, item, DAYS[p->weekday], 3, 3);
        return true;
    case PATTERN_DD:
        put_number(out, item, c->day, 2);
        return true;
    case PATTERN_DDD:
        put_number(out, item, p->doy, 3);
        return true;
    case PATTERN_D:
        put_number(out, item, p->weekday + 1, 1);
        return true;
    case PATTERN_ID:
        put_number(out, item, (p->weekday + 6) % 7 + 1, 1);
        return true;
    default:
        return false;
    }
}

static void put_item(Output *out, const TemplateItem *item, const Parts *p, bool zone)
{
    const CivilTime *c = &p->c;
    if (put_clock(out, item, p) || put_calendar(out, item, p)) return;
    switch ((int)item->pattern) {
    case PATTERN_YYYY:
        put_year(out, item, c->year, item->digits);
        break;
    case PATTERN_Y_YYY: {
        char text[32];
        int64_t year = year_shown(c->year);
        int len = snprintf(text, sizeof text, "%lld,%03lld", (long long)(year / 1000),
                           (long long)(year % 1000));
        put(out, text, len);
        break;
    }
    case PATTERN_IYYY:
        put_year(out, item, p->iso_year, item->digits);
        break;
    case PATTERN_IDDD:
        put_number(out, item, (p->iso_week - 1) * 7 + (p->weekday + 6) % 7 + 1, 3);
        break;
    case PATTERN_Q:
        put_number(out, item, (c->month - 1) / 3 + 1, 1);
        break;
    case PATTERN_WW:
        put_number(out, item, (p->doy - 1) / 7 + 1, 2);
        break;
    case PATTERN_W:
        put_number(out, item, (c->day - 1) / 7 + 1, 1);
        break;
    case PATTERN_IW:
        put_number(out, item, p->iso_week, 2);
        break;
    case PATTERN_CC:
        put_number(out, item, c->year > 0 ? (c->year + 99) / 100 : c->year / 100 - 1, 2);
        break;
    case PATTERN_J:
        put_number(out, item, p->days + 2440588, 1);
        break;
    case PATTERN_BC:
        put_half(out, item, c->year <= 0, "AD", "BC");
        break;
    case PATTERN_BC_DOTS:
        put_half(out, item, c->year <= 0, "A.D.", "B.C.");
        break;
    case PATTERN_TZ:
        if (zone) put_name(out, item, "UTC", 0, 0);
        break;
    case PATTERN_TZH:
    case PATTERN_OF:
        put(out, "+00", 3);
        break;
    case PATTERN_TZM:
        put(out, "00", 2);
        break;
    case PATTERN_LITERAL:
        put(out, item->literal.ptr, item->literal.len);
        break;
    default:
        break;
    }
}

static void char_of(KernelCall *call, int64_t row, int64_t us, bool zone)
{
    if (us == DATETIME_INFINITY || us == DATETIME_NEG_INFINITY) {
        const char *text = us > 0 ? "infinity" : "-infinity";
        kernel_put_copy(call, row, text, (int64_t)strlen(text));
        return;
    }
    Template one = {0};
    Template *t = call->state;
    if (!t) {
        t = &one;
        template_date_read(kernel_text(call, 1, row), t);
    }
    if (t->too_long) {
        call_error(call, row, "54000", "the format has more than %d patterns", TEMPLATE_ITEMS_MAX);
        return;
    }
    if (t->spelled) {
        call_error(call, row, "0A000", "the suffix SP is not supported");
        return;
    }
    Parts parts = parts_of(us);
    char text[TEMPLATE_ITEMS_MAX * 24];
    Output out = {text, 0, sizeof text};
    for (int32_t i = 0; i < t->count; i++) put_item(&out, &t->items[i], &parts, zone);
    kernel_put_copy(call, row, text, out.len);
}

/* The parts of an interval; its hours may be more than 23, and parts may be negative. */
static bool put_interval_item(Output *out, const TemplateItem *item, Interval i)
{
    Parts p = {.c = {.month = i.months % 12,
                     .day = i.days,
                     .hour = (int32_t)(i.us / 3600000000),
                     .minute = (int32_t)(i.us / 60000000 % 60),
                     .second = (int32_t)(i.us / 1000000 % 60),
                     .us = (int32_t)(i.us % 1000000)}};
    p.doy = (int64_t)i.months * 30 + i.days;
    switch ((int)item->pattern) {
    case PATTERN_YYYY:
        put_number(out, item,
                   i.months / 12 % (item->digits < 4 ? power10(item->digits) : 100000000),
                   item->digits);
        return true;
    case PATTERN_MM:
    case PATTERN_DD:
    case PATTERN_DDD:
        return put_calendar(out, item, &p);
    case PATTERN_HH24:
    case PATTERN_HH12:
    case PATTERN_MI:
    case PATTERN_SS:
    case PATTERN_FRACTION:
    case PATTERN_SSSS:
        return put_clock(out, item, &p);
    case PATTERN_LITERAL:
        put(out, item->literal.ptr, item->literal.len);
        return true;
    default:
        return false;
    }
}

static void char_of_interval(KernelCall *call, int64_t row, const Template *t)
{
    const Vector *v = &call->args[0];
    char text[TEMPLATE_ITEMS_MAX * 24];
    Output out = {text, 0, sizeof text};
    bool known = !t->too_long && !t->spelled;
    for (int32_t i = 0; known && i < t->count; i++) {
        known = put_interval_item(&out, &t->items[i], vector_interval(v)[row & v->mask]);
    }
    if (known) kernel_put_copy(call, row, text, out.len);
    else {
        call_error(call, row, "22007",
                   "to_char of intervals knows YYYY MM DD DDD HH24 HH12 MI SS MS US SSSS");
    }
}

static Status kernel_char_interval(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        Template one;
        if (call->state) char_of_interval(call, row, call->state);
        else {
            template_date_read(kernel_text(call, 1, row), &one);
            char_of_interval(call, row, &one);
        }
    }
    return OK;
}

static Status kernel_char_timestamp(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) char_of(call, row, kernel_int64(call, 0, row), false);
    return OK;
}

static Status kernel_char_timestamptz(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) char_of(call, row, kernel_int64(call, 0, row), true);
    return OK;
}

/* ---- input ---- */

static Status kernel_to_date(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t us;
        if (!template_date_parse(call, row, &us)) continue;
        vector_date(call->result)[row] =
            (int32_t)(us / DATETIME_DAY_US - (us % DATETIME_DAY_US < 0));
    }
    return OK;
}

static Status kernel_to_timestamp_text(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        int64_t us;
        if (template_date_parse(call, row, &us)) vector_int64(call->result)[row] = us;
    }
    return OK;
}

/* ---- table ---- */

static Status prepare(const Vector *const *constants, int32_t count UNUSED, void **ret_state,
                      Err *err)
{
    if (!constants[1]) return OK;
    Template *t = mem_alloc(sizeof *t);
    if (!t) return err_memory(err);
    template_date_read(vector_text(constants[1])[0], t);
    *ret_state = t;
    return OK;
}

static void release(void *state)
{
    mem_free(state);
}

enum { FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define D "date and time"

static const Function FUNCTIONS[] = {
    {"to_char", "timestamp, text -> text", kernel_char_timestamp, FALLIBLE, D,
     "In the format's patterns: YYYY MM DD HH24 MI SS MS US Month Mon Day Dy Q IW…",
     "to_char(timestamp '2024-02-29 13:45', 'FMDDth Mon YYYY, HH12:MI AM') = "
     "\"29th Feb 2024, 01:45 PM\"",
     prepare, release, 0},
    {"to_char", "timestamptz, text -> text", kernel_char_timestamptz, FALLIBLE, D,
     "The same, in UTC.",
     "to_char(timestamptz '2024-02-29 13:45Z', 'YYYY-MM TZ') = \"2024-02 UTC\"", prepare, release,
     0},
    {"to_char", "interval, text -> text", kernel_char_interval, FALLIBLE, D,
     "The parts of an interval: YYYY MM DD HH24 MI SS…",
     "to_char(interval '15h 2m 12s', 'HH24:MI:SS') = \"15:02:12\"", prepare, release, 0},
    {"to_date", "text, text -> date", kernel_to_date, FALLIBLE, D, "Read by the format's patterns.",
     "to_date('29.02.2024', 'DD.MM.YYYY') = \"2024-02-29\"", prepare, release, 0},
    {"to_timestamp", "text, text -> timestamptz", kernel_to_timestamp_text, FALLIBLE, D,
     "Read by the format's patterns, in UTC.",
     "to_timestamp('29 Feb 2024 01:45 pm', 'DD Mon YYYY HH12:MI am') = \"2024-02-29T13:45:00Z\"",
     prepare, release, 0},
};
const FunctionTable FORMAT_DATE_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
