/* The last events of a membership, in a ring. */
#include "service/federate/federate_events.h"

#include <stdarg.h>
#include <stdio.h>

#include "foundation/base/clock.h"
#include "foundation/base/datetime.h"
#include "service/federate/federate_body.h"

void event_note(EventList *events, const char *type, const char *format, ...)
{
    Event *event = &events->items[events->count++ % FEDERATE_EVENTS];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(event->text, sizeof event->text, format, args);
    va_end(args);
    event->type = type;
    event->at_us = clock_now_us();
}

void events_write(const EventList *events, JsonWriter *w)
{
    char at[DATETIME_TEXT_MAX];
    json_key(w, "events");
    json_array_begin(w);
    for (int64_t i = int64_max(events->count - FEDERATE_EVENTS, 0); i < events->count; i++) {
        const Event *event = &events->items[i % FEDERATE_EVENTS];
        int64_t len = datetime_format_timestamp(event->at_us, 'T', true, at);
        json_object_begin(w);
        body_text(w, "type", str_from(event->type), 100);
        body_text(w, "at", str_make(at, len), DATETIME_TEXT_MAX);
        body_text(w, "text", str_from(event->text), FEDERATE_TEXT_MAX);
        json_object_end(w);
    }
    json_array_end(w);
}
