/* A folder for the file of a sink, and batches for it: (id INT64, name TEXT or NULL). */
#ifndef NEURON_TESTS_FILE_WORLD_H
#define NEURON_TESTS_FILE_WORLD_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "connect/sink.h"
#include "engine/column/builder.h"
#include "foundation/base/file.h"

typedef Status FileWorldNew(const SinkReq *req, Sink **ret_sink, Err *err);

typedef struct FileWorld {
    char folder[64], path[128];
    LocationOption options[2];
    Location location;
    SinkReq req;
    Buf text; /* of the file, as file_world_text read it */
} FileWorld;

static inline void file_world_init(FileWorld *w, SinkMode mode)
{
    *w = (FileWorld){.text = buf_make(1 << 20)};
    (void)snprintf(w->folder, sizeof w->folder, "/tmp/neuron-file-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    (void)snprintf(w->path, sizeof w->path, "%s/out", w->folder);
    w->location = (Location){.path = str_from(w->path), .options = w->options};
    w->req = (SinkReq){.location = &w->location, .mode = mode, .pipeline = STR("p")};
}

static inline void file_world_done(FileWorld *w)
{
    DIR *folder = opendir(w->folder);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        (void)unlinkat(dirfd(folder), entry->d_name, 0); /* the folders in it can't be */
    }
    (void)closedir(folder);
    assert_int_equal(rmdir(w->folder), 0);
    buf_done(&w->text);
}

static inline const char *file_world_text(FileWorld *w)
{
    buf_clear(&w->text);
    assert_int_equal(file_load(str_from(w->path), &w->text, NULL), OK);
    return w->text.data;
}

static inline Schema *file_world_schema(void)
{
    static const Field FIELDS[] = {{.name = {"id", 2}, .type = TYPE_INT64},
                                   {.name = {"name", 4}, .type = TYPE_TEXT}};
    Schema *schema;
    assert_int_equal(schema_new(FIELDS, 2, false, &schema, NULL), OK);
    return schema;
}

/* Rows (from, `name`) … (from + count - 1, `name`). */
static inline Batch *file_world_batch(const Schema *schema, int64_t from, int64_t count,
                                      const char *name)
{
    Builder id, text;
    Batch *batch;
    builder_init(&id, TYPE_INT64, NULL);
    builder_init(&text, TYPE_TEXT, NULL);
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(builder_int64(&id, from + i, NULL), OK);
        if (name) assert_int_equal(builder_text(&text, str_from(name), NULL), OK);
        else assert_int_equal(builder_null(&text, NULL), OK);
    }
    assert_int_equal(batch_new(schema, &batch, NULL), OK);
    assert_int_equal(builder_finish(&id, &batch->columns[0], NULL), OK);
    assert_int_equal(builder_finish(&text, &batch->columns[1], NULL), OK);
    batch->rows = count;
    return batch;
}

/* A sink with its port, before the first cycle. */
static inline Sink *file_world_sink(const FileWorld *w, FileWorldNew *make, const Schema *schema)
{
    Sink *sink;
    int32_t port = -1;
    assert_int_equal(make(&w->req, &sink, NULL), OK);
    assert_int_equal(sink_open(sink, STR("run"), 0, NULL), OK);
    assert_int_equal(sink_port(sink, PORT_OUT, STR_NULL, schema, &port, NULL), OK);
    assert_int_equal(port, 0);
    return sink;
}

static inline void file_world_commit(Sink *sink, int64_t rows)
{
    SinkCounts counts;
    Position position;
    position_init(&position);
    SinkRun run = {.run_id = STR("run")};
    CommitResult result = COMMIT_UNKNOWN;
    assert_int_equal(sink_apply(sink, NULL, &counts, NULL), OK);
    assert_int_equal(counts.loaded, rows);
    assert_int_equal(sink_commit(sink, &position, &run, &result, NULL), OK);
    assert_int_equal(result, COMMIT_DONE);
    position_done(&position);
}

/* One run of one batch, which goes. */
static inline void file_world_run(const FileWorld *w, FileWorldNew *make, Batch *batch)
{
    Sink *sink = file_world_sink(w, make, batch->schema);
    assert_int_equal(sink_begin(sink, 1, NULL), OK);
    assert_int_equal(sink_write(sink, 0, batch, NULL, NULL), OK);
    file_world_commit(sink, batch->rows);
    sink_close(sink);
    batch_unref(batch);
}

#endif
