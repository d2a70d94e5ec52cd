/* The parser's leaves: literals, names and paths, calls, CASE, CAST and SQL's wordy functions. */
#include "engine/expr/parser_impl.h"
#include "foundation/base/number.h"

static const char *const RESERVED[] = {"and",  "or",    "not",   "case", "when",    "then",
                                       "else", "end",   "is",    "in",   "like",    "between",
                                       "as",   "ilike", "catch", "from", "distinct"};

static bool is_reserved(const Token *token)
{
    for (int64_t i = 0; i < COUNT_OF(RESERVED); i++) {
        if (token_is_word(token, RESERVED[i])) return true;
    }
    return false;
}

static Status lower(Parser *p, Str text, Str *ret_text, Err *err)
{
    Str copy;
    TRY(arena_copy(p->arena, text, &copy, err));
    char *bytes = arena_alloc(p->arena, text.len + 1);
    if (!bytes) return err_memory(err);
    for (int64_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bytes[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    *ret_text = str_make(bytes, text.len);
    return OK;
}

/* ---- types ---- */

/* Words that a type's name may go on with: double precision, timestamp with time zone. */
static void take_type_words(Parser *p, const Token *first)
{
    if (token_is_word(first, "double")) (void)parser_take_word(p, "precision");
    if (token_is_word(first, "character")) (void)parser_take_word(p, "varying");
    bool time = token_is_word(first, "timestamp") || token_is_word(first, "time");
    const Token *with = parser_token(p);
    bool zone = token_is_word(with, "with") || token_is_word(with, "without");
    if (time && zone && token_is_word(parser_ahead(p, 1), "time") &&
        token_is_word(parser_ahead(p, 2), "zone")) {
        p->at += 3;
    }
}

Status parser_type(Parser *p, TypeId *ret_type, Str *ret_name, Err *err)
{
    const Token *first = parser_token(p);
    if (first->kind != TOKEN_NAME) return parser_unexpected(p, "a type", err);
    int32_t start = first->position;
    p->at++;
    take_type_words(p, first);
    if (token_is(parser_token(p), "(") && parser_ahead(p, 1)->kind == TOKEN_INTEGER) {
        p->at += 2;
        if (parser_take(p, ",")) p->at++;
        TRY(parser_expect(p, ")", err));
        take_type_words(p, first);
    }
    *ret_name = str_slice(p->text, start, p->tokens[p->at - 1].end);
    int32_t precision, scale;
    if (type_parse(*ret_name, ret_type, &precision, &scale)) return OK;
    (void)expr_fail(p->text, start, err, "no type \"%.*s\"", STR_ARG(*ret_name));
    Str names[TYPE_COUNT];
    for (int32_t i = 0; i < TYPE_COUNT; i++) names[i] = str_from(type_name((TypeId)i));
    Str near = str_nearest(*ret_name, names, TYPE_COUNT);
    return near.len ? err_hint(err, "did you mean %.*s?", STR_ARG(near)) : FAIL;
}

static Status make_cast(Parser *p, ExprNode *operand, TypeId type, Str name, int32_t position,
                        ExprNode **ret_node, Err *err)
{
    TRY(parser_node(p, EXPR_CAST, position, 1, ret_node, err));
    (*ret_node)->args[0] = operand;
    (*ret_node)->type = type;
    (*ret_node)->explicit_cast = true;
    return lower(p, name, &(*ret_node)->name, err);
}

static bool is_interval_field(const Token *token)
{
    static const char *const FIELDS[] = {"year", "month", "day", "hour", "minute", "second"};
    for (int64_t i = 0; i < COUNT_OF(FIELDS); i++) {
        if (token_is_word(token, FIELDS[i])) return true;
    }
    return false;
}

/* INTERVAL '1' DAY, '1-2' YEAR TO MONTH, '10:20' HOUR TO MINUTE: the words after the literal. */
static Status parse_interval_fields(Parser *p, Str *text, Err *err)
{
    const Token *first = parser_token(p);
    if (!is_interval_field(first)) return OK;
    p->at++;
    if (parser_take_word(p, "to")) {
        const Token *last = parser_token(p);
        if (!is_interval_field(last)) return parser_unexpected(p, "a field like MONTH", err);
        p->at++;
        bool minutes = token_is_word(first, "minute") && str_find_char(*text, ':') >= 0;
        return minutes ? arena_printf(p->arena, text, err, "00:%.*s", STR_ARG(*text)) : OK;
    }
    Decimal number;
    if (decimal_parse(*text, &number) == DECIMAL_OK) {
        return arena_printf(p->arena, text, err, "%.*s %.*s", STR_ARG(str_trim(*text)),
                            STR_ARG(first->text));
    }
    (void)expr_fail(p->text, first->position, err, "one field goes with one number");
    return err_hint(err, "leave the field out, and write the units inside the quotes");
}

/* [] after a type's name makes it an array's. */
static Status parse_type_end(Parser *p, ExprNode *operand, TypeId type, Str name, int32_t position,
                             ExprNode **ret_node, Err *err)
{
    bool array = token_is(parser_token(p), "[") && token_is(parser_ahead(p, 1), "]");
    if (array) p->at += 2;
    TRY(make_cast(p, operand, array ? TYPE_JSON : type, name, position, ret_node, err));
    (*ret_node)->array = array;
    (*ret_node)->element = type;
    return OK;
}

/* DATE '2024-01-01': a type's word with a text right after it. */
static Status parse_typed_literal(Parser *p, ExprNode **ret_node, bool *ret_done, Err *err)
{
    int32_t start = p->at;
    const Token *first = parser_token(p);
    *ret_done = false;
    if (first->quoted || is_reserved(first)) return OK;
    p->at++;
    take_type_words(p, first);
    const Token *text = parser_token(p);
    Str name = str_slice(p->text, first->position, p->tokens[p->at - 1].end);
    TypeId type;
    int32_t precision, scale;
    if (text->kind != TOKEN_STRING || !type_parse(name, &type, &precision, &scale)) {
        p->at = start;
        return OK;
    }
    p->at++;
    *ret_done = true;
    ExprNode *literal = NULL;
    TRY(parser_literal(p, text->text, text->position, &literal, err));
    if (type == TYPE_INTERVAL) TRY(parse_interval_fields(p, &literal->name, err));
    return make_cast(p, literal, type, name, first->position, ret_node, err);
}

/* ---- names and paths ---- */

/* [index] of a path; negative counts from the end. */
static Status parse_index(Parser *p, int64_t *ret_index, Err *err)
{
    bool negative = parser_take(p, "-");
    const Token *token = parser_token(p);
    int64_t index = 0;
    if (token->kind != TOKEN_INTEGER || number_parse_int64(token->text, &index) != NUMBER_OK) {
        return parser_unexpected(p, "a number", err);
    }
    p->at++;
    TRY(parser_expect(p, "]", err));
    *ret_index = negative ? -index : index;
    return OK;
}

static Status parse_path(Parser *p, ExprNode **ret_node, Err *err)
{
    const Token *name = parser_token(p);
    JsonStep *steps = ARENA_ARRAY(p->arena, JsonStep, JSON_PATH_STEPS_MAX);
    if (!steps) return err_memory(err);
    TRY(parser_node(p, EXPR_COLUMN, name->position, 0, ret_node, err));
    (*ret_node)->quoted = name->quoted;
    int32_t count = 0;
    steps[count++] = (JsonStep){.key = name->text};
    p->at++;
    while (token_is(parser_token(p), ".") || token_is(parser_token(p), "[")) {
        if (count == JSON_PATH_STEPS_MAX) {
            return expr_fail(p->text, name->position, err, "the path has too many steps");
        }
        if (parser_take(p, "[")) {
            steps[count].is_index = true;
            TRY(parse_index(p, &steps[count++].index, err));
            continue;
        }
        p->at++;
        if (parser_token(p)->kind != TOKEN_NAME) return parser_unexpected(p, "a name", err);
        steps[count++].key = parser_token(p)->text;
        p->at++;
    }
    (*ret_node)->path = (JsonPath){steps, count};
    (*ret_node)->name = name->text;
    return OK;
}

/* ---- calls ---- */

enum { CALL_ARGS_MAX = 256 };

static Status parse_arguments(Parser *p, ExprNode *args[CALL_ARGS_MAX], int32_t *ret_count,
                              Err *err)
{
    int32_t count = 0;
    if (!parser_take(p, ")")) {
        do {
            if (count == CALL_ARGS_MAX) {
                return expr_fail(p->text, parser_token(p)->position, err, "too many arguments");
            }
            const Token *token = parser_token(p);
            if (token_is(token, "*") && token_is(parser_ahead(p, 1), ")")) {
                /* f(*): a column node without a path stands for all columns. */
                TRY(parser_node(p, EXPR_COLUMN, token->position, 0, &args[count++], err));
                p->at++;
            } else {
                TRY(parser_expression(p, &args[count++], err));
            }
        } while (parser_take(p, ","));
        TRY(parser_expect(p, ")", err));
    }
    *ret_count = count;
    return OK;
}

static Status parse_plain_call(Parser *p, ExprNode **ret_node, Err *err)
{
    const Token *name = parser_token(p);
    p->at += 2;
    ExprNode *args[CALL_ARGS_MAX];
    int32_t count = 0;
    TRY(parse_arguments(p, args, &count, err));
    ExprKind kind = token_is_word(name, "coalesce") ? EXPR_COALESCE
                    : token_is_word(name, "try")    ? EXPR_TRY
                                                    : EXPR_CALL;
    if (kind == EXPR_TRY && count != 1) {
        return expr_fail(p->text, name->position, err, "try takes one expression");
    }
    if (kind == EXPR_COALESCE && count == 0) {
        return expr_fail(p->text, name->position, err, "coalesce needs an argument");
    }
    TRY(parser_node(p, kind, name->position, count, ret_node, err));
    for (int32_t i = 0; i < count; i++) (*ret_node)->args[i] = args[i];
    return lower(p, name->text, &(*ret_node)->name, err);
}

/* ARRAY[a, b] */
static Status parse_array(Parser *p, ExprNode **ret_node, Err *err)
{
    int32_t position = parser_token(p)->position, count = 0;
    ExprNode *items[CALL_ARGS_MAX];
    p->at += 2;
    while (!token_is(parser_token(p), "]")) {
        if (count == CALL_ARGS_MAX) {
            return expr_fail(p->text, position, err, "more than %d items", CALL_ARGS_MAX);
        }
        if (count > 0) TRY(parser_expect(p, ",", err));
        TRY(parser_expression(p, &items[count++], err));
    }
    p->at++;
    TRY(parser_node(p, EXPR_CALL, position, count, ret_node, err));
    (*ret_node)->name = STR("array of");
    for (int32_t i = 0; i < count; i++) (*ret_node)->args[i] = items[i];
    return OK;
}

static Status parse_cast(Parser *p, int32_t position, ExprNode **ret_node, Err *err)
{
    ExprNode *operand = NULL;
    TypeId type;
    Str name;
    TRY(parser_expression(p, &operand, err));
    TRY(parser_expect_word(p, "as", err));
    TRY(parser_type(p, &type, &name, err));
    TRY(parse_type_end(p, operand, type, name, position, ret_node, err));
    return parser_expect(p, ")", err);
}

static Status parse_call(Parser *p, ExprNode **ret_node, Err *err)
{
    const Token *name = parser_token(p);
    bool done = false;
    if (token_is_word(name, "cast")) {
        p->at += 2;
        return parse_cast(p, name->position, ret_node, err);
    }
    TRY(parser_wordy(p, ret_node, &done, err));
    return done ? OK : parse_plain_call(p, ret_node, err);
}

/* ---- CASE ---- */

/* CASE x WHEN v THEN … becomes CASE WHEN x = v THEN …: x is one node, used several times. */
static Status parse_case(Parser *p, ExprNode **ret_node, Err *err)
{
    enum { CASE_MAX = 512 };
    int32_t position = parser_token(p)->position;
    p->at++;
    ExprNode *items[CASE_MAX];
    ExprNode *subject = NULL;
    int32_t count = 0;
    bool has_else = false;
    if (!token_is_word(parser_token(p), "when")) TRY(parser_expression(p, &subject, err));
    while (parser_take_word(p, "when")) {
        if (count + 3 > CASE_MAX) return expr_fail(p->text, position, err, "CASE is too long");
        ExprNode *when = NULL;
        TRY(parser_expression(p, &when, err));
        if (subject) {
            TRY(parser_call(p, "=", when->position, subject, when, NULL, &when, err));
        }
        items[count++] = when;
        TRY(parser_expect_word(p, "then", err));
        TRY(parser_expression(p, &items[count++], err));
    }
    if (count == 0) return parser_unexpected(p, "WHEN", err);
    if (parser_take_word(p, "else")) {
        TRY(parser_expression(p, &items[count++], err));
        has_else = true;
    }
    TRY(parser_expect_word(p, "end", err));
    TRY(parser_node(p, EXPR_CASE, position, count, ret_node, err));
    (*ret_node)->has_else = has_else;
    for (int32_t i = 0; i < count; i++) (*ret_node)->args[i] = items[i];
    return OK;
}

/* ---- primary ---- */

/* Words that are values: TRUE, NULL, CURRENT_DATE… */
static Status parse_word_value(Parser *p, ExprNode **ret_node, bool *ret_done, Err *err)
{
    static const char *const TIMES[][2] = {{"current_date", "current_date"},
                                           {"current_timestamp", "now"},
                                           {"localtimestamp", "localtimestamp"},
                                           {"localtime", "localtime"}};
    const Token *token = parser_token(p);
    *ret_done = true;
    bool truth = token_is_word(token, "true") || token_is_word(token, "false");
    if (truth || token_is_word(token, "null")) {
        p->at++;
        TRY(parser_literal(p, token->text, token->position, ret_node, err));
        (*ret_node)->null = !truth;
        if (truth) (*ret_node)->type = TYPE_BOOL;
        return OK;
    }
    for (int64_t i = 0; i < COUNT_OF(TIMES); i++) {
        if (!token_is_word(token, TIMES[i][0])) continue;
        p->at++;
        return parser_call(p, TIMES[i][1], token->position, NULL, NULL, NULL, ret_node, err);
    }
    *ret_done = false;
    return OK;
}

static Status parse_named(Parser *p, ExprNode **ret_node, Err *err)
{
    const Token *token = parser_token(p);
    bool done = false;
    if (token_is_word(token, "case")) return parse_case(p, ret_node, err);
    if (token_is_word(token, "array") && token_is(parser_ahead(p, 1), "[")) {
        return parse_array(p, ret_node, err);
    }
    TRY(parse_typed_literal(p, ret_node, &done, err));
    if (done) return OK;
    if (token_is(parser_ahead(p, 1), "(") && !token->quoted && !is_reserved(token)) {
        return parse_call(p, ret_node, err);
    }
    TRY(parse_word_value(p, ret_node, &done, err));
    if (done) return OK;
    if (is_reserved(token)) return parser_unexpected(p, "a value", err);
    return parse_path(p, ret_node, err);
}

/* (a, b, …) after the first comma. */
static Status parse_row(Parser *p, ExprNode *first, int32_t position, ExprNode **ret_node, Err *err)
{
    ExprNode *items[CALL_ARGS_MAX];
    int32_t count = 0;
    TRY(parse_arguments(p, items, &count, err));
    TRY(parser_node(p, EXPR_CALL, position, count + 1, ret_node, err));
    (*ret_node)->name = STR("row");
    (*ret_node)->args[0] = first;
    for (int32_t i = 0; i < count; i++) (*ret_node)->args[i + 1] = items[i];
    return OK;
}

static Status parse_atom(Parser *p, ExprNode **ret_node, Err *err)
{
    const Token *token = parser_token(p);
    switch (token->kind) {
    case TOKEN_INTEGER:
    case TOKEN_NUMBER:
        p->at++;
        TRY(parser_literal(p, token->text, token->position, ret_node, err));
        (*ret_node)->type = token->kind == TOKEN_INTEGER ? TYPE_INT64 : TYPE_NUMERIC;
        return OK;
    case TOKEN_STRING:
        p->at++;
        return parser_literal(p, token->text, token->position, ret_node, err);
    case TOKEN_NAME:
        return parse_named(p, ret_node, err);
    case TOKEN_SYMBOL:
    case TOKEN_END:
        break;
    }
    if (!parser_take(p, "(")) return parser_unexpected(p, "a value", err);
    TRY(parser_expression(p, ret_node, err));
    if (parser_take(p, ")")) return OK;
    if (!parser_take(p, ",")) return parser_expect(p, ")", err);
    return parse_row(p, *ret_node, token->position, ret_node, err);
}

/* A member or element of what any expression gives: the same as ->. */
static Status parse_member(Parser *p, ExprNode **node, Err *err)
{
    const Token *token = parser_token(p);
    ExprNode *step = NULL;
    if (parser_take(p, "[")) {
        int64_t index = 0;
        const Token *digits = parser_token(p);
        TRY(parse_index(p, &index, err));
        char text[NUMBER_TEXT_MAX];
        Str copy;
        TRY(arena_copy(p->arena, str_make(text, number_format_int64(index, text)), &copy, err));
        TRY(parser_literal(p, copy, digits->position, &step, err));
        step->type = TYPE_INT64;
    } else {
        p->at++;
        if (parser_token(p)->kind != TOKEN_NAME) return parser_unexpected(p, "a name", err);
        TRY(parser_literal(p, parser_token(p)->text, parser_token(p)->position, &step, err));
        p->at++;
    }
    bool index = token_is(token, "[");
    return parser_call(p, index ? "subscript of" : "->", token->position, *node, step, NULL, node,
                       err);
}

/* Texts compare by their bytes: the collations that do so may be named. */
static Status parse_collate(Parser *p, Err *err)
{
    static const char *const BYTES[] = {"C", "POSIX", "C.UTF-8", "C.utf8", "ucs_basic"};
    p->at++;
    if (token_is_word(parser_token(p), "pg_catalog") && token_is(parser_ahead(p, 1), "."))
        p->at += 2;
    const Token *name = parser_token(p);
    if (name->kind != TOKEN_NAME) return parser_unexpected(p, "a collation", err);
    for (int64_t i = 0; i < COUNT_OF(BYTES); i++) {
        if (!str_eq(name->text, str_from(BYTES[i]))) continue;
        p->at++;
        return OK;
    }
    (void)expr_fail(p->text, name->position, err, "no collation \"%.*s\"", STR_ARG(name->text));
    return err_hint(err, "texts compare by their bytes, as with COLLATE \"C\"");
}

static Status parse_zone(Parser *p, ExprNode **node, Err *err)
{
    int32_t position = parser_token(p)->position;
    p->at += 3;
    ExprNode *zone = NULL;
    TRY(parser_primary(p, &zone, err));
    return parser_call(p, "timezone", position, zone, *node, NULL, node, err);
}

Status parser_primary(Parser *p, ExprNode **ret_node, Err *err)
{
    TRY(parse_atom(p, ret_node, err));
    while (true) {
        const Token *token = parser_token(p);
        if (token_is(token, "::")) {
            TypeId type;
            Str name;
            p->at++;
            TRY(parser_type(p, &type, &name, err));
            TRY(parse_type_end(p, *ret_node, type, name, token->position, ret_node, err));
        } else if (token_is_word(token, "collate")) {
            TRY(parse_collate(p, err));
        } else if (token_is(token, ".") || token_is(token, "[")) {
            TRY(parse_member(p, ret_node, err));
        } else if (token_is_word(token, "at") && token_is_word(parser_ahead(p, 1), "time") &&
                   token_is_word(parser_ahead(p, 2), "zone")) {
            TRY(parse_zone(p, ret_node, err));
        } else {
            return OK;
        }
    }
}
