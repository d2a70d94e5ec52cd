/* Types by name, fields and schemas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/column/type.h"

static void parses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        TypeId type;
        int32_t precision, scale;
    } cases[] = {
        {"boolean", TYPE_BOOL, 0, 0},
        {"BOOL", TYPE_BOOL, 0, 0},
        {"int2", TYPE_INT64, 0, 0},
        {"smallint", TYPE_INT64, 0, 0},
        {"int", TYPE_INT64, 0, 0},
        {"int4", TYPE_INT64, 0, 0},
        {"Integer", TYPE_INT64, 0, 0},
        {"int8", TYPE_INT64, 0, 0},
        {"bigint", TYPE_INT64, 0, 0},
        {"real", TYPE_DOUBLE, 0, 0},
        {"float4", TYPE_DOUBLE, 0, 0},
        {"float8", TYPE_DOUBLE, 0, 0},
        {"double precision", TYPE_DOUBLE, 0, 0},
        {"double", TYPE_DOUBLE, 0, 0},
        {"float", TYPE_DOUBLE, 0, 0},
        {"numeric", TYPE_NUMERIC, 0, 0},
        {"numeric(10,2)", TYPE_NUMERIC, 10, 2},
        {" decimal ( 38 , 38 ) ", TYPE_NUMERIC, 38, 38},
        {"numeric(7)", TYPE_NUMERIC, 7, 0},
        {"text", TYPE_TEXT, 0, 0},
        {"varchar(20)", TYPE_TEXT, 0, 0},
        {"character varying(20)", TYPE_TEXT, 0, 0},
        {"char", TYPE_TEXT, 0, 0},
        {"string", TYPE_TEXT, 0, 0},
        {"bytea", TYPE_BYTES, 0, 0},
        {"blob", TYPE_BYTES, 0, 0},
        {"json", TYPE_JSON, 0, 0},
        {"JSONB", TYPE_JSON, 0, 0},
        {"date", TYPE_DATE, 0, 0},
        {"time", TYPE_TIME, 0, 0},
        {"time(3) without time zone", TYPE_TIME, 0, 0},
        {"timestamp", TYPE_TIMESTAMP, 0, 0},
        {"timestamp without time zone", TYPE_TIMESTAMP, 0, 0},
        {"timestamp(3)", TYPE_TIMESTAMP, 0, 0},
        {"timestamptz", TYPE_TIMESTAMPTZ, 0, 0},
        {"timestamp with time zone", TYPE_TIMESTAMPTZ, 0, 0},
        {"timestamp(6) with time zone", TYPE_TIMESTAMPTZ, 0, 0},
        {"interval", TYPE_INTERVAL, 0, 0},
        {"uuid", TYPE_UUID, 0, 0},
        {"dynamic", TYPE_DYNAMIC, 0, 0},
    };
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        TypeId type = TYPE_COUNT;
        int32_t precision = -1, scale = -1;
        assert_true(type_parse(str_from(cases[i].text), &type, &precision, &scale));
        assert_int_equal(type, cases[i].type);
        assert_int_equal(precision, cases[i].precision);
        assert_int_equal(scale, cases[i].scale);
    }
}

static void refuses(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "integers",
        "numeric(",
        "numeric()",
        "numeric(39)",
        "numeric(0)",
        "numeric(5,6)",
        "numeric(5,-1)",
        "numeric(1,2,3)",
        "numeric)5(",
        "numeric(5) more",
        "time with time zone",
        "time(3) with time zone",
        "timestamp(3) with",
        "text[]",
        "varchar(x)",
    };
    for (int64_t i = 0; i < COUNT_OF(cases); i++) {
        TypeId type;
        int32_t precision, scale;
        assert_false(type_parse(str_from(cases[i]), &type, &precision, &scale));
    }
}

/* Every type's own name reads back as itself. */
static void names(void **state)
{
    (void)state;
    for (int32_t i = 0; i < TYPE_COUNT; i++) {
        TypeId type = TYPE_COUNT;
        int32_t precision, scale;
        assert_true(type_parse(str_from(type_name((TypeId)i)), &type, &precision, &scale));
        assert_int_equal(type, i);
    }
    assert_int_equal(type_width(TYPE_BOOL), 0);
    assert_int_equal(type_width(TYPE_TEXT), 16);
    assert_true(type_is_view(TYPE_JSON) && !type_is_view(TYPE_UUID));
}

static void schemas(void **state)
{
    (void)state;
    char name[] = "customer";
    Str except[] = {STR("x"), STR("y")};
    Field fields[] = {
        {.name = str_from(name), .type = TYPE_TEXT, .native = STR("VARCHAR(20)")},
        {.name = STR("amount"),
         .type = TYPE_NUMERIC,
         .spread_except = except,
         .spread_except_count = 2},
    };
    Err err = {0};
    Schema *schema = NULL, *other = NULL;
    assert_int_equal(schema_new(fields, 2, false, &schema, &err), OK);
    name[0] = 'X';
    except[1] = STR("changed");
    assert_int_equal(schema_find(schema, STR("customer")), 0);
    assert_int_equal(schema_find(schema, STR("Customer")), -1);
    assert_int_equal(schema_find(schema, STR("")), -1);
    assert_true(str_eq(schema->fields[1].spread_except[1], STR("y")));
    assert_true(str_eq(schema_nearest(schema, STR("custmer")), STR("customer")));
    assert_null(schema_nearest(schema, STR("region")).ptr);
    assert_int_equal(schema_new(fields, 2, false, &other, &err), OK);
    assert_false(schema_eq(schema, other));
    assert_true(schema_eq(schema, schema));
    schema_unref(other);
    assert_int_equal(schema_new(schema->fields, 1, false, &other, &err), OK);
    assert_false(schema_eq(schema, other));
    Schema *again = schema_ref(schema);
    assert_ptr_equal(again, schema);
    schema_unref(schema);
    assert_int_equal(schema_find(again, STR("amount")), 1);
    schema_unref(again);
    schema_unref(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses),
        cmocka_unit_test(refuses),
        cmocka_unit_test(names),
        cmocka_unit_test(schemas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
