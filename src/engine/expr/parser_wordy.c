/* SQL's wordy functions: EXTRACT, POSITION, SUBSTRING, TRIM, OVERLAY, NORMALIZE, and arguments by
 * name. */
#include "engine/expr/parser_impl.h"

/* extract(field FROM e) */
static Status parse_extract(Parser *p, int32_t position, ExprNode **ret_node, Err *err)
{
    const Token *field = parser_token(p);
    if (field->kind != TOKEN_NAME && field->kind != TOKEN_STRING) {
        return parser_unexpected(p, "a field like year", err);
    }
    p->at++;
    ExprNode *name = NULL, *operand = NULL;
    TRY(parser_literal(p, field->text, field->position, &name, err));
    TRY(parser_expect_word(p, "from", err));
    TRY(parser_expression(p, &operand, err));
    TRY(parser_expect(p, ")", err));
    return parser_call(p, "extract", position, name, operand, NULL, ret_node, err);
}

/* position(a IN b) */
static Status parse_position(Parser *p, int32_t position, ExprNode **ret_node, Err *err)
{
    ExprNode *needle = NULL, *text = NULL;
    TRY(parser_operand(p, LEVEL_RANGE + 1, &needle, err));
    if (parser_take(p, ",")) {
        TRY(parser_expression(p, &text, err));
        TRY(parser_expect(p, ")", err));
        return parser_call(p, "position", position, needle, text, NULL, ret_node, err);
    }
    TRY(parser_expect_word(p, "in", err));
    TRY(parser_expression(p, &text, err));
    TRY(parser_expect(p, ")", err));
    return parser_call(p, "position", position, needle, text, NULL, ret_node, err);
}

/* substring(x FROM a [FOR b]) | (x FROM pattern) | (x SIMILAR pattern ESCAPE e) | (x, a, b) */
static Status parse_substring(Parser *p, int32_t position, ExprNode **ret_node, Err *err)
{
    ExprNode *args[3] = {NULL, NULL, NULL};
    TRY(parser_expression(p, &args[0], err));
    for (int32_t i = 1; i < 3; i++) {
        const char *word = i == 1 ? "from" : "for", *other = i == 1 ? "similar" : "escape";
        bool more = parser_take(p, ",") || parser_take_word(p, word) || parser_take_word(p, other);
        if (!more) break;
        TRY(parser_expression(p, &args[i], err));
    }
    TRY(parser_expect(p, ")", err));
    return parser_call(p, "substring", position, args[0], args[1], args[2], ret_node, err);
}

/* trim([BOTH | LEADING | TRAILING] [characters] FROM x) | trim(x[, characters]) */
static Status parse_trim(Parser *p, int32_t position, ExprNode **ret_node, Err *err)
{
    const char *name = "btrim";
    bool side = true;
    if (parser_take_word(p, "leading")) name = "ltrim";
    else if (parser_take_word(p, "trailing")) name = "rtrim";
    else side = parser_take_word(p, "both");
    ExprNode *characters = NULL, *text = NULL;
    if (!token_is_word(parser_token(p), "from")) TRY(parser_expression(p, &characters, err));
    if (parser_take_word(p, "from")) {
        TRY(parser_expression(p, &text, err));
    } else {
        text = characters;
        characters = NULL;
        if (!side && parser_take(p, ",")) TRY(parser_expression(p, &characters, err));
    }
    TRY(parser_expect(p, ")", err));
    return parser_call(p, name, position, text, characters, NULL, ret_node, err);
}

/* overlay(x PLACING y FROM a [FOR b]) */
static Status parse_overlay(Parser *p, int32_t position, ExprNode **ret_node, Err *err)
{
    ExprNode *args[4] = {NULL, NULL, NULL, NULL};
    TRY(parser_expression(p, &args[0], err));
    TRY(parser_expect_word(p, "placing", err));
    TRY(parser_expression(p, &args[1], err));
    TRY(parser_expect_word(p, "from", err));
    TRY(parser_expression(p, &args[2], err));
    if (parser_take_word(p, "for")) TRY(parser_expression(p, &args[3], err));
    TRY(parser_expect(p, ")", err));
    TRY(parser_node(p, EXPR_CALL, position, args[3] ? 4 : 3, ret_node, err));
    (*ret_node)->name = STR("overlay");
    for (int32_t i = 0; i < (*ret_node)->arg_count; i++) (*ret_node)->args[i] = args[i];
    return OK;
}

/* normalize(x [, form]): the form is a word. */
static Status parse_normalize(Parser *p, int32_t position, ExprNode **ret_node, Err *err)
{
    ExprNode *text = NULL, *form = NULL;
    TRY(parser_expression(p, &text, err));
    if (parser_take(p, ",")) {
        const Token *word = parser_token(p);
        if (word->kind != TOKEN_NAME) return parser_unexpected(p, "NFC, NFD, NFKC or NFKD", err);
        p->at++;
        TRY(parser_literal(p, word->text, word->position, &form, err));
    }
    TRY(parser_expect(p, ")", err));
    return parser_call(p, "normalize", position, text, form, NULL, ret_node, err);
}

/* make_interval(1, 2 …) or make_interval(days => 10, …): what is left out is 0. */
static Status parse_make_interval(Parser *p, int32_t position, ExprNode **ret_node, Err *err)
{
    static const char *const NAMES[] = {"years", "months", "weeks", "days",
                                        "hours", "mins",   "secs"};
    ExprNode *args[COUNT_OF(NAMES)] = {NULL};
    int32_t count = 0;
    bool more = !token_is(parser_token(p), ")");
    for (int32_t next = 0; more; next++) {
        const Token *name = parser_token(p);
        int32_t at = next;
        if (token_is(parser_ahead(p, 1), "=>")) {
            for (at = 0; at < COUNT_OF(NAMES) && !token_is_word(name, NAMES[at]);) at++;
            p->at += 2;
        }
        if (at >= COUNT_OF(NAMES) || args[at]) {
            (void)expr_fail(p->text, name->position, err,
                            "make_interval has no such argument here");
            return err_hint(err, "there are years, months, weeks, days, hours, mins, secs");
        }
        TRY(parser_expression(p, &args[at], err));
        count = at + 1 > count ? at + 1 : count;
        more = parser_take(p, ",");
    }
    TRY(parser_expect(p, ")", err));
    TRY(parser_node(p, EXPR_CALL, position, count, ret_node, err));
    (*ret_node)->name = STR("make_interval");
    for (int32_t i = 0; i < count; i++) {
        if (!args[i]) TRY(parser_literal(p, STR("0"), position, &args[i], err));
        if (args[i]->kind == EXPR_LITERAL && str_eq(args[i]->name, STR("0"))) {
            args[i]->type = TYPE_INT64;
        }
        (*ret_node)->args[i] = args[i];
    }
    return OK;
}

typedef struct WordyFunction {
    const char *name;
    Status (*parse)(Parser *p, int32_t position, ExprNode **ret_node, Err *err);
} WordyFunction;

static const WordyFunction WORDY[] = {
    {"extract", parse_extract},
    {"position", parse_position},
    {"substring", parse_substring},
    {"trim", parse_trim},
    {"overlay", parse_overlay},
    {"normalize", parse_normalize},
    {"make_interval", parse_make_interval},
};

Status parser_wordy(Parser *p, ExprNode **ret_node, bool *ret_done, Err *err)
{
    const Token *name = parser_token(p);
    *ret_done = true;
    for (int64_t i = 0; i < COUNT_OF(WORDY); i++) {
        if (!token_is_word(name, WORDY[i].name)) continue;
        p->at += 2;
        return WORDY[i].parse(p, name->position, ret_node, err);
    }
    *ret_done = false;
    return OK;
}
