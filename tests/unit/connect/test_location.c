/* Tests of connect/location.h: spellings, options, masks and hints, with connectors of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>
#include <cmocka.h>

#include "connect/connector.h"

static const char *const SERVER_SCHEMES[] = {"server", "srv", NULL};
static const char *const SERVER_OPTIONS[] = {"timeout", NULL};
static const Connector SERVER = {
    .title = "servers",
    .kind = LOCATION_TABLE,
    .schemes = SERVER_SCHEMES,
    .authority = true,
    .form = "server://",
    .fragment.options = SERVER_OPTIONS,
};

/* disk:///path?name=value */
static Status disk_parse(Location *location, Str rest, Arena *arena, Err *err)
{
    int64_t question = str_find_char(rest, '?');
    TRY(arena_copy(arena, str_slice(rest, 3, question < 0 ? rest.len : question), &location->path,
                   err));
    if (question < 0) return OK;
    return location_options(location, str_slice(rest, question + 1, rest.len), arena, err);
}
static const char *const DISK_SCHEMES[] = {"disk", NULL};
static const char *const DISK_LOOKS[] = {"db", NULL};
static const Connector DISK = {
    .title = "disk databases",
    .kind = LOCATION_TABLE,
    .schemes = DISK_SCHEMES,
    .form = "disk:///",
    .looks = DISK_LOOKS,
    .parse = disk_parse,
};

static Status text_parse(Location *location, Str format, Arena *arena, Err *err)
{
    if (!str_eq(format, STR("tsv"))) return OK;
    return location_set(location, arena, STR("delimiter"), STR("\t"), err);
}
static const char *const TEXT_ENDINGS[] = {"csv", "tsv", NULL};
static const Connector TEXT = {
    .title = "files of text",
    .kind = LOCATION_FILE,
    .endings = TEXT_ENDINGS,
    .parse = text_parse,
};
static const char *const LINES_ENDINGS[] = {"lines", NULL};
static const Connector LINES = {.title = "lines", .kind = LOCATION_FILE, .endings = LINES_ENDINGS};

static const Connector *const CONNECTORS[] = {&SERVER, &DISK, &TEXT, &LINES};
static const Registry REGISTRY = {CONNECTORS, COUNT_OF(CONNECTORS)};

typedef struct Case {
    const char *text;
    const Connector *connector;
    const char *url, *path, *compression, *shown;
} Case;

static void check_str(Str got, const char *want)
{
    if (!str_eq(got, str_from(want))) {
        fail_msg("got '%.*s', want '%s'", STR_ARG(got), want);
    }
}

static void test_forms(void **state)
{
    (void)state;
    static const Case cases[] = {
        {"x.csv", &TEXT, "", "x.csv", "", "x.csv"},
        {"dir.d/x.tsv.zst", &TEXT, "", "dir.d/x.tsv.zst", "zst", "dir.d/x.tsv.zst"},
        {"x.LINES.gz", &LINES, "", "x.LINES.gz", "gz", "x.LINES.gz"},
        {"a#b.csv", &TEXT, "", "a#b.csv", "", "a#b.csv"},
        {"a:b.csv", &TEXT, "", "a:b.csv", "", "a:b.csv"},
        {"-#lines", &LINES, "", "-", "", "-#lines"},
        {"data/*.csv", &TEXT, "", "data/*.csv", "", "data/*.csv"},
        {"log.txt#csv", &TEXT, "", "log.txt", "", "log.txt#csv"},
        {"x.csv#compression=gz", &TEXT, "", "x.csv", "gz", "x.csv#compression=gz"},
        {"file:///tmp/x.csv", &TEXT, "", "/tmp/x.csv", "", "file:///tmp/x.csv"},
        {"disk:///r.db", &DISK, "disk:///r.db", "r.db", "", "disk:///r.db"},
        {"disk+driver:////a/b.db", &DISK, "disk:////a/b.db", "/a/b.db", "",
         "disk+driver:////a/b.db"},
        {"server+driver://u:p@h/d?x=y", &SERVER, "server://u:p@h/d?x=y", "", "",
         "server+driver://u:***@h/d?x=y"},
        {"SRV://h/d", &SERVER, "srv://h/d", "", "", "SRV://h/d"},
        {"server://u:p%2F%23%40w@h/d", &SERVER, "server://u:p%2F%23%40w@h/d", "", "",
         "server://u:***@h/d"},
        {"server://h/d?password=hush&a=1", &SERVER, "server://h/d?password=hush&a=1", "", "",
         "server://h/d?password=***&a=1"},
        {"server://a:9092,b:9092/t", &SERVER, "server://a:9092,b:9092/t", "", "",
         "server://a:9092,b:9092/t"},
    };
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        Arena arena = arena_make(1 << 20);
        Location location;
        Err err = {0};
        if (location_parse(&REGISTRY, str_from(cases[i].text), &arena, &location, &err) != OK) {
            fail_msg("%s: %s", cases[i].text, err.message);
        }
        assert_ptr_equal(location.connector, cases[i].connector);
        assert_int_equal(location.kind, cases[i].connector->kind);
        check_str(location.url, cases[i].url);
        check_str(location.path, cases[i].path);
        check_str(location.compression, cases[i].compression);
        check_str(location.text, cases[i].shown);
        arena_done(&arena);
    }
}

static void test_options(void **state)
{
    (void)state;
    Arena arena = arena_make(1 << 20);
    Location location;
    Err err = {0};
    Str text = STR("x.tsv#null=NA&types=a:bigint,b:text&delimiter=%26&quote=a%zz");
    assert_int_equal(location_parse(&REGISTRY, text, &arena, &location, &err), OK);
    check_str(location_option(&location, STR("null")), "NA");
    check_str(location_option(&location, STR("types")), "a:bigint,b:text");
    check_str(location_option(&location, STR("delimiter")), "&");
    check_str(location_option(&location, STR("quote")), "a%zz");
    assert_null(location_option(&location, STR("header")).ptr);
    assert_int_equal(location_set(&location, &arena, STR("null"), STR("-"), &err), OK);
    check_str(location_option(&location, STR("null")), "-");
    assert_int_equal(location_parse(&REGISTRY, STR("x.tsv"), &arena, &location, &err), OK);
    check_str(location_option(&location, STR("delimiter")), "\t");
    assert_int_equal(location_parse(&REGISTRY, STR("disk:///x?a=%26#b=2"), &arena, &location, &err),
                     OK);
    check_str(location_option(&location, STR("a")), "&");
    check_str(location_option(&location, STR("b")), "2");
    arena_done(&arena);
}

static void test_mistakes(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "write a URL"},
        {"x.cvs", "did you mean .csv?"},
        {"x.db", "disk databases are written disk:///x.db"},
        {"-", "holds: -#csv or -#lines"},
        {"plain", "files end in .csv, .tsv or .lines, optionally"},
        {"plain", "plain#csv"},
        {"servr://h/d", "did you mean server://?"},
        {"http://h/x.csv", "known are server://, disk:/// and files that end in .csv, .tsv or"},
        {"x.csv#header", "name=value"},
        {"x.csv#compression=lz4", "gz, zst or none"},
    };
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        Arena arena = arena_make(1 << 20);
        Location location;
        Err err = {0};
        assert_int_equal(location_parse(&REGISTRY, str_from(cases[i][0]), &arena, &location, &err),
                         FAIL);
        assert_int_equal(err.kind, ERR_CONFIG);
        if (!strstr(err.hint, cases[i][1])) {
            fail_msg("%s: hint '%s' without '%s'", cases[i][0], err.hint, cases[i][1]);
        }
        arena_done(&arena);
    }
}

/* What doesn't parse is never shown beyond its scheme; its secrets are known afterwards. */
static void test_secrets(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "servr://etl:zq9X4h7word@h:1/x",
        "etl:zq9X4h7word@h:1/x",
        "zq9X4h7word@h/x",
        "host=h port=1 user=etl password=zq9X4h7word",
        "host=h password = 'zq9X4h7word' port=1",
        "jdbc:server://h:1/x?user=a&password=zq9X4h7word",
        "disk:///x.db?key=zq9X4h7word",
        "disk:///x.db?key=zq9X4h7word&x",
        "server://etl:zq9X4h7word%00word@h:1/x",
        "server://h/t#rdkafka.sasl.jaas.config=a.b required password=\"zq9X4h7word\";",
        "server://h/t#jaas=a password=\"zq9X4&h7word\"",
        "x.csv#password=zq9X4h7word&x",
        "x.csv#zq9X4h7word",
    };
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        Arena arena = arena_make(1 << 20);
        Location location = {0};
        Err err = {0};
        IGNORE(location_parse(&REGISTRY, str_from(cases[i]), &arena, &location, &err));
        Str shown = location.text;
        if (strstr(err.message, "zq9X") || strstr(err.hint, "zq9X") ||
            str_find(shown, STR("zq9X")) >= 0) {
            fail_msg("%s: \"%s\", hint \"%s\", shown \"%.*s\"", cases[i], err.message, err.hint,
                     STR_ARG(shown));
        }
        /* No name says of the last one that it is one. */
        if (i + 1 < COUNT_OF(cases)) (void)err_set(&err, ERR_CONFIG, "%s", cases[i]);
        if (strstr(err.message, "zq9X")) fail_msg("%s: \"%s\"", cases[i], err.message);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
