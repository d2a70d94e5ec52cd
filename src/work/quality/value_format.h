/* Named formats of text: e-mail addresses, UUIDs, addresses of hosts, dates, numbers, codes. */
#ifndef NEURON_VALUE_FORMAT_H
#define NEURON_VALUE_FORMAT_H

#include "foundation/base/str.h"

typedef struct ValueFormat {
    const char *name;
    bool (*matches)(Str text);
    const char *summary;
} ValueFormat;

/* By name, `-` and ` ` as `_`; NULL when there is none. */
const ValueFormat *value_format_find(Str name);
/* The nearest name, or STR_NULL. */
Str value_format_nearest(Str name);
/* Names with commas, for messages. */
const char *value_format_names(void);

/* \A[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}\z */
bool format_email(Str text);
/* An ISO 8601 date or date and time that exists in the calendar. */
bool format_date_time(Str text);
/* A date in a layout of strftime's letters: %Y %m %d %H %M %S %y %b %B %e %j %f %z %p %I %%. */
bool format_layout(Str text, Str layout);

#endif
