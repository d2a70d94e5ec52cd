/* What the files of the sink of files share. */
#ifndef NEURON_FILE_SINK_IMPL_H
#define NEURON_FILE_SINK_IMPL_H

#include <limits.h>
#include <stdatomic.h>

#include "connect/file_rejects.h"
#include "connect/file_sink.h"
#include "connect/file_temporary.h"
#include "foundation/codec/compress.h"

/* How an appended file begins: as ours would, and as the one did that rows were made to follow (no
 * room yet: they weren't). */
typedef struct FileHead {
    Buf ours, there;
} FileHead;

struct FileSink {
    const SinkReq *req;
    bool append, is_stdout, open;
    bool is_device; /* a pipe, a terminal, /dev/null: written to as it is */
    int fd;         /* append: of what waits for the commit, when it got too much for `out` */
    Buf out;        /* what was not written yet */
    Compressor *compressor;
    char path[PATH_MAX];
    char place[PATH_MAX]; /* replace: of the file itself, where `path` is a link to it */
    char temporary[FILE_TEMPORARY_MAX];

    /* append */
    FileHead head;
    int64_t staged; /* bytes in `fd` */
    int64_t cycle;
    bool shared, checked;
    bool looked; /* `seen` is the position that the owner committed last */
    Buf seen;
    SinkParts parts; /* of a stream's topic that others append too: those that are ours */
    _Atomic bool cancelled;
};

/* FAIL always: the file's name in front of the error. */
static inline Status file_sink_name_error(const FileSink *s, Err *err)
{
    (void)err_where(err, "%s", s->path);
    return err_prefix(err, "%s: ", s->path);
}

/* The appended file, opened, and nobody else's until it is closed. */
MUST_USE Status file_sink_open_locked(const FileSink *sink, int *ret_fd, Err *err);
MUST_USE Status file_sink_cut(int fd, int64_t length, Err *err);
/* Under the lock: of the file that has this length, rows may follow as file_sink_head said, or its
 * beginning is what ours would be. FAIL: ERR_FENCED. */
MUST_USE Status file_sink_head_holds(FileSink *sink, int fd, int64_t length, Err *err);

#endif
