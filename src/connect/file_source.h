/* Bytes of the files that a location names: one, several by a pattern, or standard input. */
#ifndef NEURON_FILE_SOURCE_H
#define NEURON_FILE_SOURCE_H

#include "connect/source.h"

/* A row or line may have an eighth of the memory (SourceLimits.memory_bytes), since it is held
 * several times on its way: from 1 to 256 MiB; 256 where the memory is not known (0). */
int64_t file_source_row_max(int64_t memory_bytes);

typedef struct FileSource FileSource;

/* Finds the files (a pattern's in their names' order); none is ERR_NOT_FOUND. Opens nothing yet.
 * `stop` (NULL: never): once it is true reads end with ERR_CANCELLED, also one that waits for a
 * pipe or for whoever opens its other end. */
MUST_USE Status file_source_new(const Location *location, Str spool_folder,
                                const _Atomic bool *stop, FileSource **ret_source, Err *err);
void file_source_free(FileSource *source);
/* Begin with the next file; *ret_more false after the last. */
MUST_USE Status file_source_next(FileSource *source, bool *ret_more, Err *err);
/* Decompressed bytes of the file at hand; *ret_len 0 at its end. `source` is a FileSource. */
MUST_USE Status file_source_read(void *source, void *buffer, int64_t size, int64_t *ret_len,
                                 Err *err);
/* What is piped (standard input, a FIFO) goes to an unlinked file first, so that it can be read
 * twice; nothing for files. */
MUST_USE Status file_source_spool(FileSource *source, Err *err);
/* Before the first file again. A pipe that was not spooled: ERR_INTERNAL once read from. */
MUST_USE Status file_source_rewind(FileSource *source, Err *err);
/* False when reading now would wait for somebody who writes to the pipe, also after waiting
 * until clock_mono_ns() reaches the deadline (0: don't wait). */
bool file_source_ready(const FileSource *source, int64_t deadline_ns);
/* The name of the file at hand, for messages. */
Str file_source_name(const FileSource *source);
/* What every format of files says of its source: how many bytes there are, whether they can be read
 * again. */
void file_source_describe(const FileSource *source, SourceInfo *info);

#endif
