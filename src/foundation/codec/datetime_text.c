/* Texts of dates and times as people, files and PostgreSQL write them. */
#include "foundation/codec/datetime_text.h"

#include <stdio.h>

#include "foundation/codec/timezone.h"

enum { NUMBERS_MAX = 3, WORD_MAX = 64 };

/* A number of the date. */
typedef struct Number {
    int64_t value;
    int32_t digits;
} Number;

/* What the fields of a text say. */
typedef struct Fields {
    const char *at, *end;
    Number numbers[NUMBERS_MAX]; /* in the order of the text */
    int32_t count;
    int32_t month;    /* by its name; 0: none */
    int32_t month_at; /* how many numbers were in front of it */
    char separator;   /* between numbers: - / . or 0 */
    bool has_date, has_time, has_zone, bc, ambiguous;
    int32_t half; /* 1 AM, 2 PM */
    int64_t days, us, offset_us;
    Str zone; /* a name; empty: the offset */
} Fields;

#define SECOND_US INT64_C(1000000)

static char peek(const Fields *f, int64_t ahead)
{
    return f->end - f->at > ahead ? f->at[ahead] : 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z';
}

static bool read_number(Fields *f, Number *ret_number)
{
    *ret_number = (Number){0};
    while (is_digit(peek(f, 0)) && ret_number->digits < 10) {
        ret_number->value = ret_number->value * 10 + (*f->at++ - '0');
        ret_number->digits++;
    }
    return ret_number->digits > 0 && !is_digit(peek(f, 0));
}

static bool set_date(Fields *f, int64_t year, int64_t month, int64_t day)
{
    if (f->has_date || (!f->bc && year < 1) || month < 1 || month > 12 || day < 1) return false;
    if (!datetime_is_date(year, (int32_t)month, (int32_t)int64_min(day, 32))) return false;
    f->days = datetime_days_from_civil(year, (int32_t)month, (int32_t)day);
    f->has_date = true;
    return true;
}

/* ---- clocks ---- */

static bool set_clock(Fields *f, int64_t hour, int64_t minute, int64_t second, int64_t us)
{
    if (f->has_time || hour > 24 || minute > 59 || second > 60) return false;
    f->us = ((hour * 60 + minute) * 60 + second) * SECOND_US + us;
    f->has_time = true;
    return f->us <= DATETIME_DAY_US;
}

/* .5 as microseconds, rounded; 0 where there is no point. */
static bool read_fraction(Fields *f, int64_t *ret_us)
{
    *ret_us = 0;
    if (peek(f, 0) != '.') return true;
    f->at++;
    int32_t digits = 0;
    for (; is_digit(peek(f, 0)); f->at++, digits++) {
        if (digits < 6) *ret_us = *ret_us * 10 + (peek(f, 0) - '0');
        else if (digits == 6) *ret_us += peek(f, 0) >= '5';
    }
    for (int32_t i = digits; i < 6; i++) *ret_us *= 10;
    return digits > 0;
}

/* H:M[:S[.f]], the hour already read. */
static bool read_clock(Fields *f, Number hour)
{
    Number minute, second = {0};
    int64_t us = 0;
    f->at++;
    if (hour.digits > 2 || !read_number(f, &minute) || minute.digits > 2) return false;
    if (peek(f, 0) == ':') {
        f->at++;
        if (!read_number(f, &second) || second.digits > 2 || !read_fraction(f, &us)) return false;
    }
    return set_clock(f, hour.value, minute.value, second.value, us);
}

/* HHMM or HHMMSS[.f] */
static bool digits_clock(Fields *f, Number n)
{
    int64_t us = 0;
    if (n.digits == 4) return set_clock(f, n.value / 100, n.value % 100, 0, 0);
    return read_fraction(f, &us) &&
           set_clock(f, n.value / 10000, n.value / 100 % 100, n.value % 100, us);
}

/* ---- zones ---- */

/* ±H, ±HH, ±HHMM, ±HH:MM[:SS] */
static bool read_offset(Fields *f)
{
    bool west = *f->at++ == '-';
    Number hour, minute = {0}, second = {0};
    if (f->has_zone || !read_number(f, &hour) || hour.digits > 4 || hour.digits == 3) return false;
    if (hour.digits == 4) {
        minute.value = hour.value % 100;
        hour.value /= 100;
    } else if (peek(f, 0) == ':') {
        f->at++;
        if (!read_number(f, &minute) || minute.digits != 2) return false;
        if (peek(f, 0) == ':') {
            f->at++;
            if (!read_number(f, &second) || second.digits != 2) return false;
        }
    }
    if (hour.value > 15 || minute.value > 59 || second.value > 59) return false;
    int64_t seconds = (hour.value * 60 + minute.value) * 60 + second.value;
    f->offset_us = (west ? -seconds : seconds) * SECOND_US;
    f->has_zone = true;
    return true;
}

/* PostgreSQL's default abbreviations that always mean one offset: minutes east of Greenwich. */
static const struct {
    const char *name;
    int32_t minutes;
} ZONES[] = {{"ACDT", 630},  {"ACSST", 630},  {"ACST", 570},  {"ACT", -300},  {"ACWST", 525},
             {"ADT", -180},  {"AEDT", 660},   {"AESST", 660}, {"AEST", 600},  {"AFT", 270},
             {"AKDT", -480}, {"AKST", -540},  {"ALMST", 420}, {"ALMT", 360},  {"AMT", -240},
             {"AST", -240},  {"AWSST", 540},  {"AWST", 480},  {"AZOST", 0},   {"AZOT", -60},
             {"BDST", 120},  {"BDT", 360},    {"BNT", 480},   {"BORT", 480},  {"BOT", -240},
             {"BRA", -180},  {"BRST", -120},  {"BRT", -180},  {"BST", 60},    {"BTT", 360},
             {"CADT", 630},  {"CAST", 570},   {"CCT", 480},   {"CDT", -300},  {"CEST", 120},
             {"CET", 60},    {"CETDST", 120}, {"CHADT", 825}, {"CHAST", 765}, {"CHUT", 600},
             {"CLST", -180}, {"COT", -300},   {"CST", -360},  {"CXT", 420},   {"DDUT", 600},
             {"EAT", 180},   {"EDT", -240},   {"EEST", 180},  {"EET", 120},   {"EETDST", 180},
             {"EGST", 0},    {"EGT", -60},    {"EST", -300},  {"FET", 180},   {"FJST", 780},
             {"FJT", 720},   {"FNST", -60},   {"FNT", -120},  {"GALT", -360}, {"GAMT", -540},
             {"GFT", -180},  {"GILT", 720},   {"GMT", 0},     {"HKT", 480},   {"HST", -600},
             {"ICT", 420},   {"IDT", 180},    {"IRT", 210},   {"IST", 120},   {"JAYT", 540},
             {"JST", 540},   {"KDT", 600},    {"KGST", 360},  {"KST", 540},   {"LHST", 630},
             {"LIGT", 600},  {"MART", -570},  {"MDT", -360},  {"MEST", 120},  {"MESZ", 120},
             {"MET", 60},    {"METDST", 120}, {"MEZ", 60},    {"MHT", 720},   {"MMT", 390},
             {"MPT", 600},   {"MSD", 240},    {"MST", -420},  {"MUST", 300},  {"MUT", 240},
             {"MVT", 300},   {"MYT", 480},    {"NDT", -150},  {"NFT", -210},  {"NPT", 345},
             {"NST", -210},  {"NZDT", 780},   {"NZST", 720},  {"NZT", 720},   {"PDT", -420},
             {"PET", -300},  {"PGT", 600},    {"PHT", 480},   {"PKST", 360},  {"PKT", 300},
             {"PMDT", -120}, {"PMST", -180},  {"PONT", 660},  {"PST", -480},  {"PWT", 540},
             {"PYST", -180}, {"RET", 240},    {"SADT", 630},  {"SAST", 120},  {"SCT", 240},
             {"TAHT", -600}, {"TFT", 300},    {"TJT", 300},   {"TOT", 780},   {"TRUT", 600},
             {"TVT", 720},   {"UCT", 0},      {"ULAST", 540}, {"UT", 0},      {"UTC", 0},
             {"UYST", -120}, {"UYT", -180},   {"UZST", 360},  {"UZT", 300},   {"VUT", 660},
             {"WADT", 480},  {"WAKT", 720},   {"WAST", 420},  {"WAT", 60},    {"WDT", 540},
             {"WET", 0},     {"WETDST", 60},  {"WFT", 720},   {"WGST", -120}, {"WGT", -180},
             {"XJT", 360},   {"YAPT", 600},   {"YEKST", 360}, {"Z", 0},       {"ZULU", 0}};

static bool zone_word(Fields *f, Str word)
{
    if (f->has_zone) return false;
    f->has_zone = true;
    for (int64_t i = 0; i < COUNT_OF(ZONES); i++) {
        if (!str_eq_nocase(word, str_from(ZONES[i].name))) continue;
        f->offset_us = ZONES[i].minutes * 60 * SECOND_US;
        return true;
    }
    f->zone = word;
    return true;
}

/* ---- words ---- */

/* A name, or its first letters, at least three. */
static int32_t name_index(Str word, const char *const *names, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        Str name = str_from(names[i]);
        if (word.len == 3 ? str_starts_nocase(name, word) : str_eq_nocase(name, word)) return i + 1;
    }
    return 0;
}

static int32_t month_index(Str word)
{
    static const char *const NAMES[] = {"january",   "february", "march",    "april",
                                        "may",       "june",     "july",     "august",
                                        "september", "october",  "november", "december"};
    return str_eq_nocase(word, STR("sept")) ? 9 : name_index(word, NAMES, 12);
}

static bool is_weekday(Str word)
{
    static const char *const NAMES[] = {"sunday",   "monday", "tuesday", "wednesday",
                                        "thursday", "friday", "saturday"};
    return name_index(word, NAMES, 7) > 0 || str_eq_nocase(word, STR("tues")) ||
           str_eq_nocase(word, STR("thur")) || str_eq_nocase(word, STR("thurs"));
}

static bool read_month(Fields *f, int32_t month)
{
    if (f->month) return false;
    f->month = month;
    f->month_at = f->count;
    if (peek(f, 0) == '.') f->at++;
    return true;
}

static bool read_word(Fields *f)
{
    const char *start = f->at;
    while (is_letter(peek(f, 0))) f->at++;
    Str word = str_make(start, f->at - start);
    Number julian;
    bool digit = is_digit(peek(f, 0));
    if (digit && str_eq_nocase(word, STR("j")) && !f->has_date) {
        f->has_date = read_number(f, &julian);
        f->days = julian.value - 2440588;
        return f->has_date;
    }
    if (digit && str_eq_nocase(word, STR("t"))) return !f->has_time;
    int32_t month = month_index(word);
    if (month) return read_month(f, month);
    if (is_weekday(word)) return true;
    bool pm = str_eq_nocase(word, STR("pm"));
    if (pm || str_eq_nocase(word, STR("am"))) {
        bool first = f->half == 0 && f->has_time;
        f->half = pm ? 2 : 1;
        return first;
    }
    if (str_eq_nocase(word, STR("bc")) || str_eq_nocase(word, STR("ad"))) {
        f->bc = (word.ptr[0] | 32) == 'b';
        return true;
    }
    if (str_eq_nocase(word, STR("allballs"))) return set_clock(f, 0, 0, 0, 0);
    while (is_letter(peek(f, 0)) || is_digit(peek(f, 0)) ||
           (peek(f, 0) && strchr("/_-+", peek(f, 0)))) {
        f->at++;
    }
    return zone_word(f, str_make(start, f->at - start));
}

/* ---- dates ---- */

static bool add_number(Fields *f, Number n)
{
    if (f->count == NUMBERS_MAX) return false;
    f->numbers[f->count++] = n;
    return true;
}

/* Digits: a clock, a date without separators, or one number of the date. */
static bool read_digits(Fields *f)
{
    Number n;
    if (!read_number(f, &n)) return false;
    char next = peek(f, 0), after = peek(f, 1);
    bool separator = next == '-' || next == '/' || next == '.';
    bool dated = f->has_date || f->count == NUMBERS_MAX || (f->month && f->count == 2);
    if (next == ':') return read_clock(f, n);
    if (dated && (n.digits == 6 || n.digits == 4)) return digits_clock(f, n);
    if (n.digits == 8 && f->count == 0 && !f->month) {
        return set_date(f, n.value / 10000, n.value / 100 % 100, n.value % 100);
    }
    if (n.digits == 6 && f->count == 0 && (next == 0 || next == '.')) return digits_clock(f, n);
    if (n.digits > 7 || !add_number(f, n)) return false;
    bool joined = separator && (is_digit(after) || is_letter(after));
    if (joined && f->separator && f->separator != next) return false;
    if (joined) {
        f->separator = next;
        f->at++;
    }
    return true;
}

/* Whether the date's numbers are complete: those of year, month and day, or of year and day of
 * year. */
static bool resolve_date(Fields *f)
{
    const Number *n = f->numbers;
    int32_t wanted = f->month ? 2 : 3;
    if (f->has_date) return f->count == 0 && f->month == 0;
    if (f->count == 0 && f->month == 0) return true;
    bool day_of_year =
        f->count == 2 && !f->month && f->separator && n[0].digits >= 4 && n[1].digits == 3;
    if (day_of_year) {
        bool fits = set_date(f, n[0].value, 1, 1) && n[1].value >= 1 &&
                    n[1].value <= (datetime_is_date(n[0].value, 2, 29) ? 366 : 365);
        f->days += n[1].value - 1;
        return fits;
    }
    if (f->count != wanted) return false;
    bool first_is_year = n[0].digits > 2, last_is_year = n[wanted - 1].digits > 2;
    if (first_is_year == last_is_year) {
        bool era = f->bc && f->month && !first_is_year;
        f->ambiguous = !first_is_year && !era && (f->separator || f->month);
        return era && set_date(f, 1 - n[1].value, f->month, n[0].value);
    }
    int64_t year = first_is_year ? n[0].value : n[wanted - 1].value;
    if (year == 0) return false;
    if (f->bc) year = 1 - year;
    if (f->month) return set_date(f, year, f->month, first_is_year ? n[1].value : n[0].value);
    if (first_is_year) return set_date(f, year, n[1].value, n[2].value);
    f->ambiguous = n[0].value <= 12 && n[1].value <= 12 && n[0].value != n[1].value;
    bool month_first = n[0].value <= 12;
    return !f->ambiguous &&
           set_date(f, year, n[month_first ? 0 : 1].value, n[month_first ? 1 : 0].value);
}

static bool resolve_half(Fields *f)
{
    int64_t hour = f->us / (3600 * SECOND_US);
    if (f->half == 0) return true;
    if (hour > 12) return false;
    if (hour == 12) f->us -= 12 * 3600 * SECOND_US;
    if (f->half == 2) f->us += 12 * 3600 * SECOND_US;
    return true;
}

static bool read_fields(Str text, Fields *f)
{
    text = str_trim(text);
    *f = (Fields){.at = text.ptr, .end = text.ptr + text.len};
    while (f->at < f->end) {
        char c = peek(f, 0);
        bool ok = true;
        if (c == ' ' || (c >= '\t' && c <= '\r') || c == ',') f->at++;
        else if (is_digit(c)) ok = read_digits(f);
        else if (is_letter(c)) ok = read_word(f);
        else if ((c == '+' || c == '-') && f->has_time) ok = read_offset(f);
        else if (c == '-' && f->month && f->count < 2) f->at++;
        else return false;
        if (!ok) return false;
    }
    return resolve_half(f) && resolve_date(f);
}

/* The clock's time in microseconds since 1970; false outside PostgreSQL's range. */
static bool clock_us(const Fields *f, int64_t *ret_us)
{
    if (!f->has_date || f->days < -2440588 || f->days > 106751990) return false;
    return !__builtin_add_overflow(f->days * DATETIME_DAY_US, f->us, ret_us);
}

static bool to_utc(const Fields *f, int64_t *us)
{
    if (!f->has_zone || f->zone.len == 0) {
        *us -= f->has_zone ? f->offset_us : 0;
        return true;
    }
    Timezone *zone = NULL;
    if (timezone_load(f->zone, &zone, NULL) != OK) return false;
    *us = timezone_to_utc(zone, *us);
    timezone_free(zone);
    return true;
}

bool datetime_read_date(Str text, int32_t *ret_days)
{
    Fields f;
    int64_t us = 0;
    if (datetime_cast_date(text, ret_days)) return true;
    if (!read_fields(text, &f) || !f.has_date || !to_utc(&f, &us)) return false;
    if (f.days < -2440588 || f.days > 2145031948) return false;
    *ret_days = (int32_t)f.days;
    return true;
}

bool datetime_read_time(Str text, int64_t *ret_us)
{
    Fields f;
    int64_t us = 0;
    if (datetime_cast_time(text, ret_us)) return true;
    if (!read_fields(text, &f) || !f.has_time || !to_utc(&f, &us)) return false;
    *ret_us = f.us;
    return true;
}

bool datetime_read_timestamp(Str text, int64_t *ret_us, bool *ret_has_zone)
{
    Fields f;
    if (datetime_cast_timestamp(text, ret_us, ret_has_zone)) return true;
    if (!read_fields(text, &f) || !clock_us(&f, ret_us) || !to_utc(&f, ret_us)) return false;
    *ret_has_zone = f.has_zone;
    return true;
}

bool datetime_read_clock(Str text, int64_t *ret_us)
{
    Fields f;
    bool zone = false;
    if (datetime_cast_timestamp(text, ret_us, &zone) && !zone) return true;
    int64_t us = 0;
    return read_fields(text, &f) && clock_us(&f, ret_us) && to_utc(&f, &us);
}

/* A date of the numbers in the order of `format` ("MDY"); false: there is none. */
static bool one_reading(const Fields *f, const char *format, char *ret_text)
{
    int64_t year = 0, month = f->month, day = 0;
    for (int32_t i = 0; i < f->count; i++) {
        int64_t value = f->numbers[i].value;
        bool two = f->numbers[i].digits <= 2;
        if (format[i] == 'Y') year = !two ? value : value < 70 ? value + 2000 : value + 1900;
        else if (format[i] == 'M') month = value;
        else day = value;
    }
    if (!datetime_is_date(year, (int32_t)int64_min(month, 13), (int32_t)int64_min(day, 32))) {
        return false;
    }
    int64_t days = datetime_days_from_civil(year, (int32_t)month, (int32_t)day);
    ret_text[datetime_format_date((int32_t)days, ret_text)] = 0;
    return true;
}

/* "MM/DD/YYYY" of "MDY", the month's name at its place. */
static void template_of(const Fields *f, const char *format, char ret_text[32])
{
    int32_t len = 0;
    char separator = f->separator ? f->separator : ' ';
    for (int32_t i = 0; i <= f->count; i++) {
        bool name = f->month && f->month_at == i;
        if (name && len) ret_text[len++] = separator;
        if (name) len += snprintf(ret_text + len, 8, "Mon");
        if (i == f->count) break;
        const char *part = format[i] == 'M'           ? "MM"
                           : format[i] == 'D'         ? "DD"
                           : f->numbers[i].digits > 2 ? "YYYY"
                                                      : "YY";
        if (len) ret_text[len++] = separator;
        len += snprintf(ret_text + len, 8, "%s", part);
    }
}

bool datetime_two_readings(Str text, char ret_text[DATETIME_READINGS_MAX])
{
    static const char *const ORDERS[] = {"MDY", "DMY", "YMD"}, *const NAMED[] = {"DY", "YD"};
    Fields f;
    (void)read_fields(text, &f);
    if (!f.ambiguous) return false;
    char dates[2][DATETIME_TEXT_MAX], formats[2][32];
    int32_t found = 0;
    const char *const *orders = f.month ? NAMED : ORDERS;
    for (int32_t i = 0; i < (f.month ? 2 : 3) && found < 2; i++) {
        if (!one_reading(&f, orders[i], dates[found])) continue;
        if (found == 1 && strcmp(dates[0], dates[1]) == 0) continue;
        template_of(&f, orders[i], formats[found++]);
    }
    if (found == 0) return false;
    if (found == 2) {
        (void)snprintf(ret_text, DATETIME_READINGS_MAX,
                       "it is \"%s\" or \"%s\"; to_date(…, '%s') or to_date(…, '%s') decides",
                       dates[0], dates[1], formats[0], formats[1]);
    } else {
        (void)snprintf(ret_text, DATETIME_READINGS_MAX,
                       "its year has two digits; to_date(…, '%s') reads it as \"%s\"", formats[0],
                       dates[0]);
    }
    return true;
}
