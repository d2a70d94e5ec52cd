/* The core's replies, taken apart: no network, no state; what it sends is never trusted. */
#ifndef NEURON_FEDERATE_REPLY_H
#define NEURON_FEDERATE_REPLY_H

#include "foundation/codec/json_tree.h"

enum {
    FEDERATE_TEXT_MAX = 320, /* bytes of what people are told */
    FEDERATE_TOKEN_MAX = 12 << 10,
    FEDERATE_ID_MAX = 200,       /* of a command; the core's column has 36 */
    FEDERATE_VERSION_MAX = 50,   /* of a configuration, as heartbeats take it */
    FEDERATE_COMMANDS_MAX = 1000 /* taken from one reply */
};

typedef enum Operation {
    OP_REGISTER,
    OP_HEARTBEAT,
    OP_COMMANDS,
    OP_ACKNOWLEDGE,
    OP_COMPLETE,
    OP_CONFIG,
    OP_ANALYTICS,
    OP_COUNT
} Operation;

/* How an operation goes over the wire. */
typedef struct OperationForm {
    const char *name;   /* in metrics and the log */
    const char *path;   /* NULL: it holds a command's id */
    bool post;          /* else GET */
    bool open;          /* without a token */
    int32_t status;     /* of a good reply */
    const char *needed; /* member of `data` that a good reply has; NULL: none */
    JsonKind kind;      /* its kind */
} OperationForm;
const OperationForm *operation_form(Operation operation);

/* What came of a call. */
typedef enum Outcome {
    CALL_OK,
    CALL_DOWN,    /* no answer */
    CALL_ERROR,   /* 5xx: the core's trouble, or something in the body that it can't store */
    CALL_TOKEN,   /* 401 */
    CALL_GONE,    /* 404 from the core itself */
    CALL_LARGE,   /* 413 */
    CALL_REFUSED, /* other 4xx: this body will never do */
    CALL_STRANGE, /* no answer of this protocol: a page, no JSON, no success, a member missing */
} Outcome;
const char *outcome_name(Outcome outcome);

typedef struct Answer {
    Outcome outcome;
    int32_t status;               /* 0: none came */
    const JsonValue *data;        /* of a good reply, in the arena; may be NULL */
    char text[FEDERATE_TEXT_MAX]; /* of any other: what it says, one line */
} Answer;

/* A reply is good when status, content type, `success` and the needed member are right. `body`
 * lives as long as the arena's values are used. */
void reply_judge(Operation operation, int32_t status, bool is_json, Str body, Arena *arena,
                 Answer *ret_answer);

/* Of good replies, whose `data` is given: */

/* False where the token could not be sent in a header. */
bool reply_token(const JsonValue *data, Str *ret_token);
int64_t reply_pending(const JsonValue *data);

typedef struct ReplyCommand {
    Str id, type;
    Str body; /* one JSON value; "{}" where there is none */
} ReplyCommand;
/* Those that can be taken, in the core's order; what is no command is passed over. `scratch` holds
 * each body during `each`. *ret_skipped: how many were passed over. */
MUST_USE Status reply_commands(const JsonValue *data, Buf *scratch,
                               Status (*each)(void *arg, const ReplyCommand *command, Err *err),
                               void *arg, int64_t *ret_skipped, Err *err);

typedef struct ReplyConfig {
    Str version; /* cut to what heartbeats take */
    Str content; /* a JSON object as it came; empty: nothing to apply */
} ReplyConfig;
void reply_config(const JsonValue *data, ReplyConfig *ret_config);

#endif
