/* ${NAME}, ${NAME:-default} and ${file:/path} in the values of a document. */
#ifndef NEURON_SUBSTITUTE_H
#define NEURON_SUBSTITUTE_H

#include "foundation/config/option.h"

/* Where values come from; `environment` gives NULL for an unset name. */
typedef struct SubstituteFrom {
    const char *(*environment)(void *arg, const char *name);
    void *arg;
} SubstituteFrom;

/* Contents of files are secrets to the filter (redact.h), but for those below the key `neuron`.
 * Replaces in all scalars of the tree (values, not keys; `$$` stands for one dollar). A replaced
 * plain scalar stays plain, so that ${PORT} can be a number; its text can't add keys or lists. An
 * unset name without default, an unreadable file, a brace that isn't closed: mistakes at the
 * scalar's place. FAIL only when memory runs out. */
MUST_USE Status substitute_tree(YamlNode *root, const SubstituteFrom *from, MistakeList *mistakes,
                                Err *err);

#endif
