/* What the files of this room share. */
#ifndef NEURON_NDJSON_IMPL_H
#define NEURON_NDJSON_IMPL_H

#include "connect/sink.h"
#include "connect/source.h"

MUST_USE Status ndjson_source_new(const SourceReq *req, Source **ret_source, Err *err);
MUST_USE Status ndjson_sink_new(const SinkReq *req, Sink **ret_sink, Err *err);

#endif
