/* LIKE, ILIKE and their escapes, by characters of UTF-8. */
#include "engine/expr/case_map.h"
#include "engine/expr/kernel.h"

/* Bytes of the character at the start of well-formed UTF-8. */
static int64_t char_len(char c)
{
    uint8_t b = (uint8_t)c;
    return b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
}

/* One character of the pattern; *ret_literal false for % and _. */
static int64_t pattern_char(Str pattern, int64_t at, Str escape, Str *ret_char, bool *ret_literal)
{
    Str rest = str_slice(pattern, at, pattern.len);
    bool escaped = escape.len && str_starts(rest, escape) && rest.len > escape.len;
    int64_t skip = escaped ? escape.len : 0;
    int64_t len = int64_min(char_len(pattern.ptr[at + skip]), rest.len - skip);
    *ret_char = str_slice(pattern, at + skip, at + skip + len);
    *ret_literal = escaped || (!str_eq(*ret_char, STR("%")) && !str_eq(*ret_char, STR("_")));
    return skip + len;
}

/* Greedy with one place to go back to: the last % is the only one that matters. */
static bool like_match(Str text, Str pattern, Str escape)
{
    int64_t t = 0, p = 0, star_p = -1, star_t = 0;
    while (t < text.len) {
        Str c = STR_NULL;
        bool literal = false;
        int64_t step = p < pattern.len ? pattern_char(pattern, p, escape, &c, &literal) : 0;
        bool any = step && !literal && c.ptr[0] == '%';
        bool one = step && !literal && !any;
        if (any) {
            p += step;
            star_p = p;
            star_t = t;
        } else if (one) {
            t += char_len(text.ptr[t]);
            p += step;
        } else if (step && str_starts(str_slice(text, t, text.len), c)) {
            t += c.len;
            p += step;
        } else if (star_p >= 0) {
            star_t += char_len(text.ptr[star_t]);
            t = star_t;
            p = star_p;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '%') p++;
    return p == pattern.len;
}

/* Patterns that need no walk: text with a % in front, after, both or neither. */
typedef struct SimpleLike {
    Str text;
    bool free_front, free_back;
} SimpleLike;

static bool like_is_simple(Str pattern, Str escape, SimpleLike *ret_simple)
{
    bool front = pattern.len > 0 && pattern.ptr[0] == '%';
    bool back = pattern.len > 1 && pattern.ptr[pattern.len - 1] == '%';
    Str text = str_slice(pattern, front, pattern.len - back);
    if (escape.len && str_find(pattern, escape) >= 0) return false;
    if (str_find_char(text, '%') >= 0 || str_find_char(text, '_') >= 0) return false;
    *ret_simple = (SimpleLike){text, front, back};
    return true;
}

static bool simple_matches(const SimpleLike *like, Str text)
{
    if (like->free_front && like->free_back) return str_find(text, like->text) >= 0;
    if (like->free_front) return str_ends(text, like->text);
    return like->free_back ? str_starts(text, like->text) : str_eq(text, like->text);
}

/* A constant pattern of the simple kind, for all rows at once; false: it is none. */
static bool like_constant(KernelCall *call)
{
    Str escape = call->arg_count > 2 ? kernel_text(call, 2, 0) : STR("\\");
    bool constant = call->args[1].mask == 0 && (call->arg_count < 3 || call->args[2].mask == 0);
    SimpleLike simple;
    if (!constant || (escape.len && char_len(escape.ptr[0]) != escape.len)) return false;
    if (!like_is_simple(kernel_text(call, 1, 0), escape, &simple)) return false;
    uint8_t *out = vector_bool(call->result);
    FOR_ACTIVE (call, row) out[row] = simple_matches(&simple, kernel_text(call, 0, row));
    return true;
}

static Status like(KernelCall *call, bool fold, Err *err)
{
    if (!fold && like_constant(call)) return OK;
    FOR_ACTIVE (call, row) {
        Str text = kernel_text(call, 0, row), pattern = kernel_text(call, 1, row);
        Str escape = call->arg_count > 2 ? kernel_text(call, 2, row) : STR("\\");
        if (fold) {
            TRY(case_map(CASE_LOWER, text, call->arena, &text, err));
            TRY(case_map(CASE_LOWER, pattern, call->arena, &pattern, err));
        }
        bool dangling = escape.len && str_ends(pattern, escape) &&
                        !(pattern.len >= 2 * escape.len &&
                          str_ends(str_slice(pattern, 0, pattern.len - escape.len), escape));
        if (escape.len && char_len(escape.ptr[0]) != escape.len) {
            call_error(call, row, "22025", "the escape must be one character");
        } else if (dangling) {
            call_error(call, row, "22025", "LIKE pattern must not end with escape character");
        } else {
            vector_bool(call->result)[row] = like_match(text, pattern, escape);
        }
    }
    return OK;
}

static Status kernel_like(KernelCall *call, Err *err)
{
    return like(call, false, err);
}

static Status kernel_ilike(KernelCall *call, Err *err)
{
    return like(call, true, err);
}

enum { FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };

static const Function FUNCTIONS[] = {
    {"like", "text, text, [text] -> boolean", kernel_like, FALLIBLE, "text",
     "LIKE: % is any text, _ one character; the third is the escape.", "'abc' LIKE 'a%' = true", 0,
     0, 0},
    {"ilike", "text, text, [text] -> boolean", kernel_ilike, FALLIBLE, "text",
     "ILIKE: LIKE without regard to case.", "'ABC' ILIKE 'a_c' = true", 0, 0, 0},
};
const FunctionTable LIKE_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
