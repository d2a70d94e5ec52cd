/* Fuzz target: CSV files read with inference and rejects, written and read again. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "connect/connectors.h"
#include "foundation/base/clock.h"
#include "foundation/base/file.h"

static const Connector *const CONNECTORS[] = {&csv_connector};
static const Registry REGISTRY = {CONNECTORS, 1};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Rows and rejects of the file; -1: the file as a whole was refused. */
static int64_t read_all(const Location *location)
{
    Err err = {0};
    SourceReq req = {.location = location, .rejects = true};
    Source *source = NULL;
    SourceInfo info = {.arena = arena_make(1 << 22)};
    if (csv_connector.source_new(&req, &source, &err) != OK) abort();
    int64_t rows = 0;
    Status status = source_describe(source, &info, &err);
    if (status == OK) status = source_open(source, NULL, NULL, &err);
    while (status == OK) {
        SourceEvent event = {0};
        status = source_next(source, 0, clock_mono_ns(), &event, &err);
        if (status != OK || event.kind == SOURCE_END) break;
        rows += event.batch ? event.batch->rows : 0;
        rows += event.rejects ? event.rejects->rows : 0;
        batch_unref(event.batch);
        batch_unref(event.rejects);
    }
    if (status != OK && err.kind == ERR_INTERNAL) abort();
    source_info_done(&info);
    source_close(source);
    return status == OK ? rows : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    Err err = {0};
    (void)snprintf(path, sizeof path, "/tmp/neuron-fuzz-%ld.csv", (long)getpid());
    FILE *file = fopen(path, "wb");
    if (!file) abort();
    if (fwrite(data, 1, size, file) != size) abort();
    (void)fclose(file);
    Arena arena = arena_make(1 << 20);
    Location location;
    if (location_parse(&REGISTRY, str_from(path), &arena, &location, &err) != OK) abort();
    int64_t once = read_all(&location);
    if (read_all(&location) != once) abort();
    arena_done(&arena);
    (void)unlink(path);
    return 0;
}
