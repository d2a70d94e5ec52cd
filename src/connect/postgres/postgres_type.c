/* The one table of PostgreSQL's types: ours, and how their values travel in binary COPY. */
#include "connect/postgres/postgres_type.h"

/* Ascending by OID. What is not here is read as text. */
static const PostgresType TYPES[] = {
    {16, "bool", TYPE_BOOL, POSTGRES_BOOL, POSTGRES_AS_IS, true},
    {17, "bytea", TYPE_BYTES, POSTGRES_BYTES, POSTGRES_AS_IS, true},
    {18, "char", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {19, "name", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_IS, true},
    {20, "int8", TYPE_INT64, POSTGRES_INT8, POSTGRES_AS_IS, true},
    {21, "int2", TYPE_INT64, POSTGRES_INT2, POSTGRES_AS_IS, true},
    {22, "int2vector", TYPE_JSON, POSTGRES_TEXT, POSTGRES_AS_JSON, false},
    {23, "int4", TYPE_INT64, POSTGRES_INT4, POSTGRES_AS_IS, true},
    {24, "regproc", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {25, "text", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_IS, true},
    {26, "oid", TYPE_INT64, POSTGRES_OID, POSTGRES_AS_IS, true},
    {27, "tid", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {28, "xid", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {29, "cid", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {30, "oidvector", TYPE_JSON, POSTGRES_TEXT, POSTGRES_AS_JSON, false},
    {114, "json", TYPE_JSON, POSTGRES_TEXT, POSTGRES_AS_IS, true},
    {142, "xml", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {600, "point", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {601, "lseg", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {602, "path", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {603, "box", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {604, "polygon", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {628, "line", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {650, "cidr", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {700, "float4", TYPE_DOUBLE, POSTGRES_FLOAT4, POSTGRES_AS_IS, true},
    {701, "float8", TYPE_DOUBLE, POSTGRES_FLOAT8, POSTGRES_AS_IS, true},
    {718, "circle", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {774, "macaddr8", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {790, "money", TYPE_NUMERIC, POSTGRES_NUMERIC, POSTGRES_AS_NUMERIC, false},
    {829, "macaddr", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {869, "inet", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_OUTPUT, false},
    {1033, "aclitem", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {1042, "bpchar", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_IS, true},
    {1043, "varchar", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_IS, true},
    {1082, "date", TYPE_DATE, POSTGRES_DATE, POSTGRES_AS_IS, true},
    {1083, "time", TYPE_TIME, POSTGRES_TIME, POSTGRES_AS_IS, true},
    {1114, "timestamp", TYPE_TIMESTAMP, POSTGRES_TIMESTAMP, POSTGRES_AS_IS, true},
    {1184, "timestamptz", TYPE_TIMESTAMPTZ, POSTGRES_TIMESTAMP, POSTGRES_AS_IS, true},
    {1186, "interval", TYPE_INTERVAL, POSTGRES_INTERVAL, POSTGRES_AS_IS, true},
    {1266, "timetz", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {1560, "bit", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {1562, "varbit", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {1700, "numeric", TYPE_NUMERIC, POSTGRES_NUMERIC, POSTGRES_AS_IS, true},
    {2202, "regprocedure", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {2205, "regclass", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {2206, "regtype", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {2950, "uuid", TYPE_UUID, POSTGRES_UUID, POSTGRES_AS_IS, true},
    {2970, "txid_snapshot", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {3220, "pg_lsn", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {3614, "tsvector", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {3615, "tsquery", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {3802, "jsonb", TYPE_JSON, POSTGRES_JSONB, POSTGRES_AS_IS, true},
    {3904, "int4range", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {3906, "numrange", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {3908, "tsrange", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {3910, "tstzrange", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {3912, "daterange", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {3926, "int8range", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {4072, "jsonpath", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {4089, "regnamespace", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {4096, "regrole", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {5038, "pg_snapshot", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
    {5069, "xid8", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false},
};

const PostgresType *postgres_type_find(uint32_t oid)
{
    int64_t low = 0, high = COUNT_OF(TYPES);
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (TYPES[middle].oid == oid) return &TYPES[middle];
        if (TYPES[middle].oid < oid) low = middle + 1;
        else high = middle;
    }
    return NULL;
}

PostgresType postgres_type_other(uint32_t oid, char typtype, char typcategory)
{
    PostgresType type = {oid, "text", TYPE_TEXT, POSTGRES_TEXT, POSTGRES_AS_TEXT, false};
    if (typtype == 'e') {
        type.name = "enum";
        type.read = POSTGRES_AS_IS;
        type.encodable = true;
    } else if (typcategory == 'A') {
        type.name = "array";
        type.type = TYPE_JSON;
        type.read = POSTGRES_AS_JSON;
    }
    return type;
}

void postgres_type_numeric(int32_t typmod, int32_t *ret_precision, int32_t *ret_scale)
{
    *ret_precision = *ret_scale = 0;
    if (typmod < 4) return;
    *ret_precision = ((typmod - 4) >> 16) & 0xffff;
    *ret_scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
}

const char *postgres_type_of(TypeId type)
{
    switch (type) {
    case TYPE_BOOL:
        return "boolean";
    case TYPE_INT64:
        return "bigint";
    case TYPE_DOUBLE:
        return "double precision";
    case TYPE_NUMERIC:
        return "numeric";
    case TYPE_BYTES:
        return "bytea";
    case TYPE_JSON:
        return "jsonb";
    case TYPE_DATE:
        return "date";
    case TYPE_TIME:
        return "time";
    case TYPE_TIMESTAMP:
        return "timestamp";
    case TYPE_TIMESTAMPTZ:
        return "timestamptz";
    case TYPE_INTERVAL:
        return "interval";
    case TYPE_UUID:
        return "uuid";
    case TYPE_TEXT:
    case TYPE_DYNAMIC:
    case TYPE_COUNT:
        break;
    }
    return "text";
}
