/* A select list over one JSON object at a time. */
#ifndef NEURON_REPLAY_FIX_H
#define NEURON_REPLAY_FIX_H

#include "engine/expr/expr.h"
#include "engine/format/json_read.h"
#include "engine/format/json_write.h"

/* Embedded, not moved: fix_init … fix_done. */
typedef struct Fix {
    PathSet paths;
    Schema *in;
    Select *select; /* NULL: rows stay as they are */
    JsonReader *reader;
    JsonEncoder *encoder;
    RejectList rejects;
    Buf out, why;
} Fix;

/* `text` empty: nothing is changed. A mistake is ERR_EXPRESSION. Freed with fix_done in either
 * case. */
MUST_USE Status fix_init(Fix *fix, Str text, Err *err);
void fix_done(Fix *fix);
/* *ret_fixed lives until the next call; STR_NULL: it failed, *ret_why says why. */
MUST_USE Status fix_run(Fix *fix, Str object, Str *ret_fixed, Str *ret_why, Err *err);

#endif
