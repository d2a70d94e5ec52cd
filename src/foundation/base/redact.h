/* The one filter that text from drivers, rows and the configuration passes on its way to people. */
#ifndef NEURON_REDACT_H
#define NEURON_REDACT_H

#include "foundation/base/err.h"
#include "foundation/base/secret_list.h"

/* Two things are kept from people:
 *
 * - Secrets, always: passwords, tokens and keys that the configuration or the command line held.
 *   They are registered where they are read (location_parse, the configuration's secret keys);
 *   every text of an Err and every field of the log passes redact_text (secret_list.h), so that no
 * result, report, page, state or letter made of them holds one.
 * - Values of rows, where the configuration says `values: masked`: who puts a row's value into a
 *   text passes it through redact_value; texts of drivers and kernels that may hold values go
 *   through redact_quoted.
 *
 * Process-wide and thread-safe; a registered secret stays one until the process ends. */

/* From now on `***` stands for it in every text. Of letters alone, or of fewer than 6 bytes, it
 * counts only where no letter or digit stands beside it, so that a password "post" leaves
 * "postgresql" as it is. Empty and too long ones are none. FAIL: ERR_MEMORY. */
MUST_USE Status redact_secret(Str secret, Err *err);
/* `values: masked` of the configuration. */
void redact_values_set(bool masked);
bool redact_values(void);
/* The value, or `***` where values are masked. */
Str redact_value(Str value);
/* Where values are masked: what stands between the first and the last double quote, and a number
 * at the end after a colon, in place. The text ends in NUL. */
void redact_quoted(char *text);

#endif
