/* Checks that were asked for, and what came of them. Thread-safe. */
#ifndef NEURON_DAEMON_CHECK_NOTES_H
#define NEURON_DAEMON_CHECK_NOTES_H

#include <pthread.h>

#include "service/daemon/job.h"
#include "work/quality/quality_report.h"

enum { CHECK_NOTES_MAX = 256 };

typedef struct CheckNote {
    char id[RUN_ID_SIZE];
    const Job *job;
    char *result; /* JSON; NULL: it has not ended */
} CheckNote;

typedef struct CheckNotes {
    pthread_mutex_t mutex;
    CheckNote items[CHECK_NOTES_MAX]; /* a ring */
    int64_t count;
} CheckNotes;

void check_notes_init(CheckNotes *notes);
void check_notes_done(CheckNotes *notes);
void check_note_begin(CheckNotes *notes, Str id, const Job *job);
/* `report` NULL: it could not run, and `why` says why. */
void check_note_end(CheckNotes *notes, Str id, const Job *job, const QualityReport *report,
                    const Err *why);
/* The check's JSON object, see Control.quality.check_get; ERR_NOT_FOUND. */
MUST_USE Status check_note_write(CheckNotes *notes, Str id, Buf *out, Err *err);

#endif
