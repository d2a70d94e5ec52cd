/* Calls to the core. */
#ifndef NEURON_FEDERATE_CALL_H
#define NEURON_FEDERATE_CALL_H

#include "foundation/net/http_client.h"
#include "service/federate/federate_reply.h"

typedef struct Federate Federate;

enum {
    FEDERATE_BODY_MAX = 100 << 10, /* the core takes no more */
    FEDERATE_BODY_MIN = 4 << 10,   /* not tried with less, however small a proxy wants it */
};

/* The way to the core, and how it has been lately. Of the client's thread. */
typedef struct Wire {
    HttpClient *client;
    Buf url, key, token; /* the address: as it is called, and by which the token is kept */
    Buf other;           /* another address that this id has a token for; empty: none */
    int64_t timeout_us;
    int64_t body_max;       /* of a body that is sent; less after a 413 */
    bool answers;           /* the last call was answered */
    bool away;              /* the last heartbeat was not: nothing else is tried before the next */
    bool failing[OP_COUNT]; /* the last call of that kind failed */
} Wire;

typedef struct Call {
    Operation operation;
    Str path; /* empty: the operation's own */
    Str body;
    bool once; /* not even when the connection turns out to be closed it is sent again at once */
} Call;
/* `ret_answer->data` lives in the arena. A refused token is the membership's business already. */
void federate_call(Federate *f, const Call *call, Arena *arena, Answer *ret_answer);
/* 0.5 s, 1, 2 … 60 s for the first, second … failure in a row. */
int64_t federate_pause_ns(int32_t failures);

#endif
