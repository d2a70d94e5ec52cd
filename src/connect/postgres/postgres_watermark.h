/* The stable watermark of a source: no row appears below it any more. */
#ifndef NEURON_POSTGRES_WATERMARK_H
#define NEURON_POSTGRES_WATERMARK_H

#include "connect/postgres/postgres_source.h"

/* True for types whose highest value can become stable. */
bool postgres_watermark_settles(const SourceReq *req, TypeId type);
/* Take a sample and wait a little for it to become stable; fills `stable`, and sets from where to
 * read. Outside a transaction, before the snapshot that the rows are read in. ERR_DATA where rows
 * below the watermark may be new and can't be told from the others. */
MUST_USE Status postgres_watermark_settle(PostgresSource *self, const Position *from, Err *err);

#endif
