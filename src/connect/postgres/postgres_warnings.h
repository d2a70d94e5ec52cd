/* What people should know of a source before it is read. */
#ifndef NEURON_POSTGRES_WARNINGS_H
#define NEURON_POSTGRES_WARNINGS_H

#include "connect/postgres/postgres_source.h"

/* Estimates and warnings. ERR_CONFIG for a standby whose watermark nobody can vouch for. */
MUST_USE Status postgres_warnings_describe(PostgresSource *self, SourceInfo *info, Err *err);

#endif
