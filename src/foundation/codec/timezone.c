/* Named time zones from the system's TZif files (RFC 8536), and fixed offsets. */
#include "foundation/codec/timezone.h"

#include <stdio.h>

#include "foundation/base/datetime.h"
#include "foundation/base/file.h"
#include "foundation/base/mem.h"

#define SECOND_US INT64_C(1000000)

/* One rule of the footer: the n-th weekday of a month (Mm.w.d), or a day of the year. */
typedef struct ZoneRule {
    char kind; /* 'M', 'J' (1…365, no leap day), 'D' (0…365) */
    int32_t month, week, day;
    int64_t second;
} ZoneRule;

struct Timezone {
    int64_t count;   /* transitions */
    int64_t *at;     /* seconds since the epoch, ascending */
    int32_t *offset; /* seconds east of UTC from at[i] on */
    int32_t first;   /* offset before at[0] */
    bool has_rule;   /* after the last transition: the footer's two rules */
    int32_t standard, daylight;
    ZoneRule start, end;
};

/* ---- the file ---- */

static int64_t big_endian(const char *bytes, int32_t count)
{
    int64_t value = (int8_t)bytes[0];
    for (int32_t i = 1; i < count; i++) value = value * 256 + (uint8_t)bytes[i];
    return value;
}

typedef struct TzifHead {
    int64_t isut, isstd, leap, time, type, chars;
} TzifHead;

static bool read_head(Str file, TzifHead *h)
{
    if (file.len < 44 || memcmp(file.ptr, "TZif", 4) != 0) return false;
    int64_t *fields[] = {&h->isut, &h->isstd, &h->leap, &h->time, &h->type, &h->chars};
    for (int32_t i = 0; i < 6; i++) {
        *fields[i] = big_endian(file.ptr + 20 + i * 4, 4);
        if (*fields[i] < 0 || *fields[i] > 100000) return false;
    }
    return h->type > 0;
}

static int64_t block_size(const TzifHead *h, int32_t width)
{
    return h->time * width + h->time + h->type * 6 + h->chars + h->leap * (width + 4) + h->isstd +
           h->isut;
}

/* ---- the footer: EST5EDT,M3.2.0,M11.1.0 ---- */

static bool footer_number(Str *s, int64_t *ret_value)
{
    int64_t value = 0, digits = 0;
    while (s->len && s->ptr[0] >= '0' && s->ptr[0] <= '9' && digits < 6) {
        value = value * 10 + (s->ptr[0] - '0');
        *s = str_slice(*s, 1, s->len);
        digits++;
    }
    *ret_value = value;
    return digits > 0;
}

static bool footer_name(Str *s)
{
    int64_t len = 0;
    if (s->len && s->ptr[0] == '<') {
        len = str_find_char(*s, '>') + 1;
    } else {
        while (len < s->len && (s->ptr[len] | 32) >= 'a' && (s->ptr[len] | 32) <= 'z') len++;
    }
    *s = str_slice(*s, len, s->len);
    return len > 0;
}

/* [+-]hh[:mm[:ss]] as seconds. */
static bool footer_time(Str *s, int64_t *ret_seconds)
{
    bool negative = s->len && s->ptr[0] == '-';
    if (s->len && (s->ptr[0] == '-' || s->ptr[0] == '+')) *s = str_slice(*s, 1, s->len);
    int64_t total = 0, unit = 3600, part = 0;
    do {
        if (!footer_number(s, &part)) return false;
        total += part * unit;
        unit /= 60;
        if (!str_starts(*s, STR(":")) || unit == 0) break;
        *s = str_slice(*s, 1, s->len);
    } while (true);
    *ret_seconds = negative ? -total : total;
    return true;
}

static bool footer_rule(Str *s, ZoneRule *rule)
{
    int64_t a = 0, b = 0, c = 0;
    *rule = (ZoneRule){.kind = 'D', .second = 7200};
    if (!str_starts(*s, STR(","))) return false;
    *s = str_slice(*s, 1, s->len);
    if (s->len && (s->ptr[0] == 'M' || s->ptr[0] == 'J')) {
        rule->kind = s->ptr[0];
        *s = str_slice(*s, 1, s->len);
    }
    if (!footer_number(s, &a)) return false;
    rule->day = (int32_t)a;
    if (rule->kind == 'M') {
        if (!str_starts(*s, STR("."))) return false;
        *s = str_slice(*s, 1, s->len);
        if (!footer_number(s, &b) || !str_starts(*s, STR("."))) return false;
        *s = str_slice(*s, 1, s->len);
        if (!footer_number(s, &c) || a < 1 || a > 12 || b < 1 || b > 5 || c > 6) return false;
        rule->month = (int32_t)a;
        rule->week = (int32_t)b;
        rule->day = (int32_t)c;
    }
    if (!str_starts(*s, STR("/"))) return true;
    *s = str_slice(*s, 1, s->len);
    return footer_time(s, &rule->second);
}

static void read_footer(Str s, Timezone *zone)
{
    int64_t west = 0, summer_west = 0;
    if (!footer_name(&s) || !footer_time(&s, &west) || !footer_name(&s)) return;
    summer_west = west - 3600;
    if (s.len && s.ptr[0] != ',' && !footer_time(&s, &summer_west)) return;
    if (!footer_rule(&s, &zone->start) || !footer_rule(&s, &zone->end)) return;
    zone->standard = (int32_t)-west;
    zone->daylight = (int32_t)-summer_west;
    zone->has_rule = true;
}

static bool read_data(Str file, const TzifHead *h, int32_t width, Timezone *zone)
{
    const char *times = file.ptr + 44;
    const char *kinds = times + h->time * width;
    const char *types = kinds + h->time;
    if (file.len < 44 + block_size(h, width)) return false;
    zone->at = mem_array(h->time + 1, 8);
    zone->offset = mem_array(h->time + 1, 4);
    if (!zone->at || !zone->offset) return false;
    zone->first = (int32_t)big_endian(types, 4);
    for (int64_t i = 0; i < h->time; i++) {
        int64_t kind = (uint8_t)kinds[i];
        if (kind >= h->type) return false;
        zone->at[i] = big_endian(times + i * width, width);
        zone->offset[i] = (int32_t)big_endian(types + kind * 6, 4);
    }
    zone->count = h->time;
    return true;
}

static bool read_file(Str file, Timezone *zone)
{
    TzifHead h;
    if (!read_head(file, &h)) return false;
    if (file.ptr[4] < '2') return read_data(file, &h, 4, zone);
    int64_t skip = 44 + block_size(&h, 4);
    if (skip > file.len) return false;
    file = str_slice(file, skip, file.len);
    if (!read_head(file, &h) || !read_data(file, &h, 8, zone)) return false;
    Str footer = str_slice(file, 44 + block_size(&h, 8), file.len);
    read_footer(str_trim(footer), zone);
    return true;
}

/* ---- names ---- */

static bool name_is_safe(Str name)
{
    for (int64_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9');
        if (!letter && c != '/' && c != '_' && c != '-' && c != '+') return false;
    }
    return name.len > 0 && name.len < 100 && name.ptr[0] != '/';
}

/* +02, -05:30, UTC+2: POSIX signs, so the offset east is the other way round. */
static bool fixed_offset(Str name, Timezone *zone)
{
    if (str_eq_nocase(name, STR("utc")) || str_eq_nocase(name, STR("gmt")) ||
        str_eq_nocase(name, STR("z")) || str_eq_nocase(name, STR("zulu"))) {
        return true;
    }
    if (str_starts_nocase(name, STR("utc")) || str_starts_nocase(name, STR("gmt"))) {
        name = str_slice(name, 3, name.len);
    }
    int64_t seconds = 0;
    bool sign = name.len && (name.ptr[0] == '+' || name.ptr[0] == '-');
    if (!sign || !footer_time(&name, &seconds) || name.len) return false;
    zone->first = (int32_t)-seconds;
    return seconds > -57600 && seconds < 57600;
}

Status timezone_load(Str name, Timezone **ret_zone, Err *err)
{
    Timezone *zone = mem_zalloc((int64_t)sizeof *zone);
    if (!zone) return err_memory(err);
    if (fixed_offset(name, zone)) {
        *ret_zone = zone;
        return OK;
    }
    char path[160];
    CLEANUP(buf_done) Buf file = buf_make(1 << 20);
    (void)snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", STR_ARG(name));
    bool ok = name_is_safe(name) && file_load(str_from(path), &file, NULL) == OK &&
              read_file(buf_str(&file), zone);
    if (ok) {
        *ret_zone = zone;
        return OK;
    }
    timezone_free(zone);
    return err_set(err, ERR_DATA, "time zone \"%.*s\" not recognized", STR_ARG(name));
}

void timezone_free(Timezone *zone)
{
    if (!zone) return;
    mem_free(zone->at);
    mem_free(zone->offset);
    mem_free(zone);
}

/* ---- offsets ---- */

/* Seconds since the epoch of local midnight, plus the rule's time, in the year. */
static int64_t rule_local(const ZoneRule *rule, int64_t year)
{
    int64_t days;
    if (rule->kind == 'M') {
        int64_t first = datetime_days_from_civil(year, rule->month, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7;
        days = first + (rule->day - weekday + 7) % 7 + (rule->week - 1) * 7;
        int64_t next = rule->month == 12 ? datetime_days_from_civil(year + 1, 1, 1)
                                         : datetime_days_from_civil(year, rule->month + 1, 1);
        while (days >= next) days -= 7;
    } else {
        bool leap = datetime_is_date(year, 2, 29);
        int64_t day = rule->kind == 'J' ? rule->day - 1 + (leap && rule->day > 59) : rule->day;
        days = datetime_days_from_civil(year, 1, 1) + day;
    }
    return days * 86400 + rule->second;
}

static int32_t rule_offset(const Timezone *zone, int64_t utc)
{
    int64_t year;
    int32_t month, day;
    int64_t local = utc + zone->standard;
    datetime_civil_from_days(local / 86400 - (local % 86400 < 0), &year, &month, &day);
    int64_t start = rule_local(&zone->start, year) - zone->standard;
    int64_t end = rule_local(&zone->end, year) - zone->daylight;
    bool summer = start < end ? utc >= start && utc < end : utc >= start || utc < end;
    return summer ? zone->daylight : zone->standard;
}

static int32_t offset_at(const Timezone *zone, int64_t utc)
{
    if (zone->count == 0 || utc < zone->at[0]) {
        return zone->count == 0 && zone->has_rule ? rule_offset(zone, utc) : zone->first;
    }
    if (zone->has_rule && utc >= zone->at[zone->count - 1]) return rule_offset(zone, utc);
    int64_t low = 0, high = zone->count - 1;
    while (low < high) {
        int64_t middle = (low + high + 1) / 2;
        if (zone->at[middle] <= utc) low = middle;
        else high = middle - 1;
    }
    return zone->offset[low];
}

static int64_t floor_seconds(int64_t us)
{
    return us / SECOND_US - (us % SECOND_US < 0);
}

int64_t timezone_to_local(const Timezone *zone, int64_t utc_us)
{
    return utc_us + offset_at(zone, floor_seconds(utc_us)) * SECOND_US;
}

int64_t timezone_to_utc(const Timezone *zone, int64_t local_us)
{
    int64_t local = floor_seconds(local_us);
    /* The offsets a day before and after are those on both sides of any transition near. */
    int32_t before = offset_at(zone, local - 86400);
    int32_t after = offset_at(zone, local + 86400);
    int32_t chosen = before;
    if (before != after) {
        bool fits_before = offset_at(zone, local - before) == before;
        bool fits_after = offset_at(zone, local - after) == after;
        if (fits_after) chosen = after;
        if (fits_before && !fits_after) chosen = before;
    }
    return local_us - chosen * SECOND_US;
}
