/* What a compiled expression and a compiled select list have in common. */
#ifndef NEURON_PROGRAM_H
#define NEURON_PROGRAM_H

#include "engine/expr/eval.h"

typedef struct Program {
    Arena arena; /* trees, constants, the text */
    Arena chunk; /* cleared between chunks */
    Checker checker;
} Program;

MUST_USE Status program_init(Program *program, Str text, const Schema *in, PathSet *paths,
                             Err *err);
void program_done(Program *program);

/* Visit a batch chunk by chunk. */
typedef struct ChunkRun {
    Program *program;
    const ExprRun *run;
    const Batch *batch;
    RejectList *rejects;
    uint64_t *failed; /* one bit per row of the batch */
    Status (*chunk)(void *arg, Eval *eval, const Mask *rows, Err *err);
    void *arg;
} ChunkRun;
MUST_USE Status program_run(const ChunkRun *run, Err *err);
/* The vector's failed rows: noted in `failed` and in the reject list, each row once. */
MUST_USE Status program_note_errors(const ChunkRun *run, Eval *eval, const Vector *vector,
                                    Err *err);

#endif
