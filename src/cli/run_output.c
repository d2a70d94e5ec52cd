/* What commands that run a pipeline show: a progress line, the result. */
#include <stdio.h>
#include <unistd.h>

#include "cli/command.h"
#include "service/setup/configuration.h"
#include "work/pipeline/pipeline.h"

void progress_clear(void)
{
    if (isatty(STDERR_FILENO)) (void)fprintf(stderr, "\r\033[K");
}

/* rows, rows/s, MB/s, elapsed; and where the total is known, a bar and the time left. */
void progress_show(void *arg UNUSED, const FlowProgress *p)
{
    if (!isatty(STDERR_FILENO)) return;
    double seconds = (double)p->elapsed_ns / 1e9;
    double rate = seconds > 0 ? (double)p->extracted / seconds : 0;
    (void)fprintf(stderr, "\r\033[K%s  %lld rows  %.0f rows/s  %.1f MB/s  %.1f s", p->phase,
                  (long long)p->extracted, rate, seconds > 0 ? (double)p->bytes / 1e6 / seconds : 0,
                  seconds);
    if (p->rows_estimate > 0) {
        double done = (double)p->extracted / (double)p->rows_estimate;
        if (done > 1) done = 1;
        (void)fprintf(stderr, "  [%-20.*s] %3.0f%%  %.0f s left", (int)(done * 20),
                      "####################", done * 100,
                      rate > 0 ? (double)(p->rows_estimate - p->extracted) / rate : 0);
    }
    (void)fflush(stderr);
}

Status result_print(const Program *program UNUSED, const RunResult *result, Err *err)
{
    progress_clear();
    run_result_log(result);
    CLEANUP(buf_done) Buf out = buf_make(1 << 24);
    TRY(run_result_json(result, false, &out, err));
    TRY(buf_append_char(&out, '\n', err));
    return output_write(program, buf_str(&out), err);
}
