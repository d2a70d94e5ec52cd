/* Dates in layouts of strftime's letters. */
#include "foundation/base/datetime.h"
#include "work/quality/value_format.h"

typedef struct Layout {
    Str text;
    int64_t at;
    int64_t year;
    int32_t month, day, hour, day_of_year;
    bool ok;
} Layout;

static int32_t take_number(Layout *l, int64_t least, int64_t most)
{
    int32_t value = 0;
    int64_t count = 0;
    while (count < most && l->at < l->text.len) {
        char c = l->text.ptr[l->at];
        if (c < '0' || c > '9') break;
        value = value * 10 + (c - '0');
        l->at++;
        count++;
    }
    if (count < least) l->ok = false;
    return value;
}

static void take_between(Layout *l, int32_t low, int32_t high)
{
    int32_t value = take_number(l, 1, 2);
    if (value < low || value > high) l->ok = false;
}

static void take_month(Layout *l, bool whole)
{
    static const char *const NAMES[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
    Str rest = str_slice(l->text, l->at, l->text.len);
    for (int32_t i = 0; i < 12; i++) {
        Str name = str_slice(str_from(NAMES[i]), 0, whole ? 9 : 3);
        if (!str_starts_nocase(rest, name)) continue;
        l->month = i + 1;
        l->at += name.len;
        return;
    }
    l->ok = false;
}

static void take_zone(Layout *l)
{
    if (l->at < l->text.len && l->text.ptr[l->at] == 'Z') {
        l->at++;
        return;
    }
    bool sign = l->at < l->text.len && (l->text.ptr[l->at] == '+' || l->text.ptr[l->at] == '-');
    l->at++;
    if (!sign) l->ok = false;
    if (l->ok && take_number(l, 2, 2) > 15) l->ok = false;
    if (l->ok && l->at < l->text.len && l->text.ptr[l->at] == ':') l->at++;
    if (l->ok && take_number(l, 2, 2) > 59) l->ok = false;
}

static void take_half(Layout *l)
{
    Str half = str_slice(l->text, l->at, l->at + 2);
    l->ok = l->ok && (str_eq_nocase(half, STR("am")) || str_eq_nocase(half, STR("pm")));
    l->at += 2;
}

static void take(Layout *l, char letter)
{
    switch (letter) {
    case 'Y':
        l->year = take_number(l, 4, 4);
        break;
    case 'y':
        l->year = take_number(l, 2, 2);
        l->year += l->year < 69 ? 2000 : 1900;
        break;
    case 'm':
        l->month = take_number(l, 1, 2);
        break;
    case 'd':
    case 'e':
        if (letter == 'e' && l->at < l->text.len && l->text.ptr[l->at] == ' ') l->at++;
        l->day = take_number(l, 1, 2);
        break;
    case 'b':
    case 'B':
        take_month(l, letter == 'B');
        break;
    case 'j':
        l->day_of_year = take_number(l, 1, 3);
        l->ok = l->ok && l->day_of_year >= 1 && l->day_of_year <= 366;
        break;
    case 'H':
        take_between(l, 0, 23);
        break;
    case 'I':
        take_between(l, 1, 12);
        break;
    case 'M':
        take_between(l, 0, 59);
        break;
    case 'S':
        take_between(l, 0, 60);
        break;
    case 'f':
        (void)take_number(l, 1, 9);
        break;
    case 'z':
        take_zone(l);
        break;
    case 'p':
        take_half(l);
        break;
    default:
        l->ok = false;
    }
}

bool format_layout(Str text, Str layout)
{
    Layout l = {.text = text, .year = 2000, .month = 1, .day = 1, .ok = true};
    for (int64_t i = 0; i < layout.len && l.ok; i++) {
        char c = layout.ptr[i];
        if (c == '%' && i + 1 < layout.len && layout.ptr[i + 1] != '%') {
            take(&l, layout.ptr[++i]);
            continue;
        }
        if (c == '%' && i + 1 < layout.len) i++;
        l.ok = l.at < text.len && text.ptr[l.at++] == c;
    }
    if (!l.ok || l.at != text.len) return false;
    bool leap = datetime_is_date(l.year, 2, 29);
    return datetime_is_date(l.year, l.month, l.day) && (leap || l.day_of_year < 366);
}
