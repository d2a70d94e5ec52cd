/* Dates, times and timestamps: the proleptic Gregorian calendar, ISO 8601 text. */
#include "foundation/base/datetime.h"

#include "foundation/base/number.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
/* PostgreSQL's limits: dates from 4714-11-24 BC to 5874897-12-31, timestamps to 294276-12-31. */
#define DATE_FIRST INT64_C(-2440588)
#define DATE_LAST INT64_C(2145031948)
#define TIMESTAMP_FIRST (DATE_FIRST * DATETIME_DAY_US)
#define TIMESTAMP_END (INT64_C(106751991) * DATETIME_DAY_US)

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days and civil dates by eras of 400 years that begin in March (Howard Hinnant, "chrono-compatible
 * low-level date algorithms"). */
int64_t datetime_days_from_civil(int64_t year, int32_t month, int32_t day)
{
    year -= month <= 2;
    if (LIKELY(year >= 0 && year < (1 << 20))) {
        /* The same in 32 bits, where every division is by a constant and cheap. */
        uint32_t y = (uint32_t)year, m = (uint32_t)(month > 2 ? month - 3 : month + 9);
        uint32_t days = y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + (uint32_t)day - 1;
        return (int64_t)days - 719468;
    }
    int64_t era = floor_div(year, 400);
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    return era * 146097 + day_of_era - 719468;
}

void datetime_civil_from_days(int64_t days, int64_t *ret_year, int32_t *ret_month, int32_t *ret_day)
{
    days += 719468;
    int64_t era = floor_div(days, 146097);
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *ret_day = (int32_t)(doy - (153 * mp + 2) / 5 + 1);
    *ret_month = (int32_t)(mp < 10 ? mp + 3 : mp - 9);
    *ret_year = yoe + era * 400 + (*ret_month <= 2);
}

CivilTime datetime_civil(int64_t us)
{
    CivilTime civil;
    int64_t days = floor_div(us, DATETIME_DAY_US);
    int64_t rest = us - days * DATETIME_DAY_US;
    datetime_civil_from_days(days, &civil.year, &civil.month, &civil.day);
    civil.hour = (int32_t)(rest / HOUR_US);
    civil.minute = (int32_t)(rest / MINUTE_US % 60);
    civil.second = (int32_t)(rest / SECOND_US % 60);
    civil.us = (int32_t)(rest % SECOND_US);
    return civil;
}

int64_t datetime_from_civil(const CivilTime *civil)
{
    int64_t days = datetime_days_from_civil(civil->year, civil->month, civil->day);
    return days * DATETIME_DAY_US + civil->hour * HOUR_US + civil->minute * MINUTE_US +
           civil->second * SECOND_US + civil->us;
}

static int32_t month_days(int64_t year, int32_t month)
{
    static const int8_t DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : DAYS[month - 1];
}

bool datetime_is_date(int64_t year, int32_t month, int32_t day)
{
    return month >= 1 && month <= 12 && day >= 1 && (day <= 28 || day <= month_days(year, month));
}

/* ---- reading ---- */

/* What is left to read. */
typedef struct Scan {
    const char *at, *end;
} Scan;

static bool scan_char(Scan *s, char c)
{
    if (s->at == s->end || *s->at != c) return false;
    s->at++;
    return true;
}

/* Exactly `count` digits. */
static bool scan_number(Scan *s, int32_t count, int32_t *ret_value)
{
    if (s->end - s->at < count) return false;
    int32_t value = 0;
    for (int32_t i = 0; i < count; i++) {
        uint32_t digit = (uint32_t)(uint8_t)s->at[i] - '0';
        if (digit > 9) return false;
        value = value * 10 + (int32_t)digit;
    }
    s->at += count;
    *ret_value = value;
    return true;
}

static int32_t count_digits(const Scan *s)
{
    int32_t count = 0;
    while (s->at + count < s->end && s->at[count] >= '0' && s->at[count] <= '9') count++;
    return count;
}

/* Fraction digits after the point: microseconds, further digits rounded where allowed. */
static bool scan_fraction(Scan *s, int32_t digits_max, int32_t *ret_us)
{
    int32_t count = count_digits(s);
    if (count == 0 || count > digits_max) return false;
    int32_t us = 0;
    for (int32_t i = 0; i < 6; i++) us = us * 10 + (i < count ? s->at[i] - '0' : 0);
    if (count > 6 && s->at[6] >= '5') us++;
    s->at += count;
    *ret_us = us;
    return true;
}

/* Do eight bytes look like `pattern`, digits where it has 0, else the very same? In `room` each
 * byte is what may be added to the byte xor the pattern's without reaching 0x80: 0x76 to a digit's
 * value, 0x7f to nothing. */
static inline bool matches_8(const char *text, const char pattern[9], const char room[9])
{
    uint64_t bytes, zeros, add;
    memcpy(&bytes, text, 8);
    memcpy(&zeros, pattern, 8);
    memcpy(&add, room, 8);
    bytes ^= zeros;
    return (((bytes + add) | bytes) & UINT64_C(0x8080808080808080)) == 0;
}

static inline int32_t two_digits(const char *text)
{
    return (text[0] - '0') * 10 + (text[1] - '0');
}

/* HH:MM:SS. */
static bool scan_usual_clock(Scan *s, int32_t *ret_hour, int32_t *ret_minute, int32_t *ret_second)
{
    const char *at = s->at;
    if (s->end - at < 8 || !matches_8(at, "00:00:00", "vv\x7fvv\x7fvv")) return false;
    *ret_hour = two_digits(at);
    *ret_minute = two_digits(at + 3);
    *ret_second = two_digits(at + 6);
    s->at += 8;
    return true;
}

static bool scan_time(Scan *s, int32_t fraction_max, int64_t *ret_us)
{
    int32_t hour = 0, minute = 0, second = 0, us = 0;
    bool usual = scan_usual_clock(s, &hour, &minute, &second);
    if (!usual) {
        if (!scan_number(s, 2, &hour) || !scan_char(s, ':') || !scan_number(s, 2, &minute)) {
            return false;
        }
        usual = scan_char(s, ':');
        if (usual && !scan_number(s, 2, &second)) return false;
    }
    if (usual && scan_char(s, '.') && !scan_fraction(s, fraction_max, &us)) return false;
    bool sixty = fraction_max > 6 && second == 60;
    if (hour > 24 || minute > 59 || (second > 59 && !sixty)) return false;
    int64_t total = hour * HOUR_US + minute * MINUTE_US + second * SECOND_US + us;
    if (total > DATETIME_DAY_US) return false;
    *ret_us = total;
    return true;
}

/* Z or ±HH, ±HH:MM, ±HHMM, ±HH:MM:SS. */
static bool scan_zone(Scan *s, int64_t *ret_offset_us)
{
    if (scan_char(s, 'Z') || scan_char(s, 'z')) {
        *ret_offset_us = 0;
        return true;
    }
    bool negative = s->at < s->end && *s->at == '-';
    if (!scan_char(s, '+') && !scan_char(s, '-')) return false;
    int32_t hour = 0, minute = 0, second = 0;
    if (!scan_number(s, 2, &hour)) return false;
    bool colon = scan_char(s, ':');
    if (colon || count_digits(s) == 2) {
        if (!scan_number(s, 2, &minute)) return false;
        if (scan_char(s, ':') && !scan_number(s, 2, &second)) return false;
    }
    if (hour > 15 || minute > 59 || second > 59) return false;
    int64_t offset = hour * HOUR_US + minute * MINUTE_US + second * SECOND_US;
    *ret_offset_us = negative ? -offset : offset;
    return true;
}

/* Of years from 1 on, in 32 bits. */
static int32_t usual_days(int32_t year, int32_t month, int32_t day)
{
    uint32_t y = (uint32_t)(year - (month <= 2)), m = (uint32_t)(month > 2 ? month - 3 : month + 9);
    uint32_t days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + (uint32_t)day;
    return (int32_t)days - 719469;
}

/* YYYY-MM-DD. */
static bool scan_usual_date(Scan *s, int64_t *ret_days)
{
    const char *at = s->at;
    if (s->end - at < 10 || !matches_8(at, "0000-00-", "vvvv\x7fvv\x7f")) return false;
    uint32_t tens = (uint32_t)(uint8_t)at[8] - '0', ones = (uint32_t)(uint8_t)at[9] - '0';
    int32_t year = two_digits(at) * 100 + two_digits(at + 2), month = two_digits(at + 5);
    int32_t day = (int32_t)(tens * 10 + ones);
    if (tens > 9 || ones > 9 || year == 0 || !datetime_is_date(year, month, day)) return false;
    s->at += 10;
    *ret_days = usual_days(year, month, day);
    return true;
}

static bool scan_date(Scan *s, bool long_years, int64_t *ret_days)
{
    if (!long_years) return scan_usual_date(s, ret_days);
    int32_t year = 0, month = 0, day = 0;
    int32_t digits = count_digits(s);
    if (digits < 4 || digits > 7 || !scan_number(s, digits, &year)) return false;
    if (!scan_char(s, '-') || !scan_number(s, 2, &month)) return false;
    if (!scan_char(s, '-') || !scan_number(s, 2, &day)) return false;
    if (year == 0) return false;
    Str rest = str_make(s->at, s->end - s->at);
    int64_t astronomical = year;
    if (str_ends(rest, STR(" BC"))) {
        s->end -= 3;
        astronomical = 1 - (int64_t)year;
    }
    if (!datetime_is_date(astronomical, month, day)) return false;
    *ret_days = datetime_days_from_civil(astronomical, month, day);
    return *ret_days >= DATE_FIRST && *ret_days <= DATE_LAST;
}

bool datetime_parse_date(Str text, int32_t *ret_days)
{
    Scan s = {text.ptr, text.ptr + text.len};
    int64_t days;
    if (text.len != 10 || !scan_date(&s, false, &days)) return false;
    *ret_days = (int32_t)days;
    return true;
}

bool datetime_parse_time(Str text, int64_t *ret_us)
{
    Scan s = {text.ptr, text.ptr + text.len};
    return text.len >= 5 && scan_time(&s, 6, ret_us) && s.at == s.end;
}

bool datetime_parse_timestamp(Str text, int64_t *ret_us, bool *ret_has_zone)
{
    if (text.len < 16) return false;
    Scan s = {text.ptr, text.ptr + text.len};
    int64_t days, us, offset = 0;
    if (!scan_date(&s, false, &days)) return false;
    if (!scan_char(&s, 'T') && !scan_char(&s, ' ')) return false;
    if (!scan_time(&s, 6, &us) || us == DATETIME_DAY_US) return false;
    bool zone = s.at < s.end;
    if (zone && !scan_zone(&s, &offset)) return false;
    if (s.at != s.end) return false;
    *ret_us = days * DATETIME_DAY_US + us - offset;
    *ret_has_zone = zone;
    return true;
}

/* infinity, -infinity, epoch. */
static bool cast_special(Str text, int64_t *ret_us)
{
    if (str_eq_nocase(text, STR("infinity")) || str_eq_nocase(text, STR("+infinity"))) {
        *ret_us = DATETIME_INFINITY;
    } else if (str_eq_nocase(text, STR("-infinity"))) {
        *ret_us = DATETIME_NEG_INFINITY;
    } else if (str_eq_nocase(text, STR("epoch"))) {
        *ret_us = 0;
    } else {
        return false;
    }
    return true;
}

bool datetime_cast_timestamp(Str text, int64_t *ret_us, bool *ret_has_zone)
{
    text = str_trim(text);
    *ret_has_zone = false;
    if (cast_special(text, ret_us)) return true;
    Scan s = {text.ptr, text.ptr + text.len};
    int64_t days, us = 0, offset = 0;
    if (!scan_date(&s, true, &days)) return false;
    if (s.at < s.end && *s.at != 'Z' && *s.at != '+' && *s.at != '-') {
        if (!scan_char(&s, 'T') && !scan_char(&s, 't') && !scan_char(&s, ' ')) return false;
        while (scan_char(&s, ' ')) continue;
        if (!scan_time(&s, 1000, &us)) return false;
    }
    while (scan_char(&s, ' ')) continue;
    bool zone = s.at < s.end;
    if (zone && str_eq_nocase(str_make(s.at, s.end - s.at), STR("utc"))) s.at = s.end;
    else if (zone && !scan_zone(&s, &offset)) return false;
    if (s.at != s.end || days > TIMESTAMP_END / DATETIME_DAY_US) return false;
    int64_t total;
    if (__builtin_mul_overflow(days, DATETIME_DAY_US, &total)) return false;
    if (__builtin_add_overflow(total, us - offset, &total)) return false;
    if (total < TIMESTAMP_FIRST || total >= TIMESTAMP_END) return false;
    *ret_us = total;
    *ret_has_zone = zone;
    return true;
}

bool datetime_cast_date(Str text, int32_t *ret_days)
{
    text = str_trim(text);
    int64_t us;
    if (cast_special(text, &us)) {
        *ret_days = us == 0 ? 0 : us > 0 ? DATE_INFINITY : DATE_NEG_INFINITY;
        return true;
    }
    Scan s = {text.ptr, text.ptr + text.len};
    int64_t days;
    if (!scan_date(&s, true, &days)) return false;
    *ret_days = (int32_t)days;
    if (s.at == s.end) return true;
    bool zone;
    return datetime_cast_timestamp(text, &us, &zone);
}

bool datetime_cast_time(Str text, int64_t *ret_us)
{
    text = str_trim(text);
    Scan s = {text.ptr, text.ptr + text.len};
    int64_t offset = 0;
    if (!scan_time(&s, 1000, ret_us)) return false;
    if (s.at < s.end && !scan_zone(&s, &offset)) return false;
    return s.at == s.end;
}

/* ---- writing ---- */

static int64_t put_padded(char *to, int64_t value, int32_t width)
{
    char digits[NUMBER_TEXT_MAX];
    int64_t count = number_format_int64(value, digits);
    int64_t pad = int64_max(width - count, 0);
    memset(to, '0', (size_t)pad);
    memcpy(to + pad, digits, (size_t)count);
    return pad + count;
}

static void put_two(char *to, int32_t value)
{
    to[0] = (char)('0' + value / 10);
    to[1] = (char)('0' + value % 10);
}

static int64_t put_civil_date(char *to, int64_t days, bool *ret_bc)
{
    int64_t year;
    int32_t month, day;
    datetime_civil_from_days(days, &year, &month, &day);
    *ret_bc = year <= 0;
    int64_t len = put_padded(to, year <= 0 ? 1 - year : year, 4);
    to[len] = '-';
    put_two(to + len + 1, month);
    to[len + 3] = '-';
    put_two(to + len + 4, day);
    return len + 6;
}

static int64_t put_bc(char *to, bool bc)
{
    if (bc) memcpy(to, " BC", 3);
    return bc ? 3 : 0;
}

static int64_t put_infinity(char *to, bool negative)
{
    Str text = negative ? STR("-infinity") : STR("infinity");
    memcpy(to, text.ptr, (size_t)text.len);
    return text.len;
}

int64_t datetime_format_date(int32_t days, char *ret_text)
{
    if (days == DATE_INFINITY || days == DATE_NEG_INFINITY) {
        return put_infinity(ret_text, days == DATE_NEG_INFINITY);
    }
    bool bc;
    int64_t len = put_civil_date(ret_text, days, &bc);
    return len + put_bc(ret_text + len, bc);
}

int64_t datetime_format_time(int64_t us, char *ret_text)
{
    put_two(ret_text, (int32_t)(us / HOUR_US));
    ret_text[2] = ':';
    put_two(ret_text + 3, (int32_t)(us / MINUTE_US % 60));
    ret_text[5] = ':';
    put_two(ret_text + 6, (int32_t)(us / SECOND_US % 60));
    int32_t fraction = (int32_t)(us % SECOND_US);
    if (fraction == 0) return 8;
    ret_text[8] = '.';
    for (int32_t i = 14; i > 8; i--, fraction /= 10) ret_text[i] = (char)('0' + fraction % 10);
    int64_t len = 15;
    while (ret_text[len - 1] == '0') len--;
    return len;
}

int64_t datetime_format_timestamp(int64_t us, char sep, bool zone, char *ret_text)
{
    if (us == DATETIME_INFINITY || us == DATETIME_NEG_INFINITY) {
        return put_infinity(ret_text, us == DATETIME_NEG_INFINITY);
    }
    bool bc;
    int64_t days = floor_div(us, DATETIME_DAY_US);
    int64_t len = put_civil_date(ret_text, days, &bc);
    ret_text[len++] = sep;
    len += datetime_format_time(us - days * DATETIME_DAY_US, ret_text + len);
    if (zone) ret_text[len++] = 'Z';
    return len + put_bc(ret_text + len, bc);
}

bool datetime_add_interval(int64_t us, Interval interval, int64_t *ret_us)
{
    if (us == DATETIME_INFINITY || us == DATETIME_NEG_INFINITY) {
        *ret_us = us;
        return true;
    }
    int64_t total = us;
    if (interval.months) {
        CivilTime civil = datetime_civil(us);
        int64_t months = civil.year * 12 + civil.month - 1 + interval.months;
        civil.year = floor_div(months, 12);
        civil.month = (int32_t)(months - civil.year * 12) + 1;
        int32_t last = month_days(civil.year, civil.month);
        if (civil.day > last) civil.day = last;
        if (civil.year < -4713 || civil.year > 294276) return false;
        total = datetime_from_civil(&civil);
    }
    if (__builtin_add_overflow(total, interval.days * DATETIME_DAY_US, &total)) return false;
    if (__builtin_add_overflow(total, interval.us, &total)) return false;
    if (total < TIMESTAMP_FIRST || total >= TIMESTAMP_END) return false;
    *ret_us = total;
    return true;
}
