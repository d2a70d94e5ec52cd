/* What kinds of values there are: pg_typeof, num_nulls. */
#include "engine/expr/kernel.h"

/* PostgreSQL's long names; an array's with [] after it. */
static Status kernel_typeof(KernelCall *call, Err *err)
{
    static const char *const NAMES[TYPE_COUNT] = {[TYPE_TIME] = "time without time zone",
                                                  [TYPE_TIMESTAMP] = "timestamp without time zone",
                                                  [TYPE_TIMESTAMPTZ] = "timestamp with time zone",
                                                  [TYPE_DOUBLE] = "double precision"};
    const ExprNode *arg = call->site->args[0];
    TypeId type = arg->array ? arg->element : arg->type;
    const char *name = NAMES[type] ? NAMES[type] : type_name(type);
    FOR_ACTIVE (call, row) {
        Str text = str_from(name);
        if (arg->array) {
            TRY(arena_printf(call->arena, &text, err, "%.*s[]", STR_ARG(str_from(name))));
        }
        kernel_put_text(call, row, text);
    }
    return OK;
}

static Status count_loop(KernelCall *call, bool nulls)
{
    FOR_ACTIVE (call, row) {
        int64_t count = 0;
        for (int32_t i = 0; i < call->arg_count; i++) {
            count += kernel_valid(&call->args[i], row) != nulls;
        }
        vector_int64(call->result)[row] = count;
    }
    return OK;
}

static Status kernel_num_nulls(KernelCall *call, Err *err UNUSED)
{
    return count_loop(call, true);
}
static Status kernel_num_nonnulls(KernelCall *call, Err *err UNUSED)
{
    return count_loop(call, false);
}

#define C "conditional"

static const Function FUNCTIONS[] = {
    {"pg_typeof", "any -> text", kernel_typeof, 0, C, "The type's name.",
     "pg_typeof(1.5) = \"numeric\"", 0, 0, 0},
    {"num_nulls", "any… -> bigint", kernel_num_nulls, 0, C, "How many are NULL.",
     "num_nulls(1, NULL) = 1", 0, 0, 0},
    {"num_nonnulls", "any… -> bigint", kernel_num_nonnulls, 0, C, "How many are not NULL.",
     "num_nonnulls(1, NULL) = 1", 0, 0, 0},
};
const FunctionTable TYPE_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
