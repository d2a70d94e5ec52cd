/* Files written whole or not at all; appended files that survive a kill at any moment. */
#include "connect/file_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connect/file_lock.h"
#include "connect/file_sink_impl.h"
#include "connect/file_temporary.h"
#include "foundation/base/file.h"
#include "foundation/base/mem.h"
#include "foundation/codec/compress.h"

enum {
    FILE_SINK_BUFFER = 1 << 18,
    FILE_SINK_WAITS = 1 << 20,
    POSITION_MAX = 1 << 24,
    SAMPLES_MAX = 1 << 24,
};

Status file_sink_new(const SinkReq *req, FileSink **ret_sink, Err *err)
{
    const Location *location = req->location;
    FileSink *s = mem_zalloc((int64_t)sizeof *s);
    if (!s) return err_memory(err);
    s->req = req;
    s->fd = -1;
    s->is_stdout = str_eq(location->path, STR("-"));
    s->append = req->mode == SINK_APPEND && !s->is_stdout;
    s->out = buf_make(INT64_C(1) << 32);
    s->head.ours = buf_make(1 << 24);
    s->seen = buf_make(POSITION_MAX);
    s->head.there = buf_make(FILE_HEAD_MAX);
    if (location->path.len > PATH_MAX - 40) {
        file_sink_free(s);
        return err_set(err, ERR_NOT_FOUND, "the path is too long");
    }
    (void)snprintf(s->path, sizeof s->path, "%.*s", STR_ARG(location->path));
    s->is_device = !s->is_stdout && file_is_stream(location->path);
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
    s->staged = 0;
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
    buf_done(&s->head.ours);
    buf_done(&s->seen);
    buf_done(&s->head.there);
    sink_parts_done(&s->parts);
    mem_free(s);
}

void file_sink_share(FileSink *s)
{
    s->shared = true;
}

void file_sink_cancel(FileSink *s)
{
    atomic_store(&s->cancelled, true);
}

static FileStop stop_of(const FileSink *s)
{
    return (FileStop){s->req->stop, &s->cancelled};
}

/* Opened, and nobody else's until it is closed. */
Status file_sink_open_locked(const FileSink *s, int *ret_fd, Err *err)
{
    FileLock lock = {s->path, s->req->stop, &s->cancelled};
    return file_lock_open(&lock, ret_fd, err);
}

/* ---- the journal ---- */

static Status check_owner(const FileSink *s, const FileJournal *journal, Err *err)
{
    Str owner = s->req->pipeline;
    if (!journal->name.len || !owner.len || str_eq(journal->name, owner)) return OK;
    (void)err_set(err, ERR_CONFIG, "it is written by \"%.*s\"", STR_ARG(journal->name));
    return err_hint(err, "a file takes one writer; name another, or remove %s.neuron", s->path);
}

/* The file itself may be refused rows': then the topic's parts are not kept here. */
static bool has_parts(const FileSink *s)
{
    return s->append && !s->shared && s->req->topic.len > 0;
}

static Status position_of(FileSink *s, FileJournal *journal, Position *ret_position, Err *err)
{
    TRY(check_owner(s, journal, err));
    if (has_parts(s)) {
        TRY(file_journal_open_topic(journal, s->req->pipeline, s->req->topic, err));
        for (int32_t i = 0; i < journal->parts.count; i++) {
            const SinkPart *part = &journal->parts.items[i];
            if (part->next >= 0) TRY(position_put(ret_position, part->part, part->next, err));
        }
        return OK;
    }
    s->looked = true;
    buf_clear(&s->seen);
    if (!journal->name.len || !journal->position.len) return OK;
    TRY(buf_append(&s->seen, journal->position, err));
    return position_parse(journal->position, ret_position, err);
}

Status file_sink_position(FileSink *s, Position *ret_position, Err *err)
{
    CLEANUP(file_journal_done) FileJournal journal = {0};
    if (!s->append) return OK;
    Status status = file_journal_load(s->path, &journal, err);
    if (status == OK) status = position_of(s, &journal, ret_position, err);
    return status == OK ? OK : file_sink_name_error(s, err);
}

/* Who read on from the same position and was faster has written these rows already. */
static Status check_fence(const FileSink *s, const FileJournal *journal, Err *err)
{
    TRY(check_owner(s, journal, err));
    Str position = journal->name.len ? journal->position : STR_NULL;
    if (has_parts(s) || s->shared || !s->looked || str_eq(position, buf_str(&s->seen))) return OK;
    (void)err_set(err, ERR_FENCED, "another run of \"%.*s\" has appended to it meanwhile",
                  STR_ARG(s->req->pipeline));
    return err_hint(err, "nothing was written; run again, and let one run at a time");
}

/* ---- begin ---- */

/* What can't be appended to is said before anything is read. */
static Status begin_append(FileSink *s, Err *err)
{
    CLEANUP(file_journal_done) FileJournal journal = {0};
    CLEANUP(file_close_p) int fd = -1;
    int64_t length = 0, size = 0;
    s->staged = 0;
    if (s->checked) return OK;
    TRY(file_open(str_from(s->path), O_RDWR | O_CREAT, 0666, &fd, err));
    TRY(file_journal_load(s->path, &journal, err));
    TRY(file_journal_counts(s->path, &journal, fd, &length, &size, err));
    if (flock(fd, LOCK_SH | LOCK_NB) != 0 && errno != EWOULDBLOCK)
        return file_lock_error(errno, err);
    s->checked = true;
    return OK;
}

static Str folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? str_make(path, slash - path + 1) : STR(".");
}

static Status begin_replace(FileSink *s, Err *err)
{
    if (!realpath(s->path, s->place)) memcpy(s->place, s->path, sizeof s->place);
    return file_temporary_make(s->place, s->temporary, &s->fd, err);
}

Status file_sink_begin(FileSink *s, int64_t cycle, Str header, Err *err)
{
    Status status = OK;
    s->cycle = cycle;
    atomic_store(&s->cancelled, false);
    if (s->is_stdout) s->fd = STDOUT_FILENO;
    else if (s->is_device)
        status = file_open_wait(str_from(s->path), O_WRONLY, stop_of(s), &s->fd, err);
    else status = s->append ? begin_append(s, err) : begin_replace(s, err);
    if (status == OK && s->req->location->compression.len) {
        status = compressor_new(s->req->location->compression, &s->compressor, err);
    }
    if (status != OK) return file_sink_name_error(s, err);
    s->open = true;
    buf_clear(&s->out);
    buf_clear(&s->head.ours);
    return s->append ? buf_append(&s->head.ours, header, err) : file_sink_write(s, header, err);
}

/* ---- write ---- */

static Status flush(FileSink *s, Err *err)
{
    Status status = OK;
    if (s->append && s->fd < 0) status = file_temporary(folder_of(s->path), &s->fd, err);
    if (status == OK) status = file_write_wait(s->fd, buf_str(&s->out), stop_of(s), err);
    if (status != OK) return file_sink_name_error(s, err);
    if (s->append) s->staged += s->out.len;
    buf_clear(&s->out);
    return OK;
}

Status file_sink_write(FileSink *s, Str bytes, Err *err)
{
    if (s->compressor) TRY(compressor_write(s->compressor, bytes, false, &s->out, err));
    else TRY(buf_append(&s->out, bytes, err));
    return s->out.len >= (s->append ? FILE_SINK_WAITS : FILE_SINK_BUFFER) ? flush(s, err) : OK;
}

/* ---- commit ---- */

Status file_sink_cut(int fd, int64_t length, Err *err)
{
    return ftruncate(fd, length) == 0 ? OK : err_errno(err, errno, "it can't be cut");
}

static Status append_bytes(int fd, Str bytes, int64_t *length, Err *err)
{
    TRY(file_write_at(fd, bytes, *length, err));
    *length += bytes.len;
    return OK;
}

/* Another program's last line, or the last of a file that was there before, may not be ended. Of a
 * compressed file the line ends inside: nothing is added. */
static Status end_line(const FileSink *s, int fd, int64_t *length, Err *err)
{
    char last = '\n';
    int64_t len = 0;
    if (*length == 0 || s->compressor) return OK;
    TRY(file_read_at(fd, &last, 1, *length - 1, &len, err));
    return last == '\n' ? OK : append_bytes(fd, STR("\n"), length, err);
}

static Status append_header(FileSink *s, int fd, int64_t *length, Err *err)
{
    if (*length > 0 || !s->head.ours.len) return OK;
    if (!s->compressor) return append_bytes(fd, buf_str(&s->head.ours), length, err);
    CLEANUP(buf_done) Buf packed = buf_make(1 << 24);
    Compressor *compressor = NULL;
    TRY(compressor_new(s->req->location->compression, &compressor, err));
    Status status = compressor_write(compressor, buf_str(&s->head.ours), true, &packed, err);
    compressor_free(compressor);
    return status == OK ? append_bytes(fd, buf_str(&packed), length, err) : FAIL;
}

static Status append_staged(FileSink *s, int fd, int64_t *length, Err *err)
{
    CLEANUP(buf_done) Buf part = buf_make(FILE_SINK_BUFFER);
    if (s->staged) TRY(buf_reserve(&part, FILE_SINK_BUFFER, err));
    for (int64_t at = 0; at < s->staged; at += part.len) {
        TRY(file_read_at(s->fd, part.data, FILE_SINK_BUFFER, at, &part.len, err));
        if (part.len == 0) return err_set(err, ERR_IO, "what waited for the commit is gone");
        TRY(append_bytes(fd, buf_str(&part), length, err));
    }
    return OK;
}

/* *ret_rows: where they begin, after a header. */
static Status append_all(FileSink *s, int fd, int64_t *ret_rows, int64_t *length, Err *err)
{
    if (s->staged || s->out.len) TRY(end_line(s, fd, length, err));
    TRY(append_header(s, fd, length, err));
    *ret_rows = *length;
    TRY(append_staged(s, fd, length, err));
    TRY(append_bytes(fd, buf_str(&s->out), length, err));
    return file_sync(fd, err);
}

/* The samples may be made from those that are there: others may keep theirs too. */
static Status format_position(FileSink *s, const FileJournal *journal, const Position *position,
                              const SinkRun *run, Err *err)
{
    buf_clear(&s->seen);
    if (!run->keep) return position_format(position, &s->seen, err);
    Position now, kept = *position; /* borrowed */
    CLEANUP(buf_done) Buf samples = buf_make(SAMPLES_MAX);
    position_init(&now);
    Status status = journal->position.len ? position_parse(journal->position, &now, err) : OK;
    if (status == OK) {
        status = run->keep(run->keep_arg, position, buf_str(&now.samples), &samples, err);
    }
    kept.samples = samples;
    if (status == OK) status = position_format(&kept, &s->seen, err);
    position_done(&now);
    return status;
}

/* What isn't the owner's leaves his position and run as they are. */
static Status keep_state(FileSink *s, FileJournal *journal, const Position *position,
                         const SinkRun *run, Err *err)
{
    Str owner = s->req->pipeline;
    if (journal->name.len && !owner.len) return OK;
    journal->run_id = run->run_id;
    journal->cycle = s->cycle;
    journal->rows = run->counts.loaded;
    if (!owner.len || !run->advance) return OK;
    if (has_parts(s)) {
        file_journal_move(journal, &s->parts);
        return OK;
    }
    TRY(format_position(s, journal, position, run, err));
    journal->name = owner;
    journal->position = buf_str(&s->seen);
    return OK;
}

/* Refused rows of a pipeline, whose run is not published yet. */
static bool are_rejects(const FileSink *s, const SinkRun *run)
{
    return s->shared && !s->req->pipeline.len && run->run_id.len > 0;
}

/* Something is to be appended; a header only where nothing is there yet. */
static bool has_bytes(const FileSink *s, int64_t length)
{
    return s->staged > 0 || s->out.len > 0 || (s->head.ours.len > 0 && length == 0);
}

/* What a killed writer left; what comes after that is another program's. */
static Status cut_left(const FileSink *s, int fd, FileJournal *journal, Err *err)
{
    TRY(file_sink_cut(fd, journal->length, err));
    journal->at_work = false;
    return file_journal_save(s->path, journal, err);
}

/* From here on it is written; *ret_length counts until it is committed, also by the first run. */
static Status begin_locked(FileSink *s, FileRejects *file, const SinkRun *run, int64_t *ret_length,
                           Err *err)
{
    int64_t size = 0;
    FileJournal *journal = file->journal;
    TRY(file_journal_load(s->path, journal, err));
    TRY(check_fence(s, journal, err));
    TRY(file_journal_renew(s->path, journal, *file->fd, err));
    TRY(file_journal_counts(s->path, journal, *file->fd, ret_length, &size, err));
    if (*ret_length < size) TRY(cut_left(s, *file->fd, journal, err));
    TRY(file_sink_head_holds(s, *file->fd, *ret_length, err));
    journal->length = *ret_length;
    if (are_rejects(s, run)) TRY(file_rejects_forget(file, run->run_id, err));
    *ret_length = journal->length;
    return OK;
}

/* Are the parts that the position moves still ours? */
static Status check_parts(FileSink *s, FileJournal *journal, const Position *position,
                          const SinkRun *run, bool *ret_held, Err *err)
{
    *ret_held = true;
    if (!has_parts(s)) return OK;
    TRY(file_journal_open_topic(journal, s->req->pipeline, s->req->topic, err));
    *ret_held = sink_parts_move(&s->parts, run->from, position);
    *ret_held &= file_journal_holds(journal, &s->parts);
    return OK;
}

/* What was appended is cut off again, as far as the disk lets us; else the next one does it. */
static void give_up(const FileSink *s, int fd, FileJournal *journal)
{
    Err ignored = {0};
    if (file_sink_cut(fd, journal->length, &ignored) != OK) return;
    journal->at_work = false;
    IGNORE(file_journal_save(s->path, journal, &ignored));
}

static Status commit_locked(FileSink *s, int *fd, const Position *position, const SinkRun *run,
                            CommitResult *ret_result, Err *err)
{
    CLEANUP(file_journal_done) FileJournal journal = {0};
    FileRejects file = {s->path, fd, &journal};
    int64_t length = 0;
    bool held = true;
    TRY(begin_locked(s, &file, run, &length, err));
    TRY(check_parts(s, &journal, position, run, &held, err));
    *ret_result = held ? COMMIT_DONE : COMMIT_FENCED;
    if (!held) return OK;
    int64_t end = length, rows = length;
    if (has_bytes(s, length)) TRY(file_journal_begin(s->path, &journal, err));
    if (append_all(s, *fd, &rows, &end, err) != OK) {
        give_up(s, *fd, &journal);
        return FAIL;
    }
    journal.length = end;
    journal.at_work = false;
    TRY(keep_state(s, &journal, position, run, err));
    if (are_rejects(s, run)) {
        TRY(file_rejects_add(&file, s->req->reject.of, run->run_id, rows, err));
    }
    TRY(file_journal_save(s->path, &journal, err));
    sink_parts_end(&s->parts, true);
    return OK;
}

static Status commit_append(FileSink *s, const Position *position, const SinkRun *run,
                            CommitResult *ret_result, Err *err)
{
    CLEANUP(file_close_p) int fd = -1; /* closed, it is free for others */
    TRY(file_sink_open_locked(s, &fd, err));
    return commit_locked(s, &fd, position, run, ret_result, err);
}

/* ---- parts ---- */

static Status take_locked(FileSink *s, int fd, const int32_t *parts, int32_t count,
                          Position *ret_from, Err *err)
{
    CLEANUP(file_journal_done) FileJournal journal = {0};
    int64_t length = 0, size = 0;
    TRY(file_journal_load(s->path, &journal, err));
    TRY(check_owner(s, &journal, err));
    TRY(file_journal_renew(s->path, &journal, fd, err));
    TRY(file_journal_counts(s->path, &journal, fd, &length, &size, err));
    TRY(file_journal_open_topic(&journal, s->req->pipeline, s->req->topic, err));
    TRY(file_journal_take(&journal, parts, count, &s->parts, ret_from, err));
    if (!journal.at_work) journal.length = length;
    journal.name = s->req->pipeline;
    return file_journal_save(s->path, &journal, err);
}

Status file_sink_take(FileSink *s, const int32_t *parts, int32_t count, Position *ret_from,
                      Err *err)
{
    CLEANUP(file_close_p) int fd = -1;
    if (!has_parts(s)) return OK;
    atomic_store(&s->cancelled, false);
    Status status = file_sink_open_locked(s, &fd, err);
    if (status == OK) status = take_locked(s, fd, parts, count, ret_from, err);
    return status == OK ? OK : file_sink_name_error(s, err);
}

bool file_sink_holds(const FileSink *s, int32_t part)
{
    return !has_parts(s) || sink_parts_hold(&s->parts, part);
}

Status file_sink_claim(FileSink *s, const Position *position, const SinkRun *run, bool *ret_held,
                       Err *err)
{
    CLEANUP(file_journal_done) FileJournal journal = {0};
    Status status = file_journal_load(s->path, &journal, err);
    if (status == OK) status = check_parts(s, &journal, position, run, ret_held, err);
    return status == OK ? OK : file_sink_name_error(s, err);
}

/* From the moment of the rename on the journal says nothing, whenever it is removed. A damaged one
 * says nothing anyhow. */
static Status mark_replaced(const FileSink *s, Err *err)
{
    CLEANUP(file_journal_done) FileJournal journal = {0};
    struct stat info;
    Err damaged = {0};
    if (file_journal_load(s->path, &journal, &damaged) != OK || journal.length < 0) return OK;
    if (fstat(s->fd, &info) != 0) return err_errno(err, errno, "it can't be looked at");
    journal.replaced_by = (int64_t)info.st_ino;
    return file_journal_save(s->path, &journal, err);
}

/* Owner and mode of the file that was there, as far as they may be given. */
static void keep_mode(const FileSink *s)
{
    struct stat info;
    if (stat(s->place, &info) != 0 || !S_ISREG(info.st_mode)) return;
    IGNORE(fchown(s->fd, info.st_uid, info.st_gid));
    IGNORE(fchmod(s->fd, info.st_mode & 07777));
}

/* Another file takes the place of the appended one, and its journal goes after it: what fails or is
 * killed before leaves both. Nobody appends to the new file until then: it is locked too. */
static Status commit_replace(FileSink *s, Err *err)
{
    CLEANUP(file_close_p) int fd = -1;
    TRY(file_sync(s->fd, err));
    bool appended = file_journal_exists(s->path);
    if (appended) {
        TRY(file_sink_open_locked(s, &fd, err));
        if (flock(s->fd, LOCK_EX | LOCK_NB) != 0) return file_lock_error(errno, err);
        TRY(mark_replaced(s, err));
    }
    keep_mode(s);
    TRY(file_rename(str_from(s->temporary), str_from(s->place), err));
    return appended ? file_journal_remove(s->path, err) : OK;
}

Status file_sink_commit(FileSink *s, const Position *position, const SinkRun *run,
                        CommitResult *ret_result, Err *err)
{
    *ret_result = COMMIT_DONE;
    if (s->compressor) TRY(compressor_write(s->compressor, STR_NULL, true, &s->out, err));
    if (!s->append) TRY(flush(s, err));
    Status status = OK;
    if (s->append) status = commit_append(s, position, run, ret_result, err);
    else if (is_replaced(s)) status = commit_replace(s, err);
    if (status != OK) return file_sink_name_error(s, err);
    if (*ret_result == COMMIT_DONE) close_file(s);
    return OK;
}

Status file_sink_abort(FileSink *s, Err *err UNUSED)
{
    sink_parts_end(&s->parts, false);
    if (!s->open) return OK;
    bool replaced = is_replaced(s);
    close_file(s);
    if (replaced) (void)unlink(s->temporary);
    return OK;
}
