/* An answer, as it grows. */
#ifndef NEURON_API_ANSWER_H
#define NEURON_API_ANSWER_H

#include "foundation/base/buf.h"

enum { API_ANSWER_MAX = 64 << 20 };

typedef struct Answer {
    Buf out;
    int32_t status;
    const char *type;
    const char *allow; /* for 405 */
    const char *location;
    const char *policy; /* what the page may load and run; NULL: nothing */
    char cookie[192];
} Answer;

void answer_init(Answer *answer);
void answer_done(Answer *answer);
/* An RFC 9457 answer in place of what there was. */
void answer_problem(Answer *answer, int32_t status, const char *title, const char *detail);
/* Its headers but Content-Length and Connection, one by one. */
void answer_headers(const Answer *answer,
                    void (*each)(void *arg, const char *name, const char *value), void *arg);
/* All of it as bytes, closing the connection; without the body for HEAD. */
MUST_USE Status answer_bytes(const Answer *answer, bool head_only, Buf *out, Err *err);

#endif
