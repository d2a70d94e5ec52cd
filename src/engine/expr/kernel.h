/* What kernels share: reading validity, copying values, the families' tables. */
#ifndef NEURON_KERNEL_H
#define NEURON_KERNEL_H

#include "engine/expr/eval.h"

static inline bool kernel_valid(const Vector *v, int64_t row)
{
    return !v->valid || ((v->valid[row >> 6] >> (row & 63)) & 1);
}

/* A value from one vector to another of the same type. */
static inline void kernel_copy(const Vector *from, int64_t row, Vector *to)
{
    int64_t width = vector_width(to->type);
    memcpy((char *)to->data + row * width, (const char *)from->data + (row & from->mask) * width,
           (size_t)width);
    if (to->scales) to->scales[row] = vector_scale(from, row);
}

static inline Str kernel_text(const KernelCall *call, int32_t arg, int64_t row)
{
    const Vector *v = &call->args[arg];
    return vector_text(v)[row & v->mask];
}

static inline int64_t kernel_int64(const KernelCall *call, int32_t arg, int64_t row)
{
    const Vector *v = &call->args[arg];
    return vector_int64(v)[row & v->mask];
}

static inline double kernel_double(const KernelCall *call, int32_t arg, int64_t row)
{
    const Vector *v = &call->args[arg];
    return vector_double(v)[row & v->mask];
}

/* Put a text result; the bytes live in the call's arena, in a constant or in an argument. */
static inline void kernel_put_text(KernelCall *call, int64_t row, Str text)
{
    vector_text(call->result)[row] = text;
}

/* A copy of short bytes as the row's text. */
static inline void kernel_put_copy(KernelCall *call, int64_t row, const char *bytes, int64_t len)
{
    char *to = call_text(call, row, len);
    if (!to) return;
    memcpy(to, bytes, (size_t)len);
    kernel_put_text(call, row, str_make(to, len));
}

extern const FunctionTable COMPARE_FUNCTIONS;
extern const FunctionTable ARITHMETIC_FUNCTIONS;
extern const FunctionTable LOGIC_FUNCTIONS;
extern const FunctionTable LIKE_FUNCTIONS;
extern const FunctionTable NUMBER_FUNCTIONS;
extern const FunctionTable TEXT_FUNCTIONS;
extern const FunctionTable TEXT_PART_FUNCTIONS;
extern const FunctionTable REGEX_FUNCTIONS;
extern const FunctionTable DATETIME_FUNCTIONS;
extern const FunctionTable DATETIME_PART_FUNCTIONS;
extern const FunctionTable HASH_FUNCTIONS;
extern const FunctionTable JSON_FUNCTIONS;
extern const FunctionTable ARRAY_FUNCTIONS;
extern const FunctionTable QUOTE_FUNCTIONS;
extern const FunctionTable TYPE_FUNCTIONS;
extern const FunctionTable INTERVAL_FUNCTIONS;
extern const FunctionTable JSON_EDIT_FUNCTIONS;
extern const FunctionTable JSON_SEARCH_FUNCTIONS;
extern const FunctionTable EXACT_FUNCTIONS;
extern const FunctionTable TRIG_FUNCTIONS;
extern const FunctionTable BYTES_FUNCTIONS;
extern const FunctionTable FORMAT_DATE_FUNCTIONS;
extern const FunctionTable FORMAT_NUMBER_FUNCTIONS;

#endif
