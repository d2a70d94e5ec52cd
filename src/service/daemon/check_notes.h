/* Checks that were asked for, and what came of them. */
#ifndef NEURON_DAEMON_CHECK_NOTES_H
#define NEURON_DAEMON_CHECK_NOTES_H

#include "service/daemon/daemon_impl.h"

void check_note_begin(Daemon *d, Str id, const Job *job);
/* `report` NULL: it could not run, and `why` says why. */
void check_note_end(Daemon *d, Str id, const Job *job, const QualityReport *report, const Err *why);
void check_notes_done(Daemon *d);
Status control_check_get(void *arg, Str check_id, Buf *out, Err *err);

#endif
