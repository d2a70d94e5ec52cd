/* Appended files: how one begins, so that new rows look like those that are there. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "connect/file_sink_impl.h"
#include "foundation/base/file.h"

/* The bytes of an open file up to `end`. */
typedef struct HeadBytes {
    int fd;
    int64_t at, end;
} HeadBytes;

static Status read_bytes(void *ctx, void *buffer, int64_t size, int64_t *ret_len, Err *err)
{
    HeadBytes *bytes = ctx;
    TRY(file_read_at(bytes->fd, buffer, int64_min(size, bytes->end - bytes->at), bytes->at, ret_len,
                     err));
    bytes->at += *ret_len;
    return OK;
}

static Status read_head(const FileSink *s, int fd, int64_t length, Buf *head, bool *ret_whole,
                        Err *err)
{
    HeadBytes bytes = {fd, 0, length};
    CLEANUP(decompressor_free_p) Decompressor *d = NULL;
    int64_t len = -1;
    if (s->req->location->compression.len) {
        TRY(decompressor_new(s->req->location->compression, read_bytes, &bytes, &d, err));
    }
    TRY(buf_reserve(head, FILE_HEAD_MAX, err));
    while (len != 0 && head->len < FILE_HEAD_MAX) {
        char *to = head->data + head->len;
        int64_t room = FILE_HEAD_MAX - head->len;
        TRY(d ? decompressor_read(d, to, room, &len, err)
              : read_bytes(&bytes, to, room, &len, err));
        head->len += len;
    }
    *ret_whole = len == 0;
    return OK;
}

static Status look(FileSink *s, Buf *head, bool *ret_whole, Err *err)
{
    CLEANUP(file_journal_done) FileJournal journal = {0};
    CLEANUP(file_close_p) int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    int64_t length = 0, size = 0;
    if (fd < 0 && errno == ENOENT) return OK;
    if (fd < 0) return err_errno(err, errno, "it can't be read");
    TRY(file_journal_load(s->path, &journal, err));
    TRY(file_journal_counts(s->path, &journal, fd, &length, &size, err));
    return read_head(s, fd, length, head, ret_whole, err);
}

Status file_sink_head(FileSink *s, Buf *ret_head, bool *ret_whole, Err *err)
{
    *ret_whole = true;
    buf_clear(&s->head.there);
    if (!s->append) return OK;
    if (look(s, ret_head, ret_whole, err) != OK) return file_sink_name_error(s, err);
    TRY(buf_reserve(&s->head.there, 1, err));
    return buf_append(&s->head.there, buf_str(ret_head), err);
}

Status file_sink_head_holds(FileSink *s, int fd, int64_t length, Err *err)
{
    CLEANUP(buf_done) Buf head = buf_make(FILE_HEAD_MAX);
    bool whole;
    if (!s->head.there.data || length == 0) return OK;
    TRY(read_head(s, fd, length, &head, &whole, err));
    Str want = s->head.there.len ? buf_str(&s->head.there) : buf_str(&s->head.ours);
    if (str_starts(buf_str(&head), want)) return OK;
    (void)err_set(err, ERR_FENCED, "another program has written it again meanwhile");
    return err_hint(err, "nothing was written; run again");
}
