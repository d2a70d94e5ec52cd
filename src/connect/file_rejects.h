/* Refused rows in an appended file, there before their run's data: taken out where that never came.
 */
#ifndef NEURON_FILE_REJECTS_H
#define NEURON_FILE_REJECTS_H

#include "connect/file_journal.h"
#include "connect/sink.h"

/* The journal's list `begun` says which bytes are of runs that nobody knows yet to be published:
 *
 *   rows … | run A, begun | rows of others | run B, begun |   <- journal->length
 *
 * All calls hold the file's lock (`fd` is the locked file) and have loaded the journal. */
typedef struct FileRejects {
    const char *path;
    int *fd; /* another file where one took the place of this one */
    FileJournal *journal;
} FileRejects;

/* Bytes [from, length) are of that run of the pipeline (may be empty) from now on; the caller saves
 * the journal. Past FILE_BEGUN_MAX the oldest stay for good. */
MUST_USE Status file_rejects_add(FileRejects *rejects, Str pipeline, Str run_id, int64_t from,
                                 Err *err);
/* Take out what that run left, so that it can be tried again; saved. */
MUST_USE Status file_rejects_forget(FileRejects *rejects, Str run_id, Err *err);
/* As sink_rejects_settle says; saved. */
MUST_USE Status file_rejects_settle(FileRejects *rejects, Str pipeline, const RejectsAsk *ask,
                                    Err *err);

#endif
