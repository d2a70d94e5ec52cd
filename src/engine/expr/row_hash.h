/* The stable 128-bit hash of typed values: row_hash(), drop_duplicates, duplicate checks. */
#ifndef NEURON_ROW_HASH_H
#define NEURON_ROW_HASH_H

#include "engine/column/batch.h"
#include "foundation/base/hash.h"

/* The hash of a row is XXH3-128 (seed 0) over its values' encodings in column order, integers
 * little-endian:
 *   00                     NULL (also JSON null)
 *   01 b                   boolean, b 0 or 1
 *   02 s v:int64           number v * 10^-s without trailing zeros after the point (s least)
 *   03 d:binary64          a double that 38 digits can't hold; one NaN (7ff8…), -0 is the number 0
 *   04 s v:int128          as 02 where v needs more than 64 bits
 *   05 n:uint32 bytes      text          06 n:uint32 bytes      bytes
 *   07 days:int32          date          08 us:int64            time
 *   09 us:int64            timestamps, with zone as UTC, without zone as if UTC
 *   0a months days us      interval (int32, int32, int64)       0b 16 bytes   UUID
 *   0c n:uint32 bytes      JSON object or array in canonical form: no white space, members sorted
 *                          by their names' bytes (the last of equal names), numbers in the shortest
 *                          form of their value, text with the fewest escapes
 * Doubles count by their shortest text (10.5 as a double is the decimal 10.5). JSON and dynamic
 * scalars count as the scalar they hold. Test vectors: docs/row-hash.md. */

/* Hashes of rows [from, from + rows) over the given fields into ret_hashes[0 … rows). */
MUST_USE Status row_hash_batch(const Batch *batch, const int32_t *columns, int32_t count,
                               int64_t from, int64_t rows, Hash128 *ret_hashes, Err *err);

#endif
