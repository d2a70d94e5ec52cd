/* Files under temporary names beside their target, until they take its place. */
#ifndef NEURON_FILE_TEMPORARY_H
#define NEURON_FILE_TEMPORARY_H

#include <limits.h>

#include "foundation/base/err.h"

enum { FILE_TEMPORARY_MAX = PATH_MAX + 64 };

/* Makes and opens ".NAME.PID.tmp" in the folder of `path` (one more number where this process has
 * one already), locked (flock) as long as it is open. Those of processes that are gone, which
 * nobody holds locked, are taken away first. Where the file system knows no locks it isn't locked,
 * and nothing is taken away. FAIL: ERR_SPACE, ERR_PERMISSION … */
MUST_USE Status file_temporary_make(const char *path, char ret_name[FILE_TEMPORARY_MAX],
                                    int *ret_fd, Err *err);

#endif
