/* The one filter that text from drivers, rows and the configuration passes on its way to people. */
#include "foundation/base/redact.h"

#include <stdatomic.h>

enum { MASK_LEN = sizeof REDACT_MASK - 1 };

static _Atomic bool values_masked;

Status redact_secret(Str secret, Err *err)
{
    if (secret.len == 0 || secret.len > REDACT_SECRET_MAX) return OK;
    return secret_list_add(secret) ? OK : err_memory(err);
}

void redact_values_set(bool masked)
{
    atomic_store(&values_masked, masked);
}

bool redact_values(void)
{
    return atomic_load_explicit(&values_masked, memory_order_relaxed);
}

Str redact_value(Str value)
{
    return redact_values() && value.len ? STR(REDACT_MASK) : value;
}

/* Where a number at the end begins, after ": "; NULL: there is none. */
static char *last_number(char *text)
{
    char *found = NULL;
    for (char *at = strstr(text, ": "); at; at = strstr(at + 1, ": ")) found = at + 2;
    return found && strspn(found, "0123456789-.eE+") == strlen(found) ? found : NULL;
}

void redact_quoted(char *text)
{
    if (!redact_values()) return;
    char *first = strchr(text, '"');
    char *last = strrchr(text, '"');
    if (first && first == last) {
        *first = 0; /* cut in the middle of the value */
    } else if (first && last - first - 1 >= MASK_LEN) {
        memcpy(first + 1, REDACT_MASK, MASK_LEN);
        memmove(first + 1 + MASK_LEN, last, strlen(last) + 1);
    } else if (first) {
        memset(first + 1, '*', (size_t)(last - first - 1));
    }
    char *number = last_number(text);
    if (number) number[-2] = 0;
}
