/* A nameless temporary file as one stream of bytes: written in blocks with checksums, read back. */
#ifndef NEURON_SPOOL_FILE_H
#define NEURON_SPOOL_FILE_H

#include "foundation/base/buf.h"

/* The file is a row of blocks: [SpoolBlock][payload]. */
typedef struct SpoolBlock {
    int64_t length;    /* of the payload, 1 … SPOOL_PAYLOAD_MAX */
    uint64_t checksum; /* XXH3-64 of the payload */
} SpoolBlock;
enum { SPOOL_PAYLOAD_MAX = 256 * 1024 };

/* A place between two bytes of the stream. */
typedef struct SpoolPlace {
    int64_t block; /* offset of the block in the file */
    int64_t skip;  /* bytes of its payload before the place */
} SpoolPlace;

/* Embedded. Holds two blocks in memory at most. One thread. */
typedef struct SpoolFile {
    int fd;
    Buf folder;      /* for messages */
    char *out;       /* a block that is being filled, its head first */
    int64_t out_len; /* of its payload */
    int64_t end;     /* of the blocks in the file */
    char *in;        /* payload of the block that is being read */
    int64_t in_len, in_at;
    int64_t block; /* where that block begins */
    int64_t next;  /* where the next one begins */
    int64_t skip;  /* bytes to pass by in the next one */
    bool failed;   /* a write failed: what is in the file can't be trusted to be whole */
} SpoolFile;

MUST_USE Status spool_file_init(SpoolFile *file, Str folder, Err *err);
void spool_file_done(SpoolFile *file);
/* Append. After a failure the file stays failed. */
MUST_USE Status spool_file_put(SpoolFile *file, const void *bytes, int64_t len, Err *err);
/* Write the block that is being filled. */
MUST_USE Status spool_file_flush(SpoolFile *file, Err *err);
/* Exactly `len` bytes from where reading stands; ERR_IO where the file is cut short or damaged. */
MUST_USE Status spool_file_take(SpoolFile *file, void *to, int64_t len, Err *err);
SpoolPlace spool_file_place(const SpoolFile *file);
void spool_file_seek(SpoolFile *file, SpoolPlace place);
/* Bytes that there may be left to read (an upper bound). */
int64_t spool_file_left(const SpoolFile *file);
int64_t spool_file_size(const SpoolFile *file);

#endif
