/* The rules of Soda, dbt, Great Expectations and Deequ, and what they are called here. */
#ifndef NEURON_RULE_PEERS_H
#define NEURON_RULE_PEERS_H

#include "foundation/base/err.h"

typedef struct RulePeer {
    const char *name; /* there */
    const char *here; /* the word here; NULL: there is none, `advice` says what to do */
    const char *advice;
} RulePeer;

/* By name in any case, with or without the package in front (dbt_utils.); NULL: unknown. */
const RulePeer *rule_peer_find(Str name);

#endif
