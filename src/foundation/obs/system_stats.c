/* Memory from the cgroup files or /proc/meminfo, disk from statvfs. */
#include "foundation/obs/system_stats.h"

#include <stdio.h>
#include <sys/statvfs.h>

#include "foundation/base/file.h"
#include "foundation/base/number.h"

enum { PATH_TEXT_MAX = 512, FILE_TEXT_MAX = 64 << 10 };

static bool load(const char *root, const char *path, Buf *text)
{
    char whole[PATH_TEXT_MAX];
    (void)snprintf(whole, sizeof whole, "%s%s", root ? root : "", path);
    buf_clear(text);
    return file_load(str_from(whole), text, NULL) == OK;
}

/* The first number after `key` (empty: at the beginning); negative when there is none ("max"). */
static int64_t number_of(const Buf *text, Str key)
{
    Str rest = buf_str(text), line = STR_NULL;
    while (str_next_part(&rest, '\n', &line)) {
        if (!str_starts(line, key)) continue;
        Str digits = str_trim(str_slice(line, key.len, line.len));
        int64_t value = 0, count = 0;
        for (; count < digits.len && digits.ptr[count] >= '0' && digits.ptr[count] <= '9';
             count++) {
            if (__builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, digits.ptr[count] - '0', &value)) {
                return -1;
            }
        }
        return count ? value : -1;
    }
    return -1;
}

static int64_t file_number(const char *root, const char *path, Str key)
{
    CLEANUP(buf_done) Buf text = buf_make(FILE_TEXT_MAX);
    return load(root, path, &text) ? number_of(&text, key) : -1;
}

typedef struct CgroupFiles {
    const char *limit, *used, *stat;
    Str reclaimable;
} CgroupFiles;

static SystemMemory read_cgroup(const char *root, const CgroupFiles *files, int64_t machine)
{
    int64_t limit = file_number(root, files->limit, STR(""));
    int64_t used = file_number(root, files->used, STR(""));
    int64_t back = file_number(root, files->stat, files->reclaimable);
    /* v1 writes "no limit" as a number beyond any memory. */
    if (limit <= 0 || used < 0 || (machine > 0 && limit > machine)) return (SystemMemory){0};
    return (SystemMemory){
        .used = int64_max(used - int64_max(back, 0), 0), .limit = limit, .contained = true};
}

SystemMemory system_memory_read(const char *root)
{
    static const CgroupFiles FILES[] = {
        {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat",
         STR("inactive_file ")},
        {"/sys/fs/cgroup/memory/memory.limit_in_bytes",
         "/sys/fs/cgroup/memory/memory.usage_in_bytes", "/sys/fs/cgroup/memory/memory.stat",
         STR("total_inactive_file ")},
    };
    int64_t total = file_number(root, "/proc/meminfo", STR("MemTotal:"));
    int64_t available = file_number(root, "/proc/meminfo", STR("MemAvailable:"));
    for (int32_t i = 0; i < COUNT_OF(FILES); i++) {
        SystemMemory memory = read_cgroup(root, &FILES[i], total > 0 ? total * 1024 : 0);
        if (memory.limit > 0) return memory;
    }
    if (total <= 0 || available < 0) return (SystemMemory){0};
    return (SystemMemory){.used = (total - available) * 1024, .limit = total * 1024};
}

double system_disk_used(Str path)
{
    char whole[PATH_TEXT_MAX];
    struct statvfs s;
    (void)snprintf(whole, sizeof whole, "%.*s", STR_ARG(path));
    if (statvfs(whole, &s) != 0 || s.f_blocks == 0) return -1;
    double used = (double)(s.f_blocks - s.f_bfree);
    double all = used + (double)s.f_bavail;
    return all > 0 ? used / all : -1;
}

/* "cpu  user nice system idle iowait irq softirq steal guest guest_nice"; guest is in user. */
static bool read_ticks(SystemCpu *ret_cpu)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    if (!load(NULL, "/proc/stat", &text)) return false;
    Str rest = buf_str(&text), line = STR_NULL, part = STR_NULL;
    if (!str_next_part(&rest, '\n', &line) || !str_starts(line, STR("cpu "))) return false;
    line = str_trim(str_slice(line, 4, line.len));
    SystemCpu cpu = {0};
    for (int32_t i = 0; i < 8 && str_next_part(&line, ' ', &part); i++) {
        int64_t ticks = 0;
        if (number_parse_int64(part, &ticks) != NUMBER_OK) return false;
        cpu.total += ticks;
        if (i != 3 && i != 4) cpu.busy += ticks;
    }
    *ret_cpu = cpu;
    return true;
}

double system_cpu_used(SystemCpu *last)
{
    SystemCpu now = *last;
    if (!read_ticks(&now)) return 0;
    int64_t total = now.total - last->total, busy = now.busy - last->busy;
    *last = now;
    if (total <= 0 || busy <= 0) return 0;
    return busy >= total ? 1 : (double)busy / (double)total;
}
