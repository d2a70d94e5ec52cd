/* Reads formatting patterns of dates and times, and texts by them. */
#include "engine/expr/template_date.h"

#include "engine/expr/kernel.h"

typedef struct Word {
    const char *text;
    Pattern pattern;
    int32_t digits;
    Letters letters;
} Word;

/* Longest first where one begins another. */
static const Word WORDS[] = {
    {"A.D.", PATTERN_BC_DOTS, 0, LETTERS_UPPER},
    {"A.M.", PATTERN_AM_DOTS, 0, LETTERS_UPPER},
    {"AD", PATTERN_BC, 0, LETTERS_UPPER},
    {"AM", PATTERN_AM, 0, LETTERS_UPPER},
    {"B.C.", PATTERN_BC_DOTS, 0, LETTERS_UPPER},
    {"BC", PATTERN_BC, 0, LETTERS_UPPER},
    {"CC", PATTERN_CC, 0, 0},
    {"DAY", PATTERN_DAY, 0, LETTERS_UPPER},
    {"DDD", PATTERN_DDD, 3, 0},
    {"DD", PATTERN_DD, 2, 0},
    {"DY", PATTERN_DY, 0, LETTERS_UPPER},
    {"Day", PATTERN_DAY, 0, LETTERS_CAPITAL},
    {"Dy", PATTERN_DY, 0, LETTERS_CAPITAL},
    {"D", PATTERN_D, 1, 0},
    {"FF1", PATTERN_FRACTION, 1, 0},
    {"FF2", PATTERN_FRACTION, 2, 0},
    {"FF3", PATTERN_FRACTION, 3, 0},
    {"FF4", PATTERN_FRACTION, 4, 0},
    {"FF5", PATTERN_FRACTION, 5, 0},
    {"FF6", PATTERN_FRACTION, 6, 0},
    {"HH24", PATTERN_HH24, 2, 0},
    {"HH12", PATTERN_HH12, 2, 0},
    {"HH", PATTERN_HH12, 2, 0},
    {"IDDD", PATTERN_IDDD, 3, 0},
    {"ID", PATTERN_ID, 1, 0},
    {"IW", PATTERN_IW, 2, 0},
    {"IYYY", PATTERN_IYYY, 4, 0},
    {"IYY", PATTERN_IYYY, 3, 0},
    {"IY", PATTERN_IYYY, 2, 0},
    {"I", PATTERN_IYYY, 1, 0},
    {"J", PATTERN_J, 0, 0},
    {"MI", PATTERN_MI, 2, 0},
    {"MM", PATTERN_MM, 2, 0},
    {"MONTH", PATTERN_MONTH, 0, LETTERS_UPPER},
    {"MON", PATTERN_MON, 0, LETTERS_UPPER},
    {"MS", PATTERN_FRACTION, 3, 0},
    {"Month", PATTERN_MONTH, 0, LETTERS_CAPITAL},
    {"Mon", PATTERN_MON, 0, LETTERS_CAPITAL},
    {"OF", PATTERN_OF, 0, 0},
    {"P.M.", PATTERN_AM_DOTS, 0, LETTERS_UPPER},
    {"PM", PATTERN_AM, 0, LETTERS_UPPER},
    {"Q", PATTERN_Q, 1, 0},
    {"RM", PATTERN_RM, 0, LETTERS_UPPER},
    {"SSSSS", PATTERN_SSSS, 0, 0},
    {"SSSS", PATTERN_SSSS, 0, 0},
    {"SS", PATTERN_SS, 2, 0},
    {"TZH", PATTERN_TZH, 0, 0},
    {"TZM", PATTERN_TZM, 0, 0},
    {"TZ", PATTERN_TZ, 0, LETTERS_UPPER},
    {"US", PATTERN_FRACTION, 6, 0},
    {"WW", PATTERN_WW, 2, 0},
    {"W", PATTERN_W, 1, 0},
    {"Y,YYY", PATTERN_Y_YYY, 4, 0},
    {"YYYY", PATTERN_YYYY, 4, 0},
    {"YYY", PATTERN_YYYY, 3, 0},
    {"YY", PATTERN_YYYY, 2, 0},
    {"Y", PATTERN_YYYY, 1, 0},
};

static bool in_lower_case(Str text, const char *word)
{
    int64_t len = (int64_t)strlen(word);
    if (text.len < len) return false;
    for (int64_t i = 0; i < len; i++) {
        char c = word[i] >= 'A' && word[i] <= 'Z' ? (char)(word[i] | 32) : word[i];
        if (text.ptr[i] != c) return false;
    }
    return true;
}

static const Word *word_at(Str text, bool *ret_lower)
{
    for (int32_t i = 0; i < COUNT_OF(WORDS); i++) {
        *ret_lower = false;
        if (str_starts(text, str_from(WORDS[i].text))) return &WORDS[i];
        *ret_lower = true;
        if (in_lower_case(text, WORDS[i].text)) return &WORDS[i];
    }
    return NULL;
}

static TemplateItem *item_add(Template *t)
{
    if (t->count == TEMPLATE_ITEMS_MAX) {
        t->too_long = true;
        return &t->items[TEMPLATE_ITEMS_MAX - 1];
    }
    TemplateItem *item = &t->items[t->count++];
    *item = (TemplateItem){0};
    return item;
}

/* Text in double quotes, or one character. */
static int64_t read_literal(Str format, int64_t at, Template *t)
{
    if (format.ptr[at] != '"') {
        TemplateItem *last = t->count ? &t->items[t->count - 1] : NULL;
        Str one = str_slice(format, at, at + 1);
        bool joins = last && last->pattern == PATTERN_LITERAL &&
                     last->literal.ptr + last->literal.len == one.ptr;
        if (joins) last->literal.len++;
        else item_add(t)->literal = one;
        return at + 1;
    }
    int64_t end = at + 1;
    while (end < format.len && format.ptr[end] != '"') end++;
    if (end > at + 1) item_add(t)->literal = str_slice(format, at + 1, end);
    return end + 1;
}

void template_date_read(Str format, Template *ret_template)
{
    *ret_template = (Template){0};
    bool fill = false;
    for (int64_t at = 0; at < format.len && !ret_template->too_long;) {
        Str rest = str_slice(format, at, format.len);
        bool lower;
        /* TM asks for the locale's names, which are English here, without padding. */
        bool names = str_starts_nocase(rest, STR("TM"));
        if (names || str_starts(rest, STR("FM")) || str_starts(rest, STR("fm"))) {
            fill = true;
            at += 2;
            continue;
        }
        if (str_starts_nocase(rest, STR("FX"))) {
            ret_template->exact = true;
            at += 2;
            continue;
        }
        const Word *word = word_at(rest, &lower);
        if (!word) {
            at = read_literal(format, at, ret_template);
            continue;
        }
        TemplateItem *item = item_add(ret_template);
        *item = (TemplateItem){.pattern = word->pattern,
                               .letters = lower ? LETTERS_LOWER : word->letters,
                               .fill = fill,
                               .digits = word->digits};
        fill = false;
        at += (int64_t)strlen(word->text);
        Str tail = str_slice(format, at, format.len);
        bool ordinal = str_starts(tail, STR("TH")) || str_starts(tail, STR("th"));
        if (ordinal) item->ordinal = tail.ptr[0];
        if (ordinal) at += 2;
        if (str_starts_nocase(tail, STR("SP"))) ret_template->spelled = true;
    }
}

/* ---- reading by a template ---- */

/* Parts that say more than one of the others. */
typedef struct ReadParts {
    bool doy, julian, seconds;
} ReadParts;

typedef struct Read {
    KernelCall *call;
    int64_t row;
    Str text;
    int64_t at;
    int64_t year, month, day, doy, hour, minute, second, us, julian, seconds_of_day;
    int64_t offset_minutes;
    ReadParts has;
    bool half_day, pm, bc, bad;
} Read;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void refuse(Read *r, const char *what)
{
    if (!r->bad) {
        Str text = str_slice(r->text, r->at, r->text.len);
        call_error(r->call, r->row, "22007", "invalid value \"%.*s\" for %s",
                   (int)(text.len > 40 ? 40 : text.len), text.ptr, what);
    }
    r->bad = true;
}

static void skip_spaces(Read *r)
{
    while (r->at < r->text.len && is_space(r->text.ptr[r->at])) r->at++;
}

/* Up to `width` digits where another number follows at once, else as many as there are. */
static int64_t read_number(Read *r, int32_t width, bool fixed, int64_t *ret_len)
{
    skip_spaces(r);
    int64_t max = fixed ? width : 10, value = 0, start = r->at;
    while (r->at < r->text.len && r->at - start < max && is_digit(r->text.ptr[r->at])) {
        value = value * 10 + (r->text.ptr[r->at++] - '0');
    }
    *ret_len = r->at - start;
    if (r->at == start) refuse(r, "a number of the format");
    return value;
}

static bool read_word(Read *r, const char *word, int64_t len)
{
    Str rest = str_slice(r->text, r->at, r->text.len);
    if (!str_starts_nocase(rest, str_make(word, len))) return false;
    r->at += len;
    return true;
}

static int64_t read_month(Read *r, bool whole)
{
    static const char *const NAMES[] = {"january",   "february", "march",    "april",
                                        "may",       "june",     "july",     "august",
                                        "september", "october",  "november", "december"};
    for (int32_t i = 0; i < 12; i++) {
        if (read_word(r, NAMES[i], whole ? (int64_t)strlen(NAMES[i]) : 3)) return i + 1;
    }
    refuse(r, whole ? "Month" : "Mon");
    return 1;
}

static void skip_day_name(Read *r, bool whole)
{
    static const char *const NAMES[] = {"sunday",   "monday", "tuesday", "wednesday",
                                        "thursday", "friday", "saturday"};
    for (int32_t i = 0; i < 7; i++) {
        if (read_word(r, NAMES[i], whole ? (int64_t)strlen(NAMES[i]) : 3)) return;
    }
    refuse(r, whole ? "Day" : "Dy");
}

static void read_half(Read *r, bool dots)
{
    if (read_word(r, dots ? "p.m." : "pm", dots ? 4 : 2)) r->pm = true;
    else if (!read_word(r, dots ? "a.m." : "am", dots ? 4 : 2)) refuse(r, "AM");
    r->half_day = true;
}

static void read_era(Read *r, bool dots)
{
    if (read_word(r, dots ? "b.c." : "bc", dots ? 4 : 2)) r->bc = true;
    else if (!read_word(r, dots ? "a.d." : "ad", dots ? 4 : 2)) refuse(r, "BC");
}

/* What Y, YY and YYY read is of the year nearest to 2020. */
static int64_t year_of(int64_t value, int32_t digits, int64_t len)
{
    if (digits >= 4 || len >= 4) return value;
    if (value >= 520) return value + 1000;
    return value >= 70 && value < 100 ? value + 1900 : value + 2000;
}

static void read_fraction(Read *r, int32_t digits, bool fixed)
{
    int64_t len;
    int64_t value = read_number(r, digits, fixed, &len);
    for (; len < 6; len++) value *= 10;
    for (; len > 6; len--) value /= 10;
    r->us = value;
}

static void read_zone(Read *r)
{
    bool minus = r->at < r->text.len && r->text.ptr[r->at] == '-';
    if (r->at < r->text.len && (minus || r->text.ptr[r->at] == '+')) r->at++;
    int64_t len, hours = read_number(r, 2, true, &len);
    r->offset_minutes = (minus ? -60 : 60) * hours;
}

static bool is_separator(char c)
{
    bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
    return !letter && !is_digit(c) && (unsigned char)c < 0x80;
}

/* A separator stands for any one, or for none; another character for any one. */
static void skip_literal(Read *r, Str literal)
{
    for (int64_t i = 0; i < literal.len && r->at < r->text.len; i++) {
        bool separator = is_separator(literal.ptr[i]);
        if (separator) skip_spaces(r);
        if (r->at == r->text.len) return;
        if (!separator || is_separator(r->text.ptr[r->at])) r->at++;
    }
}

static bool read_name(Read *r, const TemplateItem *item)
{
    switch ((int)item->pattern) {
    case PATTERN_MONTH:
    case PATTERN_MON:
        r->month = read_month(r, item->pattern == PATTERN_MONTH);
        return true;
    case PATTERN_DAY:
    case PATTERN_DY:
        skip_day_name(r, item->pattern == PATTERN_DAY);
        return true;
    case PATTERN_AM:
    case PATTERN_AM_DOTS:
        read_half(r, item->pattern == PATTERN_AM_DOTS);
        return true;
    case PATTERN_BC:
    case PATTERN_BC_DOTS:
        read_era(r, item->pattern == PATTERN_BC_DOTS);
        return true;
    case PATTERN_TZH:
        read_zone(r);
        return true;
    case PATTERN_LITERAL:
        skip_literal(r, item->literal);
        return true;
    default:
        return false;
    }
}

static void take_number(Read *r, const TemplateItem *item, int64_t value, int64_t len)
{
    switch ((int)item->pattern) {
    case PATTERN_YYYY:
        r->year = year_of(value, item->digits, len);
        break;
    case PATTERN_MM:
        r->month = value;
        break;
    case PATTERN_DD:
        r->day = value;
        break;
    case PATTERN_DDD:
        r->doy = value;
        r->has.doy = true;
        break;
    case PATTERN_HH24:
        r->hour = value;
        break;
    case PATTERN_HH12:
        r->hour = value;
        r->half_day = true;
        break;
    case PATTERN_MI:
        r->minute = value;
        break;
    case PATTERN_SS:
        r->second = value;
        break;
    case PATTERN_SSSS:
        r->seconds_of_day = value;
        r->has.seconds = true;
        break;
    case PATTERN_J:
        r->julian = value;
        r->has.julian = true;
        break;
    case PATTERN_TZM:
        r->offset_minutes += r->offset_minutes < 0 ? -value : value;
        break;
    default: /* quarters, weeks and the like are read over */
        break;
    }
}

static bool out_of_range(Read *r)
{
    call_error(r->call, r->row, "22008", "date/time field value out of range: \"%.*s\"",
               STR_ARG(r->text.len > 60 ? str_slice(r->text, 0, 60) : r->text));
    return false;
}

static bool finish(Read *r, int64_t *ret_us)
{
    if (r->half_day && (r->hour < 1 || r->hour > 12)) {
        call_error(r->call, r->row, "22007", "hour \"%lld\" is invalid for the 12-hour clock",
                   (long long)r->hour);
        return false;
    }
    if (r->half_day) r->hour = r->hour % 12 + (r->pm ? 12 : 0);
    if (r->bc) r->year = 1 - r->year;
    bool clock = r->hour <= 24 && r->minute <= 59 && r->second <= 60 &&
                 (r->hour < 24 || (r->minute == 0 && r->second == 0));
    bool calendar = r->year <= 294276 && r->year >= -4713 && r->month >= 1 && r->month <= 12 &&
                    r->day >= 1 && r->day <= 31;
    if (!clock || !calendar || r->seconds_of_day > 86400) return out_of_range(r);
    if (!datetime_is_date(r->year, (int32_t)r->month, (int32_t)r->day)) return out_of_range(r);
    int64_t days = datetime_days_from_civil(r->year, (int32_t)r->month, (int32_t)r->day);
    if (r->has.doy && (r->doy < 1 || r->doy > 366)) return out_of_range(r);
    if (r->has.doy) days = datetime_days_from_civil(r->year, 1, 1) + r->doy - 1;
    if (r->has.julian) days = r->julian - 2440588;
    int64_t seconds =
        r->has.seconds ? r->seconds_of_day : (r->hour * 60 + r->minute) * 60 + r->second;
    seconds -= r->offset_minutes * 60;
    if (days > 106751990 || days < -2440588) return out_of_range(r);
    *ret_us = days * DATETIME_DAY_US + seconds * 1000000 + r->us;
    return true;
}

static bool is_number(const TemplateItem *item)
{
    return item->digits > 0 || item->pattern == PATTERN_J || item->pattern == PATTERN_SSSS ||
           item->pattern == PATTERN_TZM;
}

bool template_date_parse(KernelCall *call, int64_t row, int64_t *ret_us)
{
    Template one;
    const Template *t = call->state;
    if (!t) {
        template_date_read(kernel_text(call, 1, row), &one);
        t = &one;
    }
    if (t->too_long) {
        call_error(call, row, "54000", "the format has more than %d patterns", TEMPLATE_ITEMS_MAX);
        return false;
    }
    if (t->exact || t->spelled) {
        call_error(call, row, "0A000", "the prefix FX and the suffix SP are not supported");
        return false;
    }
    Read r = {.call = call, .row = row, .text = kernel_text(call, 0, row), .month = 1, .day = 1};
    for (int32_t i = 0; i < t->count && !r.bad; i++) {
        const TemplateItem *item = &t->items[i];
        if (item->pattern != PATTERN_LITERAL) skip_spaces(&r);
        if (r.at >= r.text.len) break;
        if (read_name(&r, item)) continue;
        if (!is_number(item)) continue;
        bool fixed = !item->fill && i + 1 < t->count && is_number(&t->items[i + 1]);
        int64_t len;
        if (item->pattern == PATTERN_FRACTION) {
            read_fraction(&r, item->digits, fixed);
            continue;
        }
        int64_t value = read_number(&r, item->digits ? item->digits : 10, fixed, &len);
        if (!r.bad) take_number(&r, item, value, len);
        if (item->ordinal && r.at + 2 <= r.text.len) r.at += 2;
    }
    return !r.bad && finish(&r, ret_us);
}
