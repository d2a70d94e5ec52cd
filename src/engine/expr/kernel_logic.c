/* NOT, IS NULL, IS TRUE, IS FALSE. */
#include "engine/expr/kernel.h"

static Status kernel_not(KernelCall *call, Err *err UNUSED)
{
    const uint8_t *a = vector_bool(&call->args[0]);
    int64_t mask = call->args[0].mask;
    uint8_t *out = vector_bool(call->result);
    for (int64_t i = 0; i < call->rows; i++) out[i] = !a[i & mask];
    return OK;
}

static Status kernel_is_null(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_bool(call->result)[row] = !kernel_valid(&call->args[0], row);
    }
    return OK;
}

static Status truth(KernelCall *call, bool wanted)
{
    const Vector *a = &call->args[0];
    FOR_ACTIVE (call, row) {
        vector_bool(call->result)[row] =
            kernel_valid(a, row) && vector_bool(a)[row & a->mask] == wanted;
    }
    return OK;
}

static Status kernel_is_true(KernelCall *call, Err *err UNUSED)
{
    return truth(call, true);
}

static Status kernel_is_false(KernelCall *call, Err *err UNUSED)
{
    return truth(call, false);
}

static const Function FUNCTIONS[] = {
    {"not", "boolean -> boolean", kernel_not, FUNCTION_STRICT, "operator", "Negation.",
     "NOT true = false", 0, 0, 0},
    {"is_null", "any -> boolean", kernel_is_null, 0, "operator", "IS NULL.", "NULL IS NULL = true",
     0, 0, 0},
    {"is_true", "boolean -> boolean", kernel_is_true, 0, "operator", "IS TRUE.",
     "NULL IS TRUE = false", 0, 0, 0},
    {"is_false", "boolean -> boolean", kernel_is_false, 0, "operator", "IS FALSE.",
     "false IS FALSE = true", 0, 0, 0},
};
const FunctionTable LOGIC_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
