/* What happened to the membership or to commands, for the core's list of events. */
#ifndef NEURON_FEDERATE_EVENTS_H
#define NEURON_FEDERATE_EVENTS_H

#include "foundation/codec/json_writer.h"
#include "service/federate/federate_reply.h"

enum { FEDERATE_EVENTS = 20 };

typedef struct Event {
    int64_t at_us;
    const char *type;
    char text[FEDERATE_TEXT_MAX];
} Event;

/* A ring. */
typedef struct EventList {
    Event items[FEDERATE_EVENTS];
    int64_t count;
} EventList;

void event_note(EventList *events, const char *type, const char *format, ...) PRINTF_LIKE(3, 4);
/* A member of an open object, the oldest first. */
void events_write(const EventList *events, JsonWriter *w);

#endif
