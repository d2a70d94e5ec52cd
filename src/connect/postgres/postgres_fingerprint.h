/* Sums of row hashes per range of a key, by the server, in the source's open transaction. */
#ifndef NEURON_POSTGRES_FINGERPRINT_H
#define NEURON_POSTGRES_FINGERPRINT_H

#include "connect/postgres/postgres_source.h"

MUST_USE Status postgres_fingerprint_forms(const PostgresSource *self, Arena *arena,
                                           SourceForms *ret_forms, Err *err);
MUST_USE Status postgres_fingerprint_span(PostgresSource *self, int32_t column,
                                          SourceSpan *ret_span, Err *err);
MUST_USE Status postgres_fingerprint(PostgresSource *self, const SourceFingerprintReq *req,
                                     SourceFingerprint **ret_ranges, int64_t *ret_count, Err *err);
/* The condition that a row is in one of the ranges. */
MUST_USE Status postgres_fingerprint_within(PostgresSource *self, const SourceRanges *ranges,
                                            Buf *out, Err *err);

#endif
