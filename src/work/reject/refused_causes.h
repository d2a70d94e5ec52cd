/* Refused rows by cause: how many, which, since when, and one of them. */
#ifndef NEURON_REFUSED_CAUSES_H
#define NEURON_REFUSED_CAUSES_H

#include "work/reject/refused.h"

enum { CAUSES_MAX = 1000, CAUSE_PARTS_MAX = 256, CAUSE_HOLES_MAX = 1000 };

/* How far a cause was replayed: what stands before `next` was, but for the holes, which could not
 * be. */
typedef struct CauseMark {
    int32_t part;
    int64_t next;
    uint64_t last;  /* hash of what stood before `next`; 0: not known */
    int8_t seen;    /* cause_look: it stands there, 1, or something else does, -1 */
    int64_t *holes; /* CAUSE_HOLES_MAX, in the arena; NULL: none yet */
    int32_t hole_count;
} CauseMark;

/* Texts live in the table's arena. */
typedef struct Cause {
    char id[REFUSED_CAUSE_SIZE];
    Str stage, reason;
    Str first, last; /* times; empty: not known */
    int64_t count, replayed;
    char example[REFUSED_ID_SIZE]; /* id of the newest */
    CauseMark marks[CAUSE_PARTS_MAX];
    int32_t mark_count;
} Cause;

/* Embedded: causes_init … causes_done. Past CAUSES_MAX the rest counts in `others`. */
typedef struct Causes {
    Arena arena;
    Cause **items;
    int32_t count;
    int64_t others;
} Causes;

MUST_USE Status causes_init(Causes *causes, Err *err);
void causes_done(Causes *causes);
/* The cause of a refused row, made when it is new; NULL when there is no room. */
MUST_USE Status causes_find(Causes *causes, const Refused *refused, Cause **ret_cause, Err *err);
Cause *causes_get(const Causes *causes, Str id);
/* Was it replayed already? */
bool cause_is_replayed(const Cause *cause, const Refused *refused);
/* It is now; or it was looked at and stays open. FAIL: ERR_LIMIT, too many that stay open. */
MUST_USE Status cause_mark(Causes *causes, Cause *cause, const Refused *refused, bool open,
                           Err *err);
/* Files may be taken away and begin anew: look at each row, then let go of the marks that are of
 * another file, or a topic made anew. `whole`: rows don't go away by themselves, so that a mark
 * whose last row is missing is one too. True when there were some. */
void cause_look(Cause *cause, const Refused *refused);
bool causes_drop_stale(Causes *causes, bool whole);
/* Marks as text "part:next@last!hole!hole,…", and back; what is no such text is no mark. */
MUST_USE Status cause_marks_write(const Cause *cause, Buf *out, Err *err);
MUST_USE Status cause_marks_read(Causes *causes, Cause *cause, Str text, Err *err);

#endif
