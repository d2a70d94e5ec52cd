/* URLs taken apart: scheme, user, password and hosts; what doesn't parse is refused, never quoted.
 */
#ifndef NEURON_URL_H
#define NEURON_URL_H

#include "foundation/base/arena.h"

/* scheme://[user[:password]@]host[:port][,host[:port]…][/path][?query][#fragment]; borrowed from
 * the text, percent escapes as they stand. */
typedef struct Url {
    Str scheme, user, password, hosts;
    Str rest; /* after the hosts: path, query, fragment */
} Url;

/* Strict where a mistake would take a piece of a password for a host, a port, a path or a name:
 * ports are numbers from 1 to 65535, each @ / ? # of a password is written as %40 %2F %3F %23 and
 * each escape has two hex digits; no control characters in front of the path. FAIL:
 * ERR_CONFIG with the hint to percent-encode; the message holds nothing of the text. */
MUST_USE Status url_parse(Str text, Url *ret_url, Err *err);
/* %41 -> A; what is no escape stays as it is. In the arena. */
MUST_USE Status url_decode(Str text, Arena *arena, Str *ret_text, Err *err);
/* Does the name of an option or a parameter say that its value is a secret (password, token …)? */
bool url_name_is_secret(Str name);
/* Registers what in the URL is secret with the filter (redact.h), raw and decoded: the password,
 * and parameters of the query whose names say so. */
MUST_USE Status url_secrets(const Url *url, Arena *arena, Err *err);

#endif
