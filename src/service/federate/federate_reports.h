/* The outbox of reports, and the day's totals that they add to. */
#ifndef NEURON_FEDERATE_REPORTS_H
#define NEURON_FEDERATE_REPORTS_H

#include "foundation/base/buf.h"
#include "service/federate/federate_day.h"

typedef struct Federate Federate;

typedef struct Reports {
    bool no_analytics;      /* the core takes none: heartbeats carry the reports */
    int64_t analytics_ns;   /* then: when it is asked again; else when they were last sent */
    Day day;                /* with all that was delivered */
    Buf kept;               /* members of the array of reports that were delivered, newest last */
    int64_t ticked_us;      /* up to when `day` has the time that the neuron was up */
    int64_t dropped;        /* reports, in this life */
    int64_t consumed, lost; /* messages of all streams that `day` has, and those that failed */
} Reports;

enum { DELIVERY_MAX = 100 };
/* What one request brings: letters of the outbox, and the day as it is with them. */
typedef struct Delivery {
    Day day;
    Buf fresh; /* members of the array of new reports */
    int64_t ids[DELIVERY_MAX];
    int32_t count;
    bool more;    /* letters wait that are not in it */
    int64_t room; /* bytes that `fresh` may still take */
    bool silent;  /* counted, not listed */
} Delivery;
MUST_USE Status federate_day_load(Federate *f, Err *err);
/* Up to now: time, messages, machine; at midnight a new day. */
void federate_day_tick(Federate *f);
MUST_USE Status federate_day_save(Federate *f, Err *err);
/* Of the reports that were delivered the newest that fit, as members of an array. */
MUST_USE Status federate_recent(const Federate *f, int64_t room, Buf *out, Err *err);
/* What waits, as much as fits. To be delivery_done'd. */
MUST_USE Status delivery_make(Federate *f, Delivery *ret_delivery, Err *err);
/* It was taken: totals, list and outbox change at one moment, so that no report counts twice. */
void delivery_taken(Federate *f, Delivery *delivery);
void delivery_done(Delivery *delivery);
/* What the outbox has beyond its limit is dropped: counted in the totals, and told. */
void federate_outbox_trim(Federate *f);

#endif
