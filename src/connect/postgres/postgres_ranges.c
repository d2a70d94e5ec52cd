/* One big table in ranges of pages, so that several sessions read it side by side. */
#include "connect/postgres/postgres_ranges.h"
#include "connect/postgres/postgres_location.h"
#include "connect/postgres/postgres_part.h"
#include "foundation/base/mem.h"
#include "foundation/base/number.h"

enum {
    RANGES_SERVER_MIN = 140000, /* before, each range would be a scan of the whole table */
    RANGES_PAGES_MIN = 64,      /* a smaller table is read by one session */
    RANGES_PAGES_MAX = 16384,   /* 128 MB: ranges are handed out as readers get free */
    RANGES_MAX = 100000,
};

static Status range_add(PostgresSource *self, Str table, int64_t from, int64_t to, Err *err)
{
    if (self->readers.range_count == self->readers.range_capacity) {
        int32_t capacity = self->readers.range_capacity ? self->readers.range_capacity * 2 : 16;
        PostgresRange *ranges =
            mem_realloc(self->readers.ranges, capacity * (int64_t)sizeof *ranges);
        if (!ranges) return err_memory(err);
        self->readers.ranges = ranges;
        self->readers.range_capacity = capacity;
    }
    if (self->readers.range_count >= RANGES_MAX) return err_set(err, ERR_LIMIT, "too many ranges");
    PostgresRange *range = &self->readers.ranges[self->readers.range_count++];
    *range = (PostgresRange){.from_page = from, .to_page = to};
    return arena_copy(&self->readers.range_arena, table, &range->table, err);
}

/* The last range is open: pages that come while we read belong to no snapshot of ours anyway. */
static Status table_ranges(PostgresSource *self, Str table, int64_t pages, int32_t parallel,
                           Err *err)
{
    int64_t size = pages / (parallel * INT64_C(16)) + 1;
    size = int64_min(int64_max(size, RANGES_PAGES_MIN / 4), RANGES_PAGES_MAX);
    for (int64_t from = 0; from < pages || from == 0; from += size) {
        bool last = from + size >= pages;
        TRY(range_add(self, table, from, last ? -1 : from + size, err));
    }
    return OK;
}

/* Ordinary tables and the leaves of partitioned ones; nothing else has pages of its own. */
static Status leaves(PostgresSource *self, PGresult **ret_result, Err *err)
{
    CLEANUP(buf_done) Buf name = buf_make(1 << 16);
    TRY(postgres_db_quote_table(&name, self->source.req->table, err));
    Str table = buf_str(&name);
    return postgres_db_query(
        self->db,
        "SELECT l.relid::regclass::text, "
        "pg_catalog.pg_relation_size(l.relid) / pg_catalog.current_setting('block_size')::bigint "
        "FROM (SELECT t.relid FROM pg_catalog.pg_partition_tree($1::regclass) t WHERE t.isleaf "
        "UNION SELECT $1::regclass WHERE NOT EXISTS "
        "(SELECT 1 FROM pg_catalog.pg_partition_tree($1::regclass))) AS l(relid) "
        "JOIN pg_catalog.pg_class c ON c.oid = l.relid "
        "JOIN pg_catalog.pg_am m ON m.oid = c.relam "
        "WHERE c.relkind IN ('r', 'm') AND m.amname = 'heap' "
        "AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_partition_tree($1::regclass) p "
        "JOIN pg_catalog.pg_class f ON f.oid = p.relid WHERE f.relkind NOT IN ('r', 'p', 'm')) "
        "ORDER BY 2 DESC",
        &table, 1, ret_result, err);
}

Status postgres_ranges_make(PostgresSource *self, Err *err)
{
    const SourceReq *req = self->source.req;
    bool wanted = req->limits.parallel > 1 && req->table.len && !req->limits.rows_max &&
                  !req->incremental.from.len && !req->within;
    if (!wanted || PQserverVersion(postgres_db_conn(self->db)) < RANGES_SERVER_MIN) return OK;
    CLEANUP(postgres_db_clear_p) PGresult *tables = NULL;
    TRY(leaves(self, &tables, err));
    int64_t total = 0, pages = 0;
    for (int i = 0; i < PQntuples(tables); i++) {
        (void)number_parse_int64(postgres_db_text(tables, i, 1), &pages);
        total += pages;
    }
    if (total < RANGES_PAGES_MIN) return OK;
    for (int i = 0; i < PQntuples(tables); i++) {
        pages = 0;
        (void)number_parse_int64(postgres_db_text(tables, i, 1), &pages);
        TRY(table_ranges(self, postgres_db_text(tables, i, 0), pages, req->limits.parallel, err));
    }
    return OK;
}

Status postgres_ranges_condition(const PostgresRange *range, Buf *out, Err *err)
{
    TRY(buf_printf(out, err, "ctid >= '(%lld,0)'", (long long)range->from_page));
    if (range->to_page < 0) return OK;
    return buf_printf(out, err, " AND ctid < '(%lld,0)'", (long long)range->to_page);
}

static Status reader_open(PostgresSource *self, PostgresPart *part, Str snapshot, Err *err)
{
    TRY(postgres_open(self->source.req->location, self->source.req->stop, &part->db, err));
    TRY(postgres_db_begin(part->db, POSTGRES_READ_MODE, POSTGRES_ZONE_SESSION, err));
    CLEANUP(buf_done) Buf sql = buf_make(1 << 12);
    TRY(buf_append(&sql, STR("SET TRANSACTION SNAPSHOT "), err));
    TRY(postgres_db_literal(part->db, &sql, snapshot, err));
    TRY(buf_terminate(&sql, err));
    return postgres_db_exec(part->db, sql.data, err);
}

Status postgres_ranges_readers(PostgresSource *self, Err *err)
{
    CLEANUP(postgres_db_clear_p) PGresult *result = NULL;
    if (self->readers.part_count < 2) return OK;
    TRY(postgres_db_query(self->db, "SELECT pg_catalog.pg_export_snapshot()", NULL, 0, &result,
                          err));
    for (int32_t i = 1; i < self->readers.part_count; i++) {
        TRY(reader_open(self, &self->readers.parts[i], postgres_db_text(result, 0, 0), err));
    }
    return OK;
}
