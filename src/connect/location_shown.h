/* What of a location's text people may see: its secrets are known to the filter (redact.h), and
 * what doesn't parse is never shown beyond its scheme. */
#ifndef NEURON_LOCATION_SHOWN_H
#define NEURON_LOCATION_SHOWN_H

#include "foundation/base/arena.h"

/* Registers the values of parameters whose names say that they are secret, wherever in the text
 * they are and however it is written. */
MUST_USE Status location_secrets(Str text, Arena *arena, Err *err);
/* The same for a text that doesn't parse: also what may be its user's password. */
MUST_USE Status location_secrets_unparsed(Str text, Arena *arena, Err *err);
/* A text that was not parsed yet. One that can't hold a secret is a name or a path: itself. */
MUST_USE Status location_shown_unparsed(Str text, Arena *arena, Str *ret_shown, Err *err);
bool location_is_plain(Str text);
/* A text that parses, its secrets masked. `authority`: after `://` come user and hosts. */
MUST_USE Status location_shown(Str text, bool authority, Arena *arena, Str *ret_shown, Err *err);

#endif
