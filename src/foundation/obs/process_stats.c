/* What the kernel says about this process: CPU, memory, descriptors. */
#include "foundation/obs/process_stats.h"

#include <dirent.h>
#include <time.h>
#include <sys/resource.h>
#include <unistd.h>

#include "foundation/base/buf.h"
#include "foundation/base/clock.h"
#include "foundation/base/file.h"
#include "foundation/base/number.h"

/* The nth field (from 0) of a text of numbers with spaces between; 0 when there is none. */
static int64_t field(Str text, int32_t nth)
{
    Str part = STR_NULL;
    int64_t value = 0;
    for (int32_t i = 0; i <= nth; i++) {
        if (!str_next_part(&text, ' ', &part)) return 0;
    }
    return number_parse_int64(str_trim(part), &value) == NUMBER_OK ? value : 0;
}

static int64_t resident(void)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    if (file_load(STR("/proc/self/statm"), &text, NULL) != OK) return 0;
    return field(buf_str(&text), 1) * sysconf(_SC_PAGESIZE);
}

/* Start of the process: field 22 of stat is ticks since boot. */
static double start_seconds(void)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    if (file_load(STR("/proc/self/stat"), &text, NULL) != OK) return 0;
    Str rest = buf_str(&text);
    while (str_find_char(rest, ')') >= 0) {
        rest = str_slice(rest, str_find_char(rest, ')') + 1, rest.len);
    }
    double since_boot = (double)field(str_trim(rest), 19) / (double)sysconf(_SC_CLK_TCK);
    struct timespec up = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &up);
    double age = (double)up.tv_sec + (double)up.tv_nsec / 1e9 - since_boot;
    return (double)clock_now_us() / 1e6 - age;
}

static int64_t open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    if (!folder) return 0;
    int64_t count = -3; /* ., .. and the folder's own */
    while (readdir(folder)) count++;
    (void)closedir(folder);
    return count;
}

ProcessStats process_stats_read(void)
{
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    return (ProcessStats){
        .cpu_seconds = (double)clock_cpu_us() / 1e6,
        .start_seconds = start_seconds(),
        .resident_bytes = resident(),
        .open_fds = open_descriptors(),
        .max_fds = (int64_t)limit.rlim_cur,
    };
}
