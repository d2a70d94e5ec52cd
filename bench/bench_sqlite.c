/* Loading CSV into SQLite beside a bare loop of a prepared INSERT over the same split fields. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "foundation/base/file.h"
#include "foundation/base/number.h"
#include "foundation/codec/csv_scan.h"

enum { ROWS = 2000000, COLUMNS = 5 };
#define GOAL 0.85

static bool generate(void)
{
    FILE *file = fopen("in.csv", "w");
    if (!file) return false;
    (void)fputs("id,name,amount,city,note\n", file);
    for (int i = 0; i < ROWS; i++) {
        (void)fprintf(file, "%d,name of %d,%d.25,city %d,%s\n", i, i, i % 9999, i % 97,
                      i % 3 ? "a note of some length" : "");
    }
    return fclose(file) == 0;
}

static void bind_field(sqlite3_stmt *statement, int column, Str text)
{
    int64_t integer;
    double real;
    if (text.len == 0) (void)sqlite3_bind_null(statement, column);
    else if (column == 1 && number_parse_int64(text, &integer) == NUMBER_OK) {
        (void)sqlite3_bind_int64(statement, column, integer);
    } else if (column == 3 && number_parse_double(text, &real) == NUMBER_OK) {
        (void)sqlite3_bind_double(statement, column, real);
    } else {
        (void)sqlite3_bind_text(statement, column, text.ptr, (int)text.len, SQLITE_STATIC);
    }
}

static void insert_rows(sqlite3_stmt *statement, const CsvScan *scan, const char *data)
{
    int64_t field = COLUMNS; /* after the header */
    for (int64_t row = 1; row < scan->row_count; row++) {
        for (int column = 1; column <= COLUMNS; column++, field++) {
            int64_t start = csv_scan_start(scan, field);
            bind_field(statement, column, str_make(data + start, scan->ends[field] - start));
        }
        if (sqlite3_step(statement) != SQLITE_DONE) abort();
        (void)sqlite3_reset(statement);
    }
}

/* What anybody would write by hand: split, convert, bind, step, in one transaction. */
static int bare_loop(void)
{
    Err err = {0};
    Buf text = buf_make(INT64_C(1) << 30);
    CsvScan scan;
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    if (file_load(STR("in.csv"), &text, &err) != OK) return 1;
    if (buf_reserve(&text, CSV_SCAN_PADDING, &err) != OK) return 1;
    csv_scan_init(&scan, ',', '\n');
    if (csv_scan_run(&scan, (const uint8_t *)text.data, text.len, true, &err) != OK) return 1;
    (void)sqlite3_open("bare.db", &db);
    (void)sqlite3_exec(db,
                       "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; BEGIN; CREATE TABLE t "
                       "(id INTEGER, name TEXT, amount REAL, city TEXT, note TEXT)",
                       NULL, NULL, NULL);
    (void)sqlite3_prepare_v2(db, "INSERT INTO t VALUES (?, ?, ?, ?, ?)", -1, &statement, NULL);
    insert_rows(statement, &scan, text.data);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    (void)sqlite3_close(db);
    csv_scan_done(&scan);
    buf_done(&text);
    return 0;
}

/* CPU seconds of a child. */
static double child_cpu(int (*work)(void), char *const argv[])
{
    pid_t pid = fork();
    if (pid == 0) {
        if (work) _exit(work());
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(null, 1);
        (void)execv(argv[0], argv);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    if (wait4(pid, &status, 0, &usage) < 0 || status != 0) abort();
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int64_t sum_of_rows(const char *name)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    int64_t sum = -1;
    (void)sqlite3_open(name, &db);
    if (sqlite3_prepare_v2(db, "SELECT sum(id) + count(name) + count(note) FROM t", -1, &s, NULL) ==
            SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        sum = sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
    return sum;
}

/* Bytes of a file and its modification, to see whether anything was written. */
static struct stat look(const char *name)
{
    struct stat info = {0};
    (void)stat(name, &info);
    return info;
}

static bool unchanged_run(char *neuron)
{
    char *upsert[] = {neuron,  "copy", "in.csv", "sqlite:///up.db", "--table", "t",
                      "--key", "id",   "--mode", "upsert",          NULL};
    double first = child_cpu(NULL, upsert);
    struct stat before = look("up.db");
    double second = child_cpu(NULL, upsert);
    struct stat after = look("up.db"), wal = look("up.db-wal");
    bool same = before.st_size == after.st_size && before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
                before.st_mtim.tv_nsec == after.st_mtim.tv_nsec && wal.st_size == 0;
    (void)printf("  %s upsert %.2f CPU s, again unchanged %.2f CPU s: the database file was %s\n",
                 same ? "reached" : "MISSED ", first, second, same ? "not written" : "written");
    return same;
}

static bool measure(char *neuron)
{
    char *append[] = {neuron,
                      "copy",
                      "in.csv#types=id:bigint,name:text,amount:double,city:text,note:text",
                      "sqlite:///ours.db",
                      "--table",
                      "t",
                      NULL};
    double bare = child_cpu(bare_loop, NULL), ours = child_cpu(NULL, append);
    for (int i = 0; i < 2; i++) {
        (void)unlink("bare.db");
        (void)unlink("ours.db");
        double again = child_cpu(bare_loop, NULL);
        bare = again < bare ? again : bare;
        again = child_cpu(NULL, append);
        ours = again < ours ? again : ours;
    }
    if (sum_of_rows("bare.db") != sum_of_rows("ours.db")) abort();
    bool reached = bare / ours >= GOAL;
    (void)printf(
        "  %s %d rows: bare loop %.2f CPU s, neuron %.2f CPU s: %.0f %% (goal >= %.0f %%)\n",
        reached ? "reached" : "MISSED ", ROWS, bare, ours, bare / ours * 100, GOAL * 100);
    return reached;
}

int main(int argc, char **argv)
{
    (void)argc;
    char folder[] = "/tmp/neuron-bench-XXXXXX";
    char *folder_of_us = realpath(argv[0], NULL);
    char *slash = folder_of_us ? strrchr(folder_of_us, '/') : NULL;
    char neuron[4096];
    if (!slash) return 1;
    (void)snprintf(neuron, sizeof neuron, "%.*s/neuron", (int)(slash - folder_of_us), folder_of_us);
    free(folder_of_us);
    if (!mkdtemp(folder) || chdir(folder) != 0 || !generate()) return 1;
    bool reached = measure(neuron);
    reached &= unchanged_run(neuron);
    static const char *const NAMES[] = {"in.csv", "bare.db",   "ours.db",
                                        "up.db",  "up.db-wal", "up.db-shm"};
    for (int64_t i = 0; i < COUNT_OF(NAMES); i++) (void)unlink(NAMES[i]);
    if (chdir("/") != 0 || rmdir(folder) != 0) return 1;
    return reached ? 0 : 1;
}
