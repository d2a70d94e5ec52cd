/* The function table's shape, and what a kernel gets and gives. For the rooms' own files. */
#ifndef NEURON_FUNCTION_H
#define NEURON_FUNCTION_H

#include "engine/expr/expr.h"
#include "engine/expr/vector.h"

struct Function;

/* One call over one chunk. `active` has a bit for each row that is to be computed: selected, no
 * argument failed, and (for STRICT functions) no argument NULL. A kernel writes result->data for
 * the active rows only (the rest is zeroed before), may clear bits of result->valid to give NULL
 * (call_null) and may fail rows (call_error). result->valid is prepared: active rows valid.
 * Texts it makes live in call->arena. */
typedef struct KernelCall {
    const struct Function *function;
    int64_t rows;           /* <= VECTOR_ROWS */
    const uint64_t *active; /* VECTOR_WORDS words; bits at and past `rows` are 0 */
    bool all_active;        /* every bit of 0…rows-1 is set: kernels may use a plain loop */
    int32_t arg_count;
    const Vector *args;
    Vector *result;
    Arena *arena; /* lives until the chunk's results were copied out */
    const ExprRun *run;
    void *state;                 /* made by Function.prepare for this call site; NULL else */
    const struct ExprNode *site; /* the call in the expression */
    struct ErrorLane *lane;      /* where call_error writes */
} KernelCall;

/* Non-OK only for what stops the whole run (memory, limits); row errors go to call_error. */
typedef Status (*Kernel)(KernelCall *call, Err *err);

typedef enum FunctionFlag {
    FUNCTION_STRICT = 1,   /* NULL in, NULL out: the kernel never sees NULL rows */
    FUNCTION_FALLIBLE = 2, /* may fail rows */
    FUNCTION_VOLATILE = 4, /* another value for each row: random() */
    FUNCTION_RUN = 8,      /* one value per run: now(); not folded when compiled */
    FUNCTION_VIEWS = 16,   /* of a text column and a constant: takes the column's views */
} FunctionFlag;

/* One overload. `signature` is "type, type… -> type": types by our names without spaces: boolean
 * bigint double numeric text bytea date time timestamp timestamptz interval uuid json dynamic;
 * `any`: anything as it is; `T`: any type, all T the same (common type), also as the result;
 * `…` after the last argument: it may repeat (0 or more times); `[type` … `]`: optional from here.
 * `array`: an array of SQL, which is JSON for the kernel; as the result: one like the first array
 * among the arguments; `text[]` and the like as the result; `E`: an element of that array.
 * Examples: "text, bigint, [bigint] -> text"; "T, T… -> T"; "any… -> text".
 * Overload choice: exact types win; else the first of the same name to which all arguments cast
 * implicitly (bigint -> numeric -> double; date -> timestamp -> timestamptz; dynamic and untyped
 * literals -> anything; an untyped literal for dynamic is JSON text). `example` is `expression =
 * expected JSON` and is run by a test. */
typedef struct Function {
    const char *name;
    const char *signature;
    Kernel kernel;
    int32_t flags;
    const char
        *family; /* "text", "number", "date and time", "regular expression", "hash", "json"… */
    const char *summary;
    const char *example;
    /* Optional: called once per call site when compiled with the constant arguments known
     * (NULL entries for others); the state is freed with release. */
    Status (*prepare)(const Vector *const *constants, int32_t count, void **ret_state, Err *err);
    void (*release)(void *state);
    const char *alias_of; /* not counted as a function of its own */
} Function;

/* The families' tables, one per kernel_<family>.c, gathered in function.c. */
typedef struct FunctionTable {
    const Function *functions;
    int64_t count;
} FunctionTable;

/* Fail a row: PostgreSQL's wording where it has one. `sqlstate` 5 characters. */
void call_error(KernelCall *call, int64_t row, const char *sqlstate, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* Give NULL for a row. */
static inline void call_null(KernelCall *call, int64_t row)
{
    call->result->valid[row >> 6] &= ~(UINT64_C(1) << (row & 63));
}
/* Bytes for a result text, from the chunk's arena; NULL and a row error when too long (256 MiB). */
char *call_text(KernelCall *call, int64_t row, int64_t len) MUST_USE;

/* Visit the active rows: FOR_ACTIVE(call, row) { … }; `row` is an int64_t. No break inside. */
#define FOR_ACTIVE(call, row)                                                                      \
    for (int64_t word_ = 0; word_ * 64 < (call)->rows; word_++)                                    \
        for (uint64_t bits_ = (call)->active[word_]; bits_; bits_ &= bits_ - 1)                    \
            for (int64_t row = word_ * 64 + __builtin_ctzll(bits_), once_ = 1; once_; once_ = 0)

#endif
