/* What a format of files is: how rows become bytes. Everything else about a file is shared. */
#ifndef NEURON_FILE_FORMAT_H
#define NEURON_FILE_FORMAT_H

#include "connect/sink.h"

/* How one format writes. The functions append to `out`; `state` is the writer's own, `state_bytes`
 * of zeros before open. One thread. */
typedef struct FileFormat {
    const char *file;   /* for messages: "a CSV file" */
    const char *values; /* what the plan says that values become: "text" */
    bool can_append;    /* rows may follow those of an earlier run: the format has no footer */
    int64_t state_bytes;
    /* FAIL: ERR_CONFIG, rows of that schema can't be written. NULL: all can. */
    Status (*check)(const Schema *schema, Err *err);
    /* Prepare for rows of that schema. NULL: nothing to prepare. */
    Status (*open)(void *state, const Location *location, const Schema *schema, Err *err);
    /* append: rows are to follow those of a file that begins with these bytes (`whole`: they are
     * all of it). FAIL: ERR_SCHEMA, they would not read as they were written. Before each cycle.
     * NULL: any rows may follow any. */
    Status (*follow)(void *state, Str head, bool whole, Err *err);
    /* What a file begins with; an appended one only where it is empty. NULL: nothing. */
    Status (*header)(void *state, Buf *out, Err *err);
    Status (*rows)(void *state, const Batch *batch, Buf *out, Err *err);
    /* What it ends with, after all rows of the run. NULL: nothing. */
    Status (*footer)(void *state, Buf *out, Err *err);
    /* Also after an open that failed or never was. NULL: nothing to free. */
    void (*close)(void *state);
} FileFormat;

/* A sink that writes such files: whole or not at all, or appended with a journal (file_sink.h). The
 * request is borrowed. FAIL: ERR_CONFIG where its mode is none for the format. */
MUST_USE Status file_format_sink(const FileFormat *format, const SinkReq *req, Sink **ret_sink,
                                 Err *err);

#endif
