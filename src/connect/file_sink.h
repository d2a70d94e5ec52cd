/* Files written whole or not at all; appended files that survive a kill at any moment. */
#ifndef NEURON_FILE_SINK_H
#define NEURON_FILE_SINK_H

#include "connect/location.h"
#include "connect/position.h"

typedef struct FileSink FileSink;

/* replace: a temporary file in the same folder, renamed at commit. append: a journal beside the
 * file
 * ("<path>.neuron") holds {length, position} of what was committed; opening cuts the file to that
 * length, so that a killed run leaves nothing behind. "-" is standard output. Nothing is opened. */
MUST_USE Status file_sink_new(const Location *location, bool append, FileSink **ret_sink, Err *err);
void file_sink_free(FileSink *sink);
/* append: the journal's position belongs to the pipeline or stream of that name (empty: to nobody;
 * what somebody else left there stays). The name is borrowed. */
void file_sink_owner(FileSink *sink, Str name);
/* append: the position that the owner committed last; nothing where there is no journal. FAIL:
 * ERR_CONFIG when the file belongs to another name. */
MUST_USE Status file_sink_position(FileSink *sink, Position *ret_position, Err *err);
/* Opens the target. *ret_empty: nothing is in it yet (a header is to be written). */
MUST_USE Status file_sink_begin(FileSink *sink, bool *ret_empty, Err *err);
MUST_USE Status file_sink_write(FileSink *sink, Str bytes, Err *err);
/* Everything written becomes visible and lasting. `position` NULL: the last one stays. */
MUST_USE Status file_sink_commit(FileSink *sink, const Position *position, Err *err);
/* Nothing of the cycle stays. */
MUST_USE Status file_sink_abort(FileSink *sink, Err *err);

#endif
