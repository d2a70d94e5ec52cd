/* Files written whole or not at all; appended files that survive a kill at any moment. */
#ifndef NEURON_FILE_SINK_H
#define NEURON_FILE_SINK_H

#include "connect/sink.h"

typedef struct FileSink FileSink;
enum { FILE_HEAD_MAX = 1 << 20 };

/* replace: a temporary file in the same folder, renamed at commit. Where the path is a symbolic
 * link, the file that it leads to is replaced. Mode and owner stay, as far as that is permitted.
 *
 * append: a journal beside the file ("<path>.neuron") holds the length that was committed, whose
 * file it is, how far he has read and the last run, all replaced at one moment. What a cycle writes
 * waits aside (in memory, then in a nameless file in the same folder, so that as much room is
 * needed there again); commit takes the file's lock, cuts what a killed one left behind that
 * length, appends, and replaces the journal. So any number of writers, in one process or many, may
 * append to one file at the same time: each one's rows stand together, in the order of the commits.
 * None ever holds two locks, and none longer than its bytes take to write.
 *
 * The lock is flock(2)'s, of the open file. Who waits for it for long says so in the log; he gives
 * up when he is cancelled, 5 s after `req->stop`, and after 10 minutes (ERR_TIMEOUT). A file system
 * without locks is an error at begin.
 *
 * "-" is standard output. Of the request: location, mode, topic, pipeline (the owner: the journal's
 * position and run belong to the pipeline or stream of that name; without one what somebody else
 * left there stays), stop. It is borrowed. Nothing is opened. */
MUST_USE Status file_sink_new(const SinkReq *req, FileSink **ret_sink, Err *err);
void file_sink_free(FileSink *sink);
/* append: refused rows go there. Their file is for whoever has some: that somebody of the same name
 * committed meanwhile is no error. */
void file_sink_share(FileSink *sink);
/* append: the position that the owner committed last; nothing where there is no journal. From now
 * on a commit of somebody else by that name fences this sink off. FAIL: ERR_CONFIG when the file
 * belongs to another name. */
MUST_USE Status file_sink_position(FileSink *sink, Position *ret_position, Err *err);
/* Opens the target. `header` stands first in a file that is empty otherwise. */
MUST_USE Status file_sink_begin(FileSink *sink, int64_t cycle, Str header, Err *err);
MUST_USE Status file_sink_write(FileSink *sink, Str bytes, Err *err);
/* append, before begin: how the file begins (decompressed, up to FILE_HEAD_MAX bytes); nothing
 * where it is empty or not there. A commit fails with ERR_FENCED where it begins otherwise by then.
 */
MUST_USE Status file_sink_head(FileSink *sink, Buf *ret_head, bool *ret_whole, Err *err);
/* append, with the request's topic: SinkOps of those names. The journal keeps where each partition
 * is, and its fence, and one file is written by several processes of one name, each its partitions.
 */
MUST_USE Status file_sink_take(FileSink *sink, const int32_t *parts, int32_t count,
                               Position *ret_from, Err *err);
bool file_sink_holds(const FileSink *sink, int32_t part);
MUST_USE Status file_sink_claim(FileSink *sink, const Position *position, const SinkRun *run,
                                bool *ret_held, Err *err);
/* Everything written becomes visible and lasting; the owner's position only where `run` advances
 * it. Refused rows of a pipeline's run (shared, no owner) are listed as begun (file_rejects.h);
 * those of a try of the same run go. FAIL: ERR_FENCED, the owner's name committed elsewhere since
 * file_sink_position. */
MUST_USE Status file_sink_commit(FileSink *sink, const Position *position, const SinkRun *run,
                                 CommitResult *ret_result, Err *err);
/* append: was that cycle of the run the owner's last one? Its counts. */
MUST_USE Status file_sink_outcome(FileSink *sink, Str run_id, int64_t cycle, Outcome *ret_outcome,
                                  SinkCounts *ret_counts, Err *err);
/* append, shared: as sink_rejects_settle says. */
MUST_USE Status file_sink_rejects_settle(FileSink *sink, const RejectsAsk *ask, Err *err);
/* Nothing of the cycle stays. */
MUST_USE Status file_sink_abort(FileSink *sink, Err *err);
/* From any thread: until the next begin a wait for the lock, or for whoever reads a pipe, ends with
 * ERR_CANCELLED. */
void file_sink_cancel(FileSink *sink);

#endif
