/* Option tables: values by type, every mistake with its place and fix, substitution. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "foundation/config/substitute.h"

typedef struct Inner {
    OptionHead head;
    int64_t port;
    bool on;
} Inner;

typedef struct Outer {
    OptionHead head;
    Str name;
    int64_t size, wait_us;
    double share;
    int32_t mode;
    TextList keys;
    Inner inner;
    GroupList many;
} Outer;

#define AT(Type, field) (int64_t) offsetof(Type, field)

static const char *const MODES[] = {"append", "upsert", NULL};
static const Option INNER_OPTIONS[] = {
    {.name = "port", .type = OPTION_INT, .offset = AT(Inner, port), .required = true},
    {.name = "on", .type = OPTION_BOOL, .offset = AT(Inner, on), .otherwise = "true"},
};
static const OptionGroup INNER = {"inner", sizeof(Inner), INNER_OPTIONS, COUNT_OF(INNER_OPTIONS)};
static const Option OUTER_OPTIONS[] = {
    {.name = "name", .type = OPTION_NAME, .offset = AT(Outer, name)},
    {.name = "size", .type = OPTION_SIZE, .offset = AT(Outer, size), .otherwise = "2MB"},
    {.name = "wait", .type = OPTION_DURATION, .offset = AT(Outer, wait_us)},
    {.name = "share", .type = OPTION_SHARE, .offset = AT(Outer, share)},
    {.name = "mode", .type = OPTION_CHOICE, .offset = AT(Outer, mode), .choices = MODES},
    {.name = "keys", .type = OPTION_TEXTS, .offset = AT(Outer, keys)},
    {.name = "inner", .type = OPTION_GROUP, .offset = AT(Outer, inner), .group = &INNER},
    {.name = "many", .type = OPTION_GROUPS, .offset = AT(Outer, many), .group = &INNER},
};
static const OptionGroup OUTER = {"outer", sizeof(Outer), OUTER_OPTIONS, COUNT_OF(OUTER_OPTIONS)};

static const char *environment(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "PORT") == 0 ? "81" : NULL;
}

typedef struct Filled {
    Arena arena;
    Outer outer;
    MistakeList mistakes;
} Filled;

static void fill(Filled *f, const char *yaml)
{
    Err err = {0};
    *f = (Filled){.arena = arena_make(1 << 22)};
    f->mistakes.arena = &f->arena;
    YamlNode *root = NULL;
    const SubstituteFrom from = {.environment = environment};
    assert_int_equal(yaml_parse(str_from(yaml), &f->arena, &root, &err), OK);
    assert_int_equal(substitute_tree(root, &from, &f->mistakes, &err), OK);
    assert_int_equal(option_fill(&OUTER, root, &f->outer, &f->mistakes, &err), OK);
}

static void fills_what_is_right(void **state)
{
    (void)state;
    Filled f;
    fill(&f, "name: a.b\nwait: 1h30m\nshare: 10%\nmode: upsert\nkeys: [x, y]\n"
             "inner:\n  port: ${PORT}\nmany: { one: { port: 1, on: false }, two: { port: 2 } }\n");
    assert_int_equal(f.mistakes.count, 0);
    assert_true(str_eq(f.outer.name, STR("a.b")));
    assert_int_equal(f.outer.size, 2 << 20);
    assert_int_equal(f.outer.wait_us, INT64_C(5400000000));
    assert_true(f.outer.share > 0.0999 && f.outer.share < 0.1001);
    assert_int_equal(f.outer.mode, 1);
    assert_int_equal(f.outer.keys.count, 2);
    assert_int_equal(f.outer.inner.port, 81);
    assert_true(f.outer.inner.on);
    assert_int_equal(f.outer.many.count, 2);
    const Inner *one = f.outer.many.items[0];
    assert_true(str_eq(one->head.name, STR("one")) && !one->on && one->port == 1);
    arena_done(&f.arena);
}

static void assert_mistake(const Filled *f, int64_t line, int64_t column, const char *part)
{
    for (int32_t i = 0; i < f->mistakes.count; i++) {
        const Mistake *m = &f->mistakes.items[i];
        Str want = str_from(part);
        bool says = str_find(m->what, want) >= 0 || str_find(m->hint, want) >= 0;
        if (m->line == line && m->column == column && says) return;
    }
    fail_msg("no mistake at %lld:%lld with \"%s\" among %d", (long long)line, (long long)column,
             part, f->mistakes.count);
}

static void says_every_mistake(void **state)
{
    (void)state;
    Filled f;
    fill(&f, "nmae: x\nsize: lots\nwait: 5 parsecs\nshare: 200%\nmode: upsret\nkeys: { a: 1 }\n"
             "inner: { on: maybe }\nmany: [1]\nname: \"${UNSET}\"\n");
    assert_mistake(&f, 1, 1, "name");
    assert_mistake(&f, 2, 7, "size");
    assert_mistake(&f, 3, 7, "wait");
    assert_mistake(&f, 4, 8, "share");
    assert_mistake(&f, 5, 7, "upsert");
    assert_mistake(&f, 6, 7, "keys");
    assert_mistake(&f, 7, 14, "on");
    assert_mistake(&f, 8, 7, "many");
    assert_mistake(&f, 9, 7, "UNSET");
    assert_true(f.mistakes.count >= 10); /* and that `port` is missing */
    arena_done(&f.arena);
}

static void values_as_people_write_them(void **state)
{
    (void)state;
    int64_t n;
    double share;
    assert_true(option_parse_size(STR("512MB"), &n) && n == INT64_C(512) << 20);
    assert_true(option_parse_size(STR("1GiB"), &n) && n == 1 << 30);
    assert_true(option_parse_size(STR("4096"), &n) && n == 4096);
    assert_false(option_parse_size(STR("-1"), &n) || option_parse_size(STR("9999999999GB"), &n));
    assert_true(option_parse_duration(STR("250ms"), &n) && n == 250000);
    assert_true(option_parse_duration(STR("1d"), &n) && n == INT64_C(86400000000));
    assert_false(option_parse_duration(STR("1"), &n) || option_parse_duration(STR("1x"), &n));
    assert_true(option_parse_share(STR("0.25"), &share) && share > 0.24 && share < 0.26);
    assert_false(option_parse_share(STR("-1%"), &share));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_what_is_right),
        cmocka_unit_test(says_every_mistake),
        cmocka_unit_test(values_as_people_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
