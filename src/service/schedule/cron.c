/* The text of a schedule: cron's five fields, nicknames, intervals, the time zone. */
#include "foundation/base/number.h"
#include "foundation/config/option.h"
#include "service/schedule/schedule.h"

/* One of the five fields: its bounds and the names of its values. */
typedef struct Field {
    const char *name;
    int64_t low, high;
    const char *const *names; /* names[0] stands for `low` */
    int32_t name_count;
} Field;

static const char *const MONTHS[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const WEEKDAYS[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
static const Field FIELDS[] = {
    {"minute", 0, 59, NULL, 0},   {"hour", 0, 23, NULL, 0},       {"day", 1, 31, NULL, 0},
    {"month", 1, 12, MONTHS, 12}, {"weekday", 0, 7, WEEKDAYS, 7},
};

static const struct {
    const char *name, *fields;
} NICKNAMES[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

static Status wrong(const Field *field, Str text, Err *err)
{
    (void)err_set(err, ERR_CONFIG, "the schedule's %s \"%.*s\" is none", field->name,
                  STR_ARG(text));
    return err_hint(err, "%lld to %lld, with * , - and /", (long long)field->low,
                    (long long)field->high);
}

static bool field_value(const Field *field, Str text, int64_t *ret_value)
{
    for (int32_t i = 0; i < field->name_count; i++) {
        if (!str_eq_nocase(text, str_from(field->names[i]))) continue;
        *ret_value = field->low + i;
        return true;
    }
    bool digit = text.len > 0 && text.ptr[0] >= '0' && text.ptr[0] <= '9';
    return digit && number_parse_int64(text, ret_value) == NUMBER_OK && *ret_value >= field->low &&
           *ret_value <= field->high;
}

/* a, a-b, *, each with /n after. */
static Status field_part(const Field *field, Str part, uint64_t *bits, Err *err)
{
    int64_t low = field->low, high = field->high, step = 1;
    int64_t slash = str_find_char(part, '/');
    Str range = slash < 0 ? part : str_slice(part, 0, slash);
    if (slash >= 0) {
        Str text = str_slice(part, slash + 1, part.len);
        if (number_parse_int64(text, &step) != NUMBER_OK || step < 1 || step > 59) {
            return wrong(field, part, err);
        }
    }
    int64_t dash = str_find_char(range, '-');
    if (dash > 0) {
        if (!field_value(field, str_slice(range, 0, dash), &low) ||
            !field_value(field, str_slice(range, dash + 1, range.len), &high) || low > high) {
            return wrong(field, part, err);
        }
    } else if (!str_eq(range, STR("*"))) {
        if (!field_value(field, range, &low)) return wrong(field, part, err);
        if (slash < 0) high = low;
    }
    for (int64_t i = low; i <= high; i += step) *bits |= UINT64_C(1) << i;
    return OK;
}

static Status field_parse(const Field *field, Str text, uint64_t *ret_bits, Err *err)
{
    Str rest = text, part;
    uint64_t bits = 0;
    if (text.len == 0) return wrong(field, text, err);
    while (str_next_part(&rest, ',', &part)) TRY(field_part(field, part, &bits, err));
    *ret_bits = bits;
    return OK;
}

/* The next word; empty at the end. */
static Str next_word(Str *rest)
{
    *rest = str_trim(*rest);
    int64_t len = 0;
    while (len < rest->len && rest->ptr[len] != ' ' && rest->ptr[len] != '\t') len++;
    Str word = str_slice(*rest, 0, len);
    *rest = str_slice(*rest, len, rest->len);
    return word;
}

static Status fields_parse(Str text, Schedule *s, Err *err)
{
    uint64_t bits[COUNT_OF(FIELDS)];
    Str words[COUNT_OF(FIELDS)];
    for (int32_t i = 0; i < COUNT_OF(FIELDS); i++) words[i] = next_word(&text);
    if (words[4].len == 0 || str_trim(text).len > 0) {
        (void)err_set(err, ERR_CONFIG, "a cron schedule has five fields");
        return err_hint(err, "minute hour day month weekday, `@hourly` or `every 15m`");
    }
    for (int32_t i = 0; i < COUNT_OF(FIELDS); i++) {
        TRY(field_parse(&FIELDS[i], words[i], &bits[i], err));
    }
    s->minutes = bits[0];
    s->hours = (uint32_t)bits[1];
    s->days = (uint32_t)bits[2];
    s->months = (uint32_t)bits[3];
    s->weekdays = (uint32_t)((bits[4] | bits[4] >> 7) & 0x7f);
    s->any_hour = words[1].ptr[0] == '*';
    s->any_day = words[2].ptr[0] == '*';
    s->any_weekday = words[4].ptr[0] == '*';
    return OK;
}

static Status every_parse(Str text, Schedule *s, Err *err)
{
    const int64_t most_us = INT64_C(3660) * 86400000000;
    if (option_parse_duration(str_trim(text), &s->every_us) && s->every_us >= 1000000 &&
        s->every_us <= most_us) {
        return OK;
    }
    (void)err_set(err, ERR_CONFIG, "`every %.*s` is not an interval from 1s to 3660d",
                  STR_ARG(str_trim(text)));
    return err_hint(err, "write it like `every 15m` or `every 1h30m`");
}

static Status text_parse(Str text, Schedule *s, Err *err)
{
    if (str_starts(text, STR("every "))) return every_parse(str_slice(text, 6, text.len), s, err);
    if (str_starts(text, STR("@every "))) return every_parse(str_slice(text, 7, text.len), s, err);
    Str names[COUNT_OF(NICKNAMES)];
    for (int32_t i = 0; i < COUNT_OF(NICKNAMES); i++) {
        names[i] = str_from(NICKNAMES[i].name);
        if (str_eq(text, names[i])) return fields_parse(str_from(NICKNAMES[i].fields), s, err);
    }
    if (!str_starts(text, STR("@"))) return fields_parse(text, s, err);
    Str near = str_nearest(text, names, COUNT_OF(NICKNAMES));
    (void)err_set(err, ERR_CONFIG, "no schedule is called \"%.*s\"", STR_ARG(text));
    if (near.len) return err_hint(err, "did you mean %.*s?", STR_ARG(near));
    return FAIL;
}

static Status zone_parse(Str *text, Schedule *s, Err *err)
{
    if (!str_starts(*text, STR("CRON_TZ=")) && !str_starts(*text, STR("TZ="))) return OK;
    Str name = next_word(text);
    name = str_slice(name, str_find_char(name, '=') + 1, name.len);
    if (str_eq(name, STR("UTC"))) return OK;
    if (timezone_load(name, &s->zone, err) == OK) return OK;
    if (err) err->kind = ERR_CONFIG;
    return err_prefix(err, "the schedule: ");
}

Status schedule_parse(Str text, Schedule *ret_schedule, Err *err)
{
    Schedule s = {0};
    text = str_trim(text);
    Status status = zone_parse(&text, &s, err);
    if (status == OK) status = text_parse(str_trim(text), &s, err);
    if (status == OK && schedule_next(&s, 0) == INT64_MAX) {
        status = err_set(err, ERR_CONFIG, "the schedule's date never comes");
    }
    if (status != OK) {
        schedule_done(&s);
        return status;
    }
    *ret_schedule = s;
    return OK;
}

void schedule_done(Schedule *schedule)
{
    timezone_free(schedule->zone);
    *schedule = (Schedule){0};
}
