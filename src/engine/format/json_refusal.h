/* Wording of why a document was refused. */
#ifndef NEURON_JSON_REFUSAL_H
#define NEURON_JSON_REFUSAL_H

#include "engine/column/type.h"
#include "engine/format/json_read.h"

/* `error` NULL: valid JSON, but no object. */
void json_refusal_document(JsonRefusal *ret_refusal, const JsonError *error);
/* A value that its column can't hold. `document` tells the offset. */
void json_refusal_value(JsonRefusal *ret_refusal, const Field *field, const JsonSlot *slot,
                        Str document);

#endif
