/* Refused rows in an appended file, there before their run's data: taken out where that never came.
 */
#include "connect/file_rejects.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "connect/file_temporary.h"
#include "foundation/base/file.h"

enum { COPY_BUFFER = 1 << 18 };

Status file_rejects_add(FileRejects *r, Str pipeline, Str run_id, int64_t from, Err *err)
{
    FileJournal *j = r->journal;
    if (from == j->length) return OK;
    int32_t keep = j->begun_count < FILE_BEGUN_MAX ? j->begun_count : FILE_BEGUN_MAX - 1;
    FileBegun *begun = ARENA_ARRAY(&j->arena, FileBegun, keep + 1);
    if (!begun) return err_memory(err);
    if (keep) memcpy(begun, j->begun + j->begun_count - keep, (size_t)keep * sizeof *begun);
    begun[keep] = (FileBegun){.from = from, .to = j->length};
    TRY(arena_copy(&j->arena, pipeline, &begun[keep].pipeline, err));
    TRY(arena_copy(&j->arena, run_id, &begun[keep].run_id, err));
    j->begun = begun;
    j->begun_count = keep + 1;
    return OK;
}

/* The journal without the entry, and where `bytes`, as it is without its bytes too. */
static void drop(FileJournal *j, int32_t index, bool bytes)
{
    FileBegun gone = j->begun[index];
    int64_t gap = bytes ? gone.to - gone.from : 0;
    j->length -= gap;
    j->begun_count--;
    for (int32_t i = 0; i < j->begun_count; i++) {
        if (i >= index) j->begun[i] = j->begun[i + 1];
        if (j->begun[i].from < gone.to) continue;
        j->begun[i].from -= gap;
        j->begun[i].to -= gap;
    }
}

static Status cut_end(FileRejects *r, int32_t index, Err *err)
{
    drop(r->journal, index, true);
    TRY(file_journal_begin(r->path, r->journal, err));
    if (ftruncate(*r->fd, r->journal->length) != 0) {
        return err_errno(err, errno, "it can't be cut");
    }
    r->journal->at_work = false;
    return file_journal_save(r->path, r->journal, err);
}

/* ---- in the midst of others' rows: a copy takes the file's place ---- */

static Status copy_range(int from, int64_t at, int64_t end, int to, Err *err)
{
    CLEANUP(buf_done) Buf part = buf_make(COPY_BUFFER);
    TRY(buf_reserve(&part, COPY_BUFFER, err));
    while (at < end) {
        int64_t len = 0;
        TRY(file_read_at(from, part.data, int64_min(COPY_BUFFER, end - at), at, &len, err));
        if (len == 0) return err_set(err, ERR_IO, "it ends before its journal says so");
        TRY(file_write(to, str_make(part.data, len), err));
        at += len;
    }
    return OK;
}

static Status copy_without(const FileRejects *r, const FileBegun *gone, int to, Err *err)
{
    struct stat info;
    TRY(copy_range(*r->fd, 0, gone->from, to, err));
    TRY(copy_range(*r->fd, gone->to, r->journal->length, to, err));
    if (fstat(*r->fd, &info) == 0) IGNORE(fchmod(to, info.st_mode & 07777)); /* as good as it can */
    return file_sync(to, err);
}

/* The journal says before the rename what it will be after it: whenever this is killed, file and
 * journal belong together. */
static Status put_in_place(FileRejects *r, int32_t index, Str name, int to, Err *err)
{
    struct stat info;
    CLEANUP(buf_done) Buf next = buf_make(FILE_JOURNAL_MAX);
    if (fstat(to, &info) != 0) return err_errno(err, errno, "it can't be looked at");
    CLEANUP(buf_done) Buf now = buf_make(FILE_JOURNAL_MAX);
    TRY(file_journal_write(r->journal, &now, err));
    drop(r->journal, index, true);
    TRY(file_journal_write(r->journal, &next, err));
    TRY(file_journal_announce(r->path, buf_str(&now), buf_str(&next), (int64_t)info.st_ino, err));
    TRY(file_rename(name, str_from(r->path), err));
    return file_journal_save(r->path, r->journal, err);
}

static Status cut_midst(FileRejects *r, int32_t index, Err *err)
{
    char name[FILE_TEMPORARY_MAX];
    CLEANUP(file_close_p) int to = -1;
    TRY(file_temporary_make(r->path, name, &to, err));
    Status status = copy_without(r, &r->journal->begun[index], to, err);
    if (status == OK) status = put_in_place(r, index, str_from(name), to, err);
    if (status != OK) {
        (void)unlink(name);
        return FAIL;
    }
    int old = *r->fd;
    *r->fd = to;
    to = old;
    return OK;
}

static Status take_out(FileRejects *r, int32_t index, Err *err)
{
    bool last = r->journal->begun[index].to == r->journal->length;
    return last ? cut_end(r, index, err) : cut_midst(r, index, err);
}

Status file_rejects_forget(FileRejects *r, Str run_id, Err *err)
{
    for (int32_t i = r->journal->begun_count - 1; i >= 0; i--) {
        if (str_eq(r->journal->begun[i].run_id, run_id)) TRY(take_out(r, i, err));
    }
    return OK;
}

Status file_rejects_settle(FileRejects *r, Str pipeline, const RejectsAsk *ask, Err *err)
{
    FileJournal *j = r->journal;
    bool changed = false;
    for (int32_t i = j->begun_count - 1; i >= 0; i--) {
        bool published = false;
        if (!str_eq(j->begun[i].pipeline, pipeline)) continue;
        TRY(ask->published(ask->arg, j->begun[i].run_id, &published, err));
        if (published) drop(j, i, false);
        else if (ask->take_out) TRY(take_out(r, i, err));
        changed = changed || published;
    }
    return changed ? file_journal_save(r->path, j, err) : OK;
}
