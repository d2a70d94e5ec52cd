/* The journal beside an appended file: how much of the file counts, and what its writer keeps. */
#ifndef NEURON_FILE_JOURNAL_H
#define NEURON_FILE_JOURNAL_H

#include "connect/sink_parts.h"
#include "foundation/base/arena.h"
#include "foundation/base/buf.h"
#include "foundation/codec/json_tree.h"

enum { FILE_JOURNAL_MAX = 1 << 25, FILE_BEGUN_MAX = 1000 };

/* Refused rows that are there before their run's data: bytes [from, to). */
typedef struct FileBegun {
    Str pipeline, run_id;
    int64_t from, to;
} FileBegun;

/* "<path>.neuron", one JSON object. */
typedef struct FileJournal {
    int64_t length; /* of the file that counts; -1: there is no journal */
    bool at_work;   /* its writer was at work: bytes after `length` are what it left. Otherwise they
                       are another program's lines, and count */
    Str name;       /* the pipeline or stream whose position it is; empty: nobody's */
    Str position;   /* JSON; empty: none */
    Str topic;      /* one that the stream shares with others (file_journal_open_topic), and */
    SinkParts parts; /* where its partitions are; what there is of other topics stays */
    const JsonValue *shared;
    Str run_id;          /* the last committed run; empty: not known */
    int64_t cycle, rows; /* of it: the last cycle, and what that loaded */
    FileBegun *begun;    /* of runs that nobody knows yet to be published, ascending */
    int32_t begun_count;
    int64_t replaced_by; /* inode of the file that is about to take the place, 0: none; when it has,
                            this is no journal of what stands there, and loads as none */
    Arena arena;         /* texts of a loaded one live here and in `text` */
    Buf text;
} FileJournal;

/* Of the file `path`. Without one: length -1 and nothing else. FAIL: ERR_IO, damaged or unreadable.
 */
MUST_USE Status file_journal_load(const char *path, FileJournal *ret_journal, Err *err);
void file_journal_done(FileJournal *journal);
/* The journal as text. */
MUST_USE Status file_journal_write(const FileJournal *journal, Buf *out, Err *err);
/* `now` is the journal until the file `inode` takes the place of this one, then `next` is; both as
 * file_journal_write gives them. */
MUST_USE Status file_journal_announce(const char *path, Str now, Str next, int64_t inode, Err *err);
/* Before bytes of the file change that the journal doesn't count: at_work, saved. */
MUST_USE Status file_journal_begin(const char *path, FileJournal *journal, Err *err);
/* Replaced at one moment, and lasting; what it speaks of is safe on disk before. */
MUST_USE Status file_journal_save(const char *path, const FileJournal *journal, Err *err);
/* How much of the open file counts: all of it, except what a killed writer left at its end. An
 * empty file is a new one. FAIL: ERR_IO, it is shorter than the journal says. */
MUST_USE Status file_journal_counts(const char *path, const FileJournal *journal, int fd,
                                    int64_t *ret_length, int64_t *ret_size, Err *err);
/* Under the file's lock. Where the file is empty, but the journal counts bytes, somebody moved or
 * removed what was written: the journal is saved for a new file, with a warning in the log.
 * Positions and the last run stay; no rows are listed as begun. */
MUST_USE Status file_journal_renew(const char *path, FileJournal *journal, int fd, Err *err);
/* Look for the topic's parts, before one of the next three. Where there are none of any topic, what
 * was kept by a version that had but the position of one process is taken for them. FAIL: ERR_IO,
 * damaged. */
MUST_USE Status file_journal_open_topic(FileJournal *journal, Str owner, Str topic, Err *err);
/* The parts get a new owner: their fences are raised, `held` gets them, ret_from where they are. */
MUST_USE Status file_journal_take(FileJournal *journal, const int32_t *parts, int32_t count,
                                  SinkParts *held, Position *ret_from, Err *err);
/* Are the parts that `held` moves as it knows them? Marks those that aren't held any more. */
bool file_journal_holds(const FileJournal *journal, SinkParts *held);
/* Move them. */
void file_journal_move(FileJournal *journal, const SinkParts *held);
bool file_journal_exists(const char *path);
/* There is none any more. */
MUST_USE Status file_journal_remove(const char *path, Err *err);

#endif
