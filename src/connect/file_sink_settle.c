/* Appended files: what became of a cycle, and of refused rows whose run is not known. */
#include "connect/file_sink_impl.h"
#include "foundation/base/file.h"

Status file_sink_outcome(FileSink *s, Str run_id, int64_t cycle, Outcome *ret_outcome,
                         SinkCounts *ret_counts, Err *err)
{
    CLEANUP(file_journal_done) FileJournal journal = {0};
    *ret_outcome = OUTCOME_NOT_COMMITTED;
    *ret_counts = (SinkCounts){0};
    if (!s->append) return OK;
    if (file_journal_load(s->path, &journal, err) != OK) return file_sink_name_error(s, err);
    if (!str_eq(journal.run_id, run_id) || journal.cycle != cycle) return OK;
    *ret_outcome = OUTCOME_COMMITTED;
    *ret_counts = (SinkCounts){.loaded = journal.rows, .inserted = journal.rows};
    return OK;
}

static Status settle_locked(FileSink *s, const RejectsAsk *ask, Err *err)
{
    CLEANUP(file_close_p) int fd = -1;
    CLEANUP(file_journal_done) FileJournal journal = {0};
    FileRejects file = {s->path, &fd, &journal};
    int64_t length = 0, size = 0;
    TRY(file_sink_open_locked(s, &fd, err));
    TRY(file_journal_load(s->path, &journal, err));
    if (journal.length < 0) return OK;
    TRY(file_journal_renew(s->path, &journal, fd, err));
    TRY(file_journal_counts(s->path, &journal, fd, &length, &size, err));
    if (length < size) TRY(file_sink_cut(fd, length, err));
    journal.length = length;
    journal.at_work = false;
    return file_rejects_settle(&file, s->req->reject.of, ask, err);
}

static bool has_begun(const FileSink *s, const FileJournal *journal)
{
    for (int32_t i = 0; i < journal->begun_count; i++) {
        if (str_eq(journal->begun[i].pipeline, s->req->reject.of)) return true;
    }
    return false;
}

Status file_sink_rejects_settle(FileSink *s, const RejectsAsk *ask, Err *err)
{
    CLEANUP(file_journal_done) FileJournal journal = {0};
    if (!s->append || !s->req->reject.of.len) return OK;
    Status status = file_journal_load(s->path, &journal, err);
    if (status == OK && !has_begun(s, &journal)) return OK;
    if (status == OK) status = settle_locked(s, ask, err);
    return status == OK ? OK : file_sink_name_error(s, err);
}
