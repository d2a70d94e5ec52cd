/* A first look at the head of a request that lies in a socket: is it whole, and who may it be? It
 * only chooses a place for the connection; libmicrohttpd reads and judges the request itself. */
#ifndef NEURON_REQUEST_HEAD_H
#define NEURON_REQUEST_HEAD_H

#include "foundation/base/str.h"

enum { REQUEST_HEAD_MAX = 16 << 10 };

typedef enum HeadState {
    HEAD_PART,  /* more has to come */
    HEAD_WHOLE, /* up to and with its empty line */
    HEAD_LARGE, /* longer than REQUEST_HEAD_MAX */
    HEAD_ALIEN, /* doesn't begin with a method: TLS, or no HTTP at all */
} HeadState;

/* Borrowed from the bytes. A part that isn't there is empty. */
typedef struct RequestHead {
    int64_t len; /* with its empty line, and with empty lines before it */
    Str method;
    Str path;    /* of the target, before a `?`; not decoded */
    Str bearer;  /* of the first Authorization that is a bearer's */
    Str session; /* of the first cookie neuron_session */
} RequestHead;

/* *ret_head is written for HEAD_WHOLE only. Lines may end in LF or CR LF. */
HeadState request_head_parse(Str bytes, RequestHead *ret_head);

#endif
