/* What commands ask for, carried out through Control. */
#ifndef NEURON_FEDERATE_TASKS_H
#define NEURON_FEDERATE_TASKS_H

#include "foundation/codec/json_tree.h"

typedef struct Federate Federate;

/* What a command begins and has to wait for: "run:ID" and "check:ID", with commas between, in
 * `waits`; empty: it is done, and `out` has its response. */
MUST_USE Status task_start(Federate *f, Str type, Str body, Buf *waits, Buf *out, Err *err);
/* *ret_done once all of them have ended: then `out` has the response and `why` (emptied before)
 * what went wrong. *ret_unknown: one of them is not known here, for a restart came between. */
MUST_USE Status task_look(const Federate *f, Str waits, bool *ret_done, bool *ret_unknown, Buf *out,
                          Err *why, Err *err);
/* A configuration from outside, checked whole before any of it is applied. */
MUST_USE Status task_configure(Federate *f, const JsonValue *config, Buf *out, Err *err);

#endif
