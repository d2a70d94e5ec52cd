/* Texts of dates and times as people, files and PostgreSQL write them. */
#ifndef NEURON_DATETIME_TEXT_H
#define NEURON_DATETIME_TEXT_H

#include "foundation/base/datetime.h"

/* Read what has one meaning: ISO 8601 with its parts in any width, without separators, with the day
 * of the year or a Julian day; names of months; weekdays, which are not looked at; 02/13/2024,
 * whose 13 is no month; clocks with AM and PM; zones by offset, name or abbreviation (PostgreSQL's
 * default set); BC. All take white space around, infinity and epoch.
 * False: it is no such text, or it has two readings (03/02/2024, years of two digits). The
 * session's zone is UTC. */
bool datetime_read_date(Str text, int32_t *ret_days);
bool datetime_read_time(Str text, int64_t *ret_us);
/* `*ret_has_zone`: the result is that moment in UTC; else it is the clock's time. */
bool datetime_read_timestamp(Str text, int64_t *ret_us, bool *ret_has_zone);
/* The clock's time as written, whatever its zone. */
bool datetime_read_clock(Str text, int64_t *ret_us);

enum { DATETIME_READINGS_MAX = 256 };
/* True where the text is refused because it has two readings; both are said, with what decides:
 * it is "2024-03-02" or "2024-02-03"; to_date(…, 'MM/DD/YYYY') or … decides. Ends in NUL. */
bool datetime_two_readings(Str text, char ret_text[DATETIME_READINGS_MAX]);

#endif
