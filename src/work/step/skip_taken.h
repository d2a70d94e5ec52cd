/* The step in front of an incremental pipeline's own: lets rows go that an earlier run had. */
#ifndef NEURON_SKIP_TAKEN_H
#define NEURON_SKIP_TAKEN_H

#include "work/step/step.h"

/* A run reads from its watermark on, including rows with the watermark's own value: another row of
 * that value may have come meanwhile. Those that the run before had are told apart by their hash
 * (row_hash.h), how often each was there counted; and so are rows that are read each time, with a
 * cursor that is NULL, infinite or NaN. The hashes are the step's kept JSON:
 *   {"cursor":"…","type":"timestamptz","columns":{"id":"bigint",…},"rows":"<32 hex digits each>"}
 * A column that comes later doesn't make a row another one: the kept columns count. */
typedef struct SkipTaken {
    int32_t cursor; /* column of the schema */
    bool keyed;   /* a row that comes again is known by its key: what can't be told apart passes */
    bool tieless; /* none with the watermark's value is read again: only rows outside the order are
                     kept */
    Str kept;     /* JSON of the run before (Position.steps); empty: none */
} SkipTaken;

/* The kept rows of a watermark at most: a date may have many. */
enum { SKIP_TAKEN_MAX = 200000 };

/* Does that JSON say which rows with the watermark's value an earlier run had? Not where an older
 * version wrote it, or the watermark was set by hand: then those that are there count as had. */
bool skip_taken_knows(Str kept);
/* FAIL: ERR_CONFIG where a column by which the kept rows are told apart is gone or has another
 * type, and there is no key. */
MUST_USE Status step_skip_taken_new(const SkipTaken *options, const Schema *in, Step **ret_step,
                                    Err *err);

#endif
