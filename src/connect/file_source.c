/* Bytes of the files that a location names: one, several by a pattern, or standard input. */
#include "connect/file_source.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "foundation/base/clock.h"
#include "foundation/base/file.h"
#include "foundation/base/mem.h"
#include "foundation/codec/compress.h"

enum { ROW_LEAST = 1 << 20, ROW_MAX = 256 << 20 };
enum { SPOOL_CHUNK = 1 << 20 };

struct FileSource {
    const Location *location;
    Str spool_folder;
    const _Atomic bool *stop;
    glob_t names;
    bool globbed;
    bool piped; /* standard input, or a FIFO: can be read once */
    int64_t count, next;
    int fd;
    int spool; /* what came out of a pipe, put aside; -1: not */
    int64_t spool_at;
    Decompressor *decompressor;
    int64_t bytes;
};

int64_t file_source_row_max(int64_t memory_bytes)
{
    if (memory_bytes <= 0) return ROW_MAX;
    return int64_max(ROW_LEAST, int64_min(memory_bytes / 8, ROW_MAX));
}

static bool is_stdin(const FileSource *s)
{
    return str_eq(s->location->path, STR("-"));
}

static FileStop stop_of(const FileSource *s)
{
    return (FileStop){.stop = s->stop};
}

/* The path as a pattern. A file whose name holds pattern characters is itself. */
static void pattern_of(Str name, char pattern[2 * PATH_MAX])
{
    bool exact = file_exists(name);
    int64_t len = 0;
    for (int64_t i = 0; i < name.len; i++) {
        if (exact && strchr("*?[]\\", name.ptr[i])) pattern[len++] = '\\';
        pattern[len++] = name.ptr[i];
    }
    pattern[len] = 0;
}

static Status find_files(FileSource *s, Err *err)
{
    char path[2 * PATH_MAX];
    Str name = s->location->path;
    if (name.len >= PATH_MAX) return err_set(err, ERR_NOT_FOUND, "the path is too long");
    pattern_of(name, path);
    int code = glob(path, 0, NULL, &s->names);
    s->globbed = true;
    if (code == GLOB_NOSPACE) return err_memory(err);
    s->count = code == 0 ? (int64_t)s->names.gl_pathc : 0;
    bool pattern = str_find_char(name, '*') >= 0 || str_find_char(name, '?') >= 0 ||
                   str_find_char(name, '[') >= 0;
    if (s->count == 0) {
        (void)err_set(err, ERR_NOT_FOUND, "%s: %.*s", pattern ? "no file matches" : "no such file",
                      STR_ARG(name));
        (void)err_where(err, "%.*s", STR_ARG(name));
        return err_hint(err, "paths are relative to the folder that neuron is started in");
    }
    s->piped = s->count == 1 && file_is_stream(str_from(s->names.gl_pathv[0]));
    for (int64_t i = 0; i < s->count && !s->piped; i++) {
        CLEANUP(file_close_p) int fd = -1;
        int64_t size = 0;
        TRY(file_open(str_from(s->names.gl_pathv[i]), O_RDONLY, 0, &fd, err));
        TRY(file_size(fd, &size, err));
        s->bytes += size;
    }
    return OK;
}

Status file_source_new(const Location *location, Str spool_folder, const _Atomic bool *stop,
                       FileSource **ret_source, Err *err)
{
    FileSource *s = mem_zalloc((int64_t)sizeof *s);
    if (!s) return err_memory(err);
    s->location = location;
    s->spool_folder = spool_folder;
    s->stop = stop;
    s->fd = -1;
    s->spool = -1;
    if (is_stdin(s)) {
        s->piped = true;
        s->count = 1;
    } else if (find_files(s, err) != OK) {
        file_source_free(s);
        return FAIL;
    }
    if (s->piped) s->bytes = -1;
    *ret_source = s;
    return OK;
}

static void close_file(FileSource *s)
{
    decompressor_free(s->decompressor);
    s->decompressor = NULL;
    if (s->fd > STDIN_FILENO) file_close(s->fd);
    s->fd = -1;
}

void file_source_free(FileSource *s)
{
    if (!s) return;
    close_file(s);
    if (s->spool >= 0) file_close(s->spool);
    if (s->globbed) globfree(&s->names);
    mem_free(s);
}

static Status read_raw(void *source, void *buffer, int64_t size, int64_t *ret_len, Err *err)
{
    FileSource *s = source;
    if (s->spool >= 0) {
        TRY(file_read_at(s->spool, buffer, size, s->spool_at, ret_len, err));
        s->spool_at += *ret_len;
        return OK;
    }
    if (s->stop && atomic_load(s->stop)) return err_set(err, ERR_CANCELLED, "cancelled");
    return file_read_wait(s->fd, buffer, size, stop_of(s), ret_len, err);
}

static Status open_file(FileSource *s, Err *err)
{
    s->fd = STDIN_FILENO;
    if (is_stdin(s)) return OK;
    return file_open_wait(str_from(s->names.gl_pathv[s->next]), O_RDONLY, stop_of(s), &s->fd, err);
}

Status file_source_next(FileSource *s, bool *ret_more, Err *err)
{
    close_file(s);
    *ret_more = s->next < s->count;
    if (!*ret_more) return OK;
    if (s->spool < 0) TRY(open_file(s, err));
    if (!s->piped) (void)posix_fadvise(s->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    s->next++;
    if (s->location->compression.len == 0) return OK;
    return decompressor_new(s->location->compression, read_raw, s, &s->decompressor, err);
}

Status file_source_read(void *source, void *buffer, int64_t size, int64_t *ret_len, Err *err)
{
    FileSource *s = source;
    Status status = s->decompressor ? decompressor_read(s->decompressor, buffer, size, ret_len, err)
                                    : read_raw(s, buffer, size, ret_len, err);
    if (status == OK) return OK;
    (void)err_where(err, "%.*s", STR_ARG(file_source_name(s)));
    return err_prefix(err, "%.*s: ", STR_ARG(file_source_name(s)));
}

Status file_source_spool(FileSource *s, Err *err)
{
    if (!s->piped || s->spool >= 0) return OK;
    int spool = -1;
    TRY(file_temporary(s->spool_folder, &spool, err));
    char *chunk = mem_alloc(SPOOL_CHUNK);
    int64_t len = 0, at = 0;
    Status status = chunk ? open_file(s, err) : err_memory(err);
    do {
        if (status == OK) status = read_raw(s, chunk, SPOOL_CHUNK, &len, err);
        if (status == OK) status = file_write_at(spool, str_make(chunk, len), at, err);
        at += len;
    } while (status == OK && len > 0);
    mem_free(chunk);
    close_file(s);
    s->spool = spool;
    s->bytes = at;
    if (status == OK) return OK;
    return err_prefix(err, "%.*s, put aside on disk: ", STR_ARG(file_source_name(s)));
}

Status file_source_rewind(FileSource *s, Err *err)
{
    if (s->piped && s->spool < 0 && s->next > 0) {
        return err_set(err, ERR_INTERNAL, "a pipe can't be read twice");
    }
    close_file(s);
    s->next = 0;
    s->spool_at = 0;
    return OK;
}

bool file_source_ready(const FileSource *s, int64_t deadline_ns)
{
    if (!s->piped || s->spool >= 0 || s->fd < 0) return true;
    int64_t wait_ms = (deadline_ns - clock_mono_ns()) / 1000000;
    struct pollfd one = {.fd = s->fd, .events = POLLIN};
    return poll(&one, 1, wait_ms > 0 ? (int)int64_min(wait_ms, 1000) : 0) > 0;
}

Str file_source_name(const FileSource *s)
{
    if (is_stdin(s)) return STR("standard input");
    int64_t at = s->next > 0 ? s->next - 1 : 0;
    return str_from(s->names.gl_pathv[at]);
}

void file_source_describe(const FileSource *s, SourceInfo *info)
{
    info->bytes_estimate = s->bytes;
    info->replayable = !s->piped;
}
