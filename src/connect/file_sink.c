/* Files written whole or not at all; appended files that survive a kill at any moment. */
#include "connect/file_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "foundation/base/file.h"
#include "foundation/base/mem.h"
#include "foundation/codec/compress.h"
#include "foundation/codec/json_tree.h"

enum { FILE_SINK_BUFFER = 1 << 18 };

struct FileSink {
    const Location *location;
    bool append, is_stdout, open;
    bool is_device; /* a pipe, a terminal, /dev/null: written to as it is */
    int fd;
    Buf out; /* what was not written yet */
    Compressor *compressor;
    char path[PATH_MAX];
    char temporary[PATH_MAX + 64];
    char journal[PATH_MAX + 64];
    int64_t committed; /* append: length that counts */
    int64_t length;    /* append: with what was written since */
};

Status file_sink_new(const Location *location, bool append, FileSink **ret_sink, Err *err)
{
    FileSink *s = mem_zalloc((int64_t)sizeof *s);
    if (!s) return err_memory(err);
    s->location = location;
    s->fd = -1;
    s->is_stdout = str_eq(location->path, STR("-"));
    s->append = append && !s->is_stdout;
    s->out = buf_make(INT64_C(1) << 32);
    if (location->path.len > PATH_MAX - 40) {
        file_sink_free(s);
        return err_set(err, ERR_NOT_FOUND, "the path is too long");
    }
    (void)snprintf(s->path, sizeof s->path, "%.*s", STR_ARG(location->path));
    struct stat info;
    s->is_device = !s->is_stdout && stat(s->path, &info) == 0 && !S_ISREG(info.st_mode) &&
                   !S_ISDIR(info.st_mode);
    if (s->is_device) s->append = false;
    *ret_sink = s;
    return OK;
}

static bool is_replaced(const FileSink *s)
{
    return !s->append && !s->is_stdout && !s->is_device;
}

static void close_file(FileSink *s)
{
    if (s->fd > STDOUT_FILENO) file_close(s->fd);
    s->fd = -1;
    compressor_free(s->compressor);
    s->compressor = NULL;
    s->open = false;
}

void file_sink_free(FileSink *s)
{
    if (!s) return;
    if (s->open && is_replaced(s)) (void)unlink(s->temporary);
    close_file(s);
    buf_done(&s->out);
    mem_free(s);
}

static Status name_error(const FileSink *s, Err *err)
{
    (void)err_where(err, "%s", s->path);
    return err_prefix(err, "%s: ", s->path);
}

/* How much of an appended file counts; a file without a journal counts whole. */
static Status read_journal(FileSink *s, int64_t size, Err *err)
{
    (void)snprintf(s->journal, sizeof s->journal, "%s.neuron", s->path);
    s->committed = size;
    if (!file_exists(str_from(s->journal))) return OK;
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    TRY(file_load(str_from(s->journal), &text, err));
    Arena arena = arena_make(1 << 22);
    JsonValue *root = NULL;
    int64_t length = -1;
    Status status = json_parse(buf_str(&text), &arena, &root, err);
    if (status == OK && (!json_int64(json_member(root, STR("length")), &length) || length < 0)) {
        status = err_set(err, ERR_IO, "%s is damaged", s->journal);
    }
    arena_done(&arena);
    TRY(status);
    if (length > size) {
        (void)err_set(err, ERR_IO, "%s is shorter (%lld bytes) than its journal says (%lld)",
                      s->path, (long long)size, (long long)length);
        return err_hint(err, "if that is meant, remove %s", s->journal);
    }
    s->committed = length;
    return OK;
}

static Status begin_append(FileSink *s, Err *err)
{
    int64_t size = 0;
    TRY(file_open(str_from(s->path), O_RDWR | O_CREAT, 0666, &s->fd, err));
    TRY(file_size(s->fd, &size, err));
    TRY(read_journal(s, size, err));
    if (s->committed < size && ftruncate(s->fd, s->committed) != 0) {
        return err_errno(err, errno, "can't cut %s to what was committed", s->path);
    }
    s->length = s->committed;
    return OK;
}

static Status begin_replace(FileSink *s, Err *err)
{
    const char *slash = strrchr(s->path, '/');
    int folder = slash ? (int)(slash - s->path) + 1 : 0;
    (void)snprintf(s->temporary, sizeof s->temporary, "%.*s.%s.%ld.tmp", folder, s->path,
                   s->path + folder, (long)getpid());
    return file_open(str_from(s->temporary), O_WRONLY | O_CREAT | O_TRUNC, 0666, &s->fd, err);
}

Status file_sink_begin(FileSink *s, bool *ret_empty, Err *err)
{
    Status status = OK;
    if (s->is_stdout) s->fd = STDOUT_FILENO;
    else if (s->is_device) status = file_open(str_from(s->path), O_WRONLY, 0, &s->fd, err);
    else status = s->append ? begin_append(s, err) : begin_replace(s, err);
    if (status == OK && s->location->compression.len) {
        status = compressor_new(s->location->compression, &s->compressor, err);
    }
    if (status != OK) return name_error(s, err);
    s->open = true;
    buf_clear(&s->out);
    *ret_empty = !s->append || s->committed == 0;
    return OK;
}

static Status flush(FileSink *s, Err *err)
{
    Status status = s->append ? file_write_at(s->fd, buf_str(&s->out), s->length, err)
                              : file_write(s->fd, buf_str(&s->out), err);
    if (status != OK) return name_error(s, err);
    s->length += s->out.len;
    buf_clear(&s->out);
    return OK;
}

Status file_sink_write(FileSink *s, Str bytes, Err *err)
{
    if (s->compressor) TRY(compressor_write(s->compressor, bytes, false, &s->out, err));
    else TRY(buf_append(&s->out, bytes, err));
    return s->out.len >= FILE_SINK_BUFFER ? flush(s, err) : OK;
}

/* The journal is replaced only after the data is safe on disk. */
static Status write_journal(FileSink *s, const Position *position, Err *err)
{
    char temporary[PATH_MAX + 64];
    (void)snprintf(temporary, sizeof temporary, "%s.neuron.tmp", s->path);
    CLEANUP(buf_done) Buf text = buf_make(1 << 24);
    TRY(buf_printf(&text, err, "{\"length\":%lld", (long long)s->length));
    if (position) {
        TRY(buf_append(&text, STR(",\"position\":"), err));
        TRY(position_format(position, &text, err));
    }
    TRY(buf_append(&text, STR("}\n"), err));
    CLEANUP(file_close_p) int fd = -1;
    TRY(file_open(str_from(temporary), O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd, err));
    TRY(file_write(fd, buf_str(&text), err));
    TRY(file_sync(fd, err));
    return file_rename(str_from(temporary), str_from(s->journal), err);
}

Status file_sink_commit(FileSink *s, const Position *position, Err *err)
{
    if (s->compressor) TRY(compressor_write(s->compressor, STR_NULL, true, &s->out, err));
    TRY(flush(s, err));
    if (s->is_stdout || s->is_device) {
        close_file(s);
        return OK;
    }
    Status status = file_sync(s->fd, err);
    if (status == OK && s->append) status = write_journal(s, position, err);
    if (status == OK && !s->append) {
        status = file_rename(str_from(s->temporary), str_from(s->path), err);
    }
    if (status != OK) return name_error(s, err);
    close_file(s);
    return OK;
}

Status file_sink_abort(FileSink *s, Err *err)
{
    if (!s->open) return OK;
    bool replaced = is_replaced(s);
    bool cut = s->append && ftruncate(s->fd, s->committed) != 0;
    int code = errno;
    close_file(s);
    if (replaced) (void)unlink(s->temporary);
    return cut ? err_errno(err, code, "can't cut %s to what was committed", s->path) : OK;
}
