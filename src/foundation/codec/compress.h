/* gzip and zstd as streams: reading with checks to the last byte, writing. */
#ifndef NEURON_COMPRESS_H
#define NEURON_COMPRESS_H

#include "foundation/base/buf.h"

/* Where compressed bytes come from: up to `size`, *ret_len 0 at the end. */
typedef Status (*CompressRead)(void *ctx, void *buffer, int64_t size, int64_t *ret_len, Err *err);

typedef struct Decompressor Decompressor;

/* `kind` "gz" or "zst". Concatenated members (frames) are one stream. */
MUST_USE Status decompressor_new(Str kind, CompressRead read, void *ctx,
                                 Decompressor **ret_decompressor, Err *err);
void decompressor_free(Decompressor *decompressor);
DEFINE_FREE_P(Decompressor, decompressor_free)
/* Decompressed bytes; *ret_len 0 at the end. Corrupt or cut-off input is ERR_DATA with the offset.
 */
MUST_USE Status decompressor_read(Decompressor *decompressor, void *buffer, int64_t size,
                                  int64_t *ret_len, Err *err);

typedef struct Compressor Compressor;

MUST_USE Status compressor_new(Str kind, Compressor **ret_compressor, Err *err);
void compressor_free(Compressor *compressor);
DEFINE_FREE_P(Compressor, compressor_free)
/* Append what the bytes become to `out`; with `end` the stream is finished. */
MUST_USE Status compressor_write(Compressor *compressor, Str bytes, bool end, Buf *out, Err *err);

#endif
