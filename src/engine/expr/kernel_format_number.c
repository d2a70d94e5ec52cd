/* to_char of numbers with PostgreSQL's template patterns. */
#include "engine/expr/kernel.h"
#include "engine/expr/number_value.h"

enum { POSITIONS_MAX = 60, FORMAT_MAX = 200 };

typedef enum Sign { SIGN_FIXED, SIGN_S, SIGN_S_BEHIND, SIGN_PR, SIGN_OTHER } Sign;

/* A format of numbers, taken apart. */
typedef struct NumberFormat {
    char text[FORMAT_MAX]; /* one letter each: 9 0 . , M(inus) P(lus) G(sign) T t and literals as \1
                            */
    char literal[FORMAT_MAX];
    int32_t count;
    int32_t before, behind; /* digits around the point */
    int32_t first_zero;     /* the first 0 before the point, from the left; -1: none */
    int32_t zero_behind;    /* digits after the point up to the last 0 */
    bool fill;              /* FM */
    Sign sign;
    const char *refused; /* a pattern that isn't offered */
} NumberFormat;

static void format_put(NumberFormat *f, char kind, char literal)
{
    if (f->count == FORMAT_MAX || f->before + f->behind > POSITIONS_MAX) {
        f->refused = "so long a format";
        return;
    }
    f->literal[f->count] = literal;
    f->text[f->count++] = kind;
}

static void format_digit(NumberFormat *f, char digit, bool point)
{
    if (point) {
        f->behind++;
        if (digit == '0') f->zero_behind = f->behind;
    } else {
        if (digit == '0' && f->first_zero < 0) f->first_zero = f->before;
        f->before++;
    }
    format_put(f, digit, 0);
}

static int64_t format_word(NumberFormat *f, Str rest, bool digits)
{
    static const struct {
        const char *word;
        char kind;
    } WORDS[] = {{"MI", 'M'}, {"PL", 'P'}, {"SG", 'G'}, {"TH", 'T'}, {"th", 't'}};
    if (str_starts_nocase(rest, STR("FM"))) {
        f->fill = true;
        return 2;
    }
    if (str_starts_nocase(rest, STR("PR"))) {
        f->sign = SIGN_PR;
        return 2;
    }
    for (int32_t i = 0; i < COUNT_OF(WORDS); i++) {
        bool th = i >= 3;
        Str word = str_from(WORDS[i].word);
        if (!(th ? str_starts(rest, word) : str_starts_nocase(rest, word))) continue;
        if (!th && WORDS[i].kind != 'P') f->sign = SIGN_OTHER;
        format_put(f, WORDS[i].kind, 0);
        return 2;
    }
    if ((rest.ptr[0] | 32) == 's') {
        f->sign = digits ? SIGN_S_BEHIND : SIGN_S;
        return 1;
    }
    return 0;
}

static void format_read(Str format, NumberFormat *f)
{
    *f = (NumberFormat){.first_zero = -1};
    bool point = false, quoted = false;
    for (int64_t i = 0; i < format.len && !f->refused;) {
        Str rest = str_slice(format, i, format.len);
        char c = rest.ptr[0];
        int64_t len = quoted ? 0 : format_word(f, rest, f->before + f->behind > 0);
        bool refused = str_starts_nocase(rest, STR("EEEE")) || str_starts_nocase(rest, STR("RN"));
        if (!quoted && (refused || (c | 32) == 'v')) f->refused = "EEEE, RN and V";
        i += len ? len : 1;
        if (len) continue;
        if (c == '"') quoted = !quoted;
        else if (quoted) format_put(f, 1, c);
        else if (c == '9' || c == '0') format_digit(f, c, point);
        else if ((c == '.' || (c | 32) == 'd') && point) f->refused = "two decimal points";
        else if (c == '.' || (c | 32) == 'd') {
            point = true;
            format_put(f, '.', 0);
        } else if (c == ',' || (c | 32) == 'g') format_put(f, ',', 0);
        else if ((c | 32) == 'l') format_put(f, 1, '$');
        else format_put(f, 1, c);
    }
}

/* ---- output ---- */

typedef struct Shown {
    char out[FORMAT_MAX + 8];
    int64_t len;
    const char *digits; /* the integer part's, then the fraction's */
    int32_t integer;    /* how many of the integer part; 0 where it is 0 and not shown */
    bool negative, overflow;
    bool started; /* the first digit is out */
} Shown;

static void show(Shown *s, char c)
{
    s->out[s->len++] = c;
}

static void show_sign(Shown *s, const NumberFormat *f)
{
    if (f->sign == SIGN_S) show(s, s->negative ? '-' : '+');
    else if (f->sign == SIGN_PR && (s->negative || !f->fill)) show(s, s->negative ? '<' : ' ');
    else if (f->sign == SIGN_FIXED && (s->negative || !f->fill)) show(s, s->negative ? '-' : ' ');
}

static void show_start(Shown *s, const NumberFormat *f)
{
    if (!s->started) show_sign(s, f);
    s->started = true;
}

static void show_integer(Shown *s, const NumberFormat *f, int32_t position)
{
    int32_t at = position - (f->before - s->integer);
    bool zero = f->first_zero >= 0 && position >= f->first_zero;
    if (s->overflow) {
        show_start(s, f);
        show(s, '#');
    } else if (at >= 0) {
        show_start(s, f);
        show(s, s->digits[at]);
    } else if (zero) {
        show_start(s, f);
        show(s, '0');
    } else if (!f->fill) {
        show(s, ' ');
    }
}

static void show_ordinal(Shown *s, char kind)
{
    char last = s->integer ? s->digits[s->integer - 1] : '0';
    bool teen = s->integer > 1 && s->digits[s->integer - 2] == '1';
    const char *suffix = teen          ? "th"
                         : last == '1' ? "st"
                         : last == '2' ? "nd"
                         : last == '3' ? "rd"
                                       : "th";
    if (s->negative || s->overflow) return;
    show(s, kind == 'T' ? (char)(suffix[0] & ~32) : suffix[0]);
    show(s, kind == 'T' ? (char)(suffix[1] & ~32) : suffix[1]);
}

static void show_other(Shown *s, const NumberFormat *f, char kind, char literal)
{
    if (kind == 1) show(s, literal);
    else if (kind == 'G') show(s, s->negative ? '-' : '+');
    else if (kind == 'M' && (s->negative || !f->fill)) show(s, s->negative ? '-' : ' ');
    else if (kind == 'P' && (!s->negative || !f->fill)) show(s, s->negative ? ' ' : '+');
    else if (kind == 'T' || kind == 't') show_ordinal(s, kind);
}

static void show_all(Shown *s, const NumberFormat *f)
{
    int32_t integer = 0, fraction = 0, keep = f->behind;
    if (f->fill && !s->overflow) {
        while (keep > f->zero_behind && s->digits[s->integer + keep - 1] == '0') keep--;
    }
    for (int32_t i = 0; i < f->count; i++) {
        char kind = f->text[i];
        bool digit = kind == '9' || kind == '0';
        if (digit && integer < f->before) {
            show_integer(s, f, integer++);
        } else if (digit) {
            if (fraction++ < keep)
                show(s, s->overflow ? '#' : s->digits[s->integer + fraction - 1]);
        } else if (kind == '.') {
            show_start(s, f);
            show(s, '.');
        } else if (kind == ',') {
            if (s->started) show(s, ',');
            else if (!f->fill) show(s, ' ');
        } else {
            show_other(s, f, kind, f->literal[i]);
        }
    }
    if (f->sign == SIGN_S_BEHIND) show(s, s->negative ? '-' : '+');
    if (f->sign == SIGN_PR && (s->negative || !f->fill)) show(s, s->negative ? '>' : ' ');
}

static void char_of(KernelCall *call, int64_t row, Decimal value, const NumberFormat *f)
{
    Decimal rounded;
    Shown s = {.negative = value.value < 0};
    char digits[DECIMAL_TEXT_MAX + POSITIONS_MAX + 8], text[DECIMAL_TEXT_MAX];
    s.overflow = decimal_round(value, f->behind, &rounded) != DECIMAL_OK;
    if (s.overflow) rounded = (Decimal){0};
    if (rounded.value < 0) rounded = decimal_negate(rounded);
    if (rounded.value == 0 && !s.overflow) s.negative = false;
    int64_t len = decimal_format(rounded, text), out = 0, i = 0;
    for (; i < len && text[i] != '.'; i++) digits[out++] = text[i];
    bool zero = out == 1 && digits[0] == '0';
    if (zero && f->behind > 0 && !s.overflow) out = 0;
    s.integer = (int32_t)out;
    for (i++; i < len; i++) digits[out++] = text[i];
    while (out < s.integer + f->behind) digits[out++] = '0';
    s.digits = digits;
    s.overflow = s.overflow || s.integer > f->before;
    show_all(&s, f);
    kernel_put_copy(call, row, s.out, s.len);
}

/* The row's number, a numeric or a double; false: the row failed. */
static bool number_of_row(KernelCall *call, int64_t row, Decimal *ret_value)
{
    bool numeric = call->args[0].type == TYPE_NUMERIC;
    NumberValue n = {.is_double = true};
    if (numeric) n = number_at(&call->args[0], row);
    else n.real = kernel_double(call, 0, row);
    if (!n.is_double) *ret_value = n.decimal;
    if (!n.is_double || decimal_from_double(n.real, ret_value) == DECIMAL_OK) return true;
    call_error(call, row, "22003", "the number has more than 38 digits");
    return false;
}

static Status kernel_char_number(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        NumberFormat f;
        Decimal value = {0, 0};
        format_read(kernel_text(call, 1, row), &f);
        if (f.refused) {
            call_error(call, row, "0A000", "to_char of numbers doesn't offer %s", f.refused);
        } else if (number_of_row(call, row, &value)) {
            char_of(call, row, value, &f);
        }
    }
    return OK;
}

static const Function FUNCTIONS[] = {
    {"to_char", "numeric, text -> text", kernel_char_number, FUNCTION_STRICT | FUNCTION_FALLIBLE,
     "number", "In the format's patterns: 9 0 . , S MI PL SG PR FM TH and text.",
     "to_char(1234.5, 'FM9,999.00') = \"1,234.50\"", 0, 0, 0},
    {"to_char", "double, text -> text", kernel_char_number, FUNCTION_STRICT | FUNCTION_FALLIBLE,
     "number", "The same of a double.", "to_char(0.5::double, 'FM90.00') = \"0.50\"", 0, 0, 0},
};
const FunctionTable FORMAT_NUMBER_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
