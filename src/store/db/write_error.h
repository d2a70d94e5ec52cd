/* What an error that ended a write says about the rows that were written. */
#ifndef NEURON_WRITE_ERROR_H
#define NEURON_WRITE_ERROR_H

typedef enum WriteError {
    WRITE_ERROR_RUN,    /* the environment's, or the statement's: fewer rows fare no better */
    WRITE_ERROR_UNSURE, /* of a row where others are taken; of the run where none is */
    WRITE_ERROR_ROW,    /* a row can't be held: the others may */
} WriteError;

#endif
