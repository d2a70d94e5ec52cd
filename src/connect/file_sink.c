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
#include "foundation/codec/json_writer.h"

enum { FILE_SINK_BUFFER = 1 << 18, JOURNAL_MAX = 1 << 24 };

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
    Str owner;         /* append: whose position the journal keeps */
    Buf kept;          /* append: `,"name":…,"position":…` as the journal has it */
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
    s->kept = buf_make(JOURNAL_MAX);
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
    buf_done(&s->kept);
    mem_free(s);
}

static Status name_error(const FileSink *s, Err *err)
{
    (void)err_where(err, "%s", s->path);
    return err_prefix(err, "%s: ", s->path);
}

static Status put_kept(FileSink *s, Str name, Str position, Err *err)
{
    buf_clear(&s->kept);
    if (name.len) {
        TRY(buf_append(&s->kept, STR(",\"name\":"), err));
        TRY(json_put_text(&s->kept, name, err));
    }
    if (!position.len) return OK;
    TRY(buf_append(&s->kept, STR(",\"position\":"), err));
    return buf_append(&s->kept, position, err);
}

/* What a journal says. Texts live in the arena and in `text`. */
typedef struct Journal {
    Arena arena;
    Buf text;
    int64_t length; /* -1: there is no journal */
    Str name, position;
} Journal;

static void journal_done(Journal *journal)
{
    arena_done(&journal->arena);
    buf_done(&journal->text);
}

static Status journal_load(FileSink *s, Journal *journal, Err *err)
{
    (void)snprintf(s->journal, sizeof s->journal, "%s.neuron", s->path);
    if (!file_exists(str_from(s->journal))) return OK;
    JsonValue *root = NULL;
    TRY(file_load(str_from(s->journal), &journal->text, err));
    if (json_parse(buf_str(&journal->text), &journal->arena, &root, err) != OK ||
        !json_int64(json_member(root, STR("length")), &journal->length) || journal->length < 0) {
        return err_set(err, ERR_IO, "%s is damaged", s->journal);
    }
    journal->name = json_member_text(root, STR("name"), STR_NULL);
    const JsonValue *position = json_member(root, STR("position"));
    if (position) journal->position = position->text;
    return OK;
}

#define JOURNAL_MAKE                                                                               \
    {                                                                                              \
        .arena = arena_make(JOURNAL_MAX), .text = buf_make(JOURNAL_MAX), .length = -1              \
    }

/* How much of an appended file counts; a file without a journal counts whole. */
static Status read_journal(FileSink *s, int64_t size, Err *err)
{
    CLEANUP(journal_done) Journal journal = JOURNAL_MAKE;
    TRY(journal_load(s, &journal, err));
    s->committed = size;
    if (journal.length < 0) return OK;
    if (journal.length > size) {
        (void)err_set(err, ERR_IO, "%s is shorter (%lld bytes) than its journal says (%lld)",
                      s->path, (long long)size, (long long)journal.length);
        return err_hint(err, "if that is meant, remove %s", s->journal);
    }
    s->committed = journal.length;
    return put_kept(s, journal.name, journal.position, err);
}

void file_sink_owner(FileSink *s, Str name)
{
    s->owner = name;
}

Status file_sink_position(FileSink *s, Position *ret_position, Err *err)
{
    CLEANUP(journal_done) Journal journal = JOURNAL_MAKE;
    if (!s->append) return OK;
    TRY(journal_load(s, &journal, err));
    if (!journal.name.len) return OK;
    if (!str_eq(journal.name, s->owner)) {
        (void)err_set(err, ERR_CONFIG, "%s is written by «%.*s»", s->path, STR_ARG(journal.name));
        return err_hint(err, "a file takes one writer; name another, or remove %s", s->journal);
    }
    return journal.position.len ? position_parse(journal.position, ret_position, err) : OK;
}

/* The journal is replaced only after the data is safe on disk. */
static Status write_journal(FileSink *s, const Position *position, Err *err)
{
    char temporary[PATH_MAX + 64];
    (void)snprintf(temporary, sizeof temporary, "%s.neuron.tmp", s->path);
    CLEANUP(buf_done) Buf text = buf_make(2 * JOURNAL_MAX);
    if (position && (s->owner.len || str_find(buf_str(&s->kept), STR("\"name\"")) < 0)) {
        TRY(position_format(position, &text, err));
        TRY(put_kept(s, s->owner, buf_str(&text), err));
        buf_clear(&text);
    }
    TRY(buf_printf(&text, err, "{\"length\":%lld", (long long)s->length));
    TRY(buf_append(&text, buf_str(&s->kept), err));
    TRY(buf_append(&text, STR("}\n"), err));
    CLEANUP(file_close_p) int fd = -1;
    TRY(file_open(str_from(temporary), O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd, err));
    TRY(file_write(fd, buf_str(&text), err));
    TRY(file_sync(fd, err));
    return file_rename(str_from(temporary), str_from(s->journal), err);
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
    /* What is written from now on doesn't count before it is committed, also by the first run. */
    return file_exists(str_from(s->journal)) ? OK : write_journal(s, NULL, err);
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
