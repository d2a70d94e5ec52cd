/* gzip and zstd as streams: reading with checks to the last byte, writing. */
#include "foundation/codec/compress.h"

#include <zlib.h>
#include <zstd.h>

#include "foundation/base/mem.h"

enum { COMPRESS_CHUNK = 1 << 17, GZIP_WINDOW = 15 + 16 };

struct Decompressor {
    bool zstd;
    CompressRead read;
    void *ctx;
    z_stream z;
    ZSTD_DStream *d;
    uint8_t *in;
    int64_t in_at, in_len;
    int64_t offset; /* of compressed bytes taken in */
    bool end;       /* no more compressed bytes */
    bool in_frame;  /* a member or frame has begun and not ended */
    bool ready;     /* zlib is initialised */
};

Status decompressor_new(Str kind, CompressRead read, void *ctx, Decompressor **ret_decompressor,
                        Err *err)
{
    Decompressor *d = mem_zalloc((int64_t)sizeof *d);
    if (!d) return err_memory(err);
    d->zstd = str_eq(kind, STR("zst"));
    d->read = read;
    d->ctx = ctx;
    d->in = mem_alloc(COMPRESS_CHUNK);
    if (d->zstd) d->d = ZSTD_createDStream();
    else d->ready = inflateInit2(&d->z, GZIP_WINDOW) == Z_OK;
    if (!d->in || (d->zstd ? !d->d : !d->ready)) {
        decompressor_free(d);
        return err_memory(err);
    }
    *ret_decompressor = d;
    return OK;
}

void decompressor_free(Decompressor *d)
{
    if (!d) return;
    if (d->ready) (void)inflateEnd(&d->z);
    if (d->d) (void)ZSTD_freeDStream(d->d);
    mem_free(d->in);
    mem_free(d);
}

static Status fill(Decompressor *d, Err *err)
{
    if (d->in_at < d->in_len || d->end) return OK;
    TRY(d->read(d->ctx, d->in, COMPRESS_CHUNK, &d->in_len, err));
    d->in_at = 0;
    d->end = d->in_len == 0;
    return OK;
}

static Status corrupt(const Decompressor *d, const char *what, Err *err)
{
    return err_set(err, ERR_DATA, "%s data is damaged at byte %lld: %s", d->zstd ? "zstd" : "gzip",
                   (long long)d->offset, what);
}

static Status step_gzip(Decompressor *d, void *buffer, int64_t size, int64_t *ret_len, Err *err)
{
    if (!d->in_frame) {
        (void)inflateReset(&d->z);
        d->in_frame = true;
    }
    d->z.next_in = d->in + d->in_at;
    d->z.avail_in = (uInt)(d->in_len - d->in_at);
    d->z.next_out = buffer;
    d->z.avail_out = (uInt)int64_min(size, 1 << 30);
    uInt room = d->z.avail_out;
    int code = inflate(&d->z, Z_NO_FLUSH);
    int64_t used = d->in_len - d->in_at - d->z.avail_in;
    d->in_at += used;
    d->offset += used;
    *ret_len = room - d->z.avail_out;
    if (code == Z_STREAM_END) d->in_frame = false;
    else if (code != Z_OK && code != Z_BUF_ERROR) {
        return corrupt(d, d->z.msg ? d->z.msg : "not gzip", err);
    }
    return OK;
}

static Status step_zstd(Decompressor *d, void *buffer, int64_t size, int64_t *ret_len, Err *err)
{
    ZSTD_inBuffer in = {d->in + d->in_at, (size_t)(d->in_len - d->in_at), 0};
    ZSTD_outBuffer out = {buffer, (size_t)size, 0};
    size_t code = ZSTD_decompressStream(d->d, &out, &in);
    d->in_at += (int64_t)in.pos;
    d->offset += (int64_t)in.pos;
    *ret_len = (int64_t)out.pos;
    if (ZSTD_isError(code)) return corrupt(d, ZSTD_getErrorName(code), err);
    d->in_frame = code != 0;
    return OK;
}

Status decompressor_read(Decompressor *d, void *buffer, int64_t size, int64_t *ret_len, Err *err)
{
    *ret_len = 0;
    while (*ret_len == 0) {
        TRY(fill(d, err));
        bool empty = d->in_at == d->in_len;
        if (empty && d->end && !d->in_frame) return OK;
        TRY(d->zstd ? step_zstd(d, buffer, size, ret_len, err)
                    : step_gzip(d, buffer, size, ret_len, err));
        if (*ret_len == 0 && empty && d->end && d->in_frame)
            return corrupt(d, "it is cut off", err);
    }
    return OK;
}

/* ---- writing ---- */

struct Compressor {
    bool zstd, ready;
    z_stream z;
    ZSTD_CStream *c;
};

Status compressor_new(Str kind, Compressor **ret_compressor, Err *err)
{
    Compressor *c = mem_zalloc((int64_t)sizeof *c);
    if (!c) return err_memory(err);
    c->zstd = str_eq(kind, STR("zst"));
    if (c->zstd) c->c = ZSTD_createCStream();
    else {
        c->ready = deflateInit2(&c->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8,
                                Z_DEFAULT_STRATEGY) == Z_OK;
    }
    if (c->zstd ? !c->c : !c->ready) {
        compressor_free(c);
        return err_memory(err);
    }
    *ret_compressor = c;
    return OK;
}

void compressor_free(Compressor *c)
{
    if (!c) return;
    if (c->ready) (void)deflateEnd(&c->z);
    if (c->c) (void)ZSTD_freeCStream(c->c);
    mem_free(c);
}

static Status write_gzip(Compressor *c, Str bytes, bool end, Buf *out, Err *err)
{
    union {
        const char *in;
        Bytef *out;
    } data = {.in = bytes.ptr}; /* zlib's next_in is not const, but it only reads */
    c->z.next_in = data.out;
    c->z.avail_in = (uInt)bytes.len;
    int code = Z_OK;
    do {
        TRY(buf_reserve(out, COMPRESS_CHUNK, err));
        c->z.next_out = (Bytef *)out->data + out->len;
        c->z.avail_out = COMPRESS_CHUNK;
        code = deflate(&c->z, end ? Z_FINISH : Z_NO_FLUSH);
        out->len += COMPRESS_CHUNK - c->z.avail_out;
    } while (c->z.avail_out == 0 || (end && code == Z_OK));
    return OK;
}

static Status write_zstd(Compressor *c, Str bytes, bool end, Buf *out, Err *err)
{
    ZSTD_inBuffer in = {bytes.ptr, (size_t)bytes.len, 0};
    size_t left = 0;
    do {
        TRY(buf_reserve(out, COMPRESS_CHUNK, err));
        ZSTD_outBuffer to = {out->data + out->len, COMPRESS_CHUNK, 0};
        left = ZSTD_compressStream2(c->c, &to, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) return err_set(err, ERR_IO, "zstd: %s", ZSTD_getErrorName(left));
        out->len += (int64_t)to.pos;
    } while (in.pos < in.size || (end && left != 0));
    return OK;
}

Status compressor_write(Compressor *c, Str bytes, bool end, Buf *out, Err *err)
{
    while (bytes.len > (1 << 30)) {
        TRY(compressor_write(c, str_slice(bytes, 0, 1 << 30), false, out, err));
        bytes = str_slice(bytes, 1 << 30, bytes.len);
    }
    return c->zstd ? write_zstd(c, bytes, end, out, err) : write_gzip(c, bytes, end, out, err);
}
