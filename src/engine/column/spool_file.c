/* A nameless temporary file as one stream of bytes: written in blocks with checksums, read back. */
#include "engine/column/spool_file.h"

#include "foundation/base/file.h"
#include "foundation/base/hash.h"
#include "foundation/base/mem.h"

enum { HEAD = (int)sizeof(SpoolBlock) };

Status spool_file_init(SpoolFile *file, Str folder, Err *err)
{
    *file = (SpoolFile){.fd = -1, .folder = buf_make(8192)};
    Str name = folder.len ? folder : STR("the temporary folder");
    TRY(buf_append(&file->folder, str_slice(name, 0, 4096), err));
    return file_temporary(folder, &file->fd, err);
}

void spool_file_done(SpoolFile *file)
{
    file_close_p(&file->fd);
    buf_done(&file->folder);
    mem_free(file->out);
    mem_free(file->in);
    *file = (SpoolFile){.fd = -1};
}

static Status with_place(const SpoolFile *file, Err *err)
{
    (void)err_where(err, "%.*s", STR_ARG(buf_str(&file->folder)));
    return err_prefix(err, "spool: ");
}

static Status check_failed(const SpoolFile *file, Err *err)
{
    if (!file->failed) return OK;
    (void)err_set(err, ERR_IO, "an earlier write failed");
    return with_place(file, err);
}

Status spool_file_flush(SpoolFile *file, Err *err)
{
    TRY(check_failed(file, err));
    if (file->out_len == 0) return OK;
    SpoolBlock head = {.length = file->out_len};
    head.checksum = hash_64(str_make(file->out + HEAD, file->out_len), 0);
    memcpy(file->out, &head, HEAD);
    if (file_write_at(file->fd, str_make(file->out, HEAD + file->out_len), file->end, err) != OK) {
        file->failed = true;
        return with_place(file, err);
    }
    file->end += HEAD + file->out_len;
    file->out_len = 0;
    return OK;
}

static Status put(SpoolFile *file, const char *bytes, int64_t len, Err *err)
{
    if (!file->out) file->out = mem_alloc(HEAD + SPOOL_PAYLOAD_MAX);
    if (!file->out) return err_memory(err);
    while (len > 0) {
        int64_t some = int64_min(len, SPOOL_PAYLOAD_MAX - file->out_len);
        memcpy(file->out + HEAD + file->out_len, bytes, (size_t)some);
        file->out_len += some;
        bytes += some;
        len -= some;
        if (file->out_len == SPOOL_PAYLOAD_MAX) TRY(spool_file_flush(file, err));
    }
    return OK;
}

Status spool_file_put(SpoolFile *file, const void *bytes, int64_t len, Err *err)
{
    TRY(check_failed(file, err));
    if (put(file, bytes, len, err) == OK) return OK;
    file->failed = true;
    return FAIL;
}

static Status read_exact(SpoolFile *file, void *to, int64_t size, int64_t offset, Err *err)
{
    int64_t got = 0;
    if (file_read_at(file->fd, to, size, offset, &got, err) != OK) return with_place(file, err);
    if (got == size) return OK;
    (void)err_set(err, ERR_IO, "the file ends at %lld, inside a block", (long long)(offset + got));
    return with_place(file, err);
}

static Status damaged(const SpoolFile *file, const char *what, Err *err)
{
    (void)err_set(err, ERR_IO, "%s in the block at %lld", what, (long long)file->next);
    return with_place(file, err);
}

/* Read the next block; reading stands after what is to be passed by. */
static Status load(SpoolFile *file, Err *err)
{
    if (file->next == file->end) TRY(spool_file_flush(file, err));
    if (file->next == file->end) return damaged(file, "nothing more", err);
    if (!file->in) file->in = mem_alloc(SPOOL_PAYLOAD_MAX);
    if (!file->in) return err_memory(err);
    file->in_len = file->in_at = 0;
    SpoolBlock head;
    TRY(read_exact(file, &head, HEAD, file->next, err));
    if (head.length <= 0 || head.length > SPOOL_PAYLOAD_MAX || head.length < file->skip) {
        return damaged(file, "wrong length", err);
    }
    TRY(read_exact(file, file->in, head.length, file->next + HEAD, err));
    if (hash_64(str_make(file->in, head.length), 0) != head.checksum) {
        return damaged(file, "wrong checksum", err);
    }
    file->block = file->next;
    file->next += HEAD + head.length;
    file->in_len = head.length;
    file->in_at = file->skip;
    file->skip = 0;
    return OK;
}

Status spool_file_take(SpoolFile *file, void *to, int64_t len, Err *err)
{
    TRY(check_failed(file, err));
    char *at = to;
    while (len > 0) {
        if (file->in_at == file->in_len) TRY(load(file, err));
        int64_t some = int64_min(len, file->in_len - file->in_at);
        memcpy(at, file->in + file->in_at, (size_t)some);
        file->in_at += some;
        at += some;
        len -= some;
    }
    return OK;
}

SpoolPlace spool_file_place(const SpoolFile *file)
{
    if (file->in_at == file->in_len) return (SpoolPlace){file->next, file->skip};
    return (SpoolPlace){file->block, file->in_at};
}

void spool_file_seek(SpoolFile *file, SpoolPlace place)
{
    file->next = place.block;
    file->skip = place.skip;
    file->in_len = file->in_at = 0;
}

int64_t spool_file_left(const SpoolFile *file)
{
    return file->in_len - file->in_at + file->end - file->next + file->out_len;
}

int64_t spool_file_size(const SpoolFile *file)
{
    return file->end + file->out_len;
}
