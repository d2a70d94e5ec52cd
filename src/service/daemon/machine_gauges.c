/* How full the machine's memory is, and the disks of the state store and of temporary files. */
#include "service/daemon/machine_gauges.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "foundation/obs/metrics.h"
#include "foundation/obs/system_stats.h"

/* The folder of the state store; "." where it isn't a file. */
static void state_folder(Str path, char folder[PATH_MAX])
{
    int64_t at = str_find(path, STR(":///"));
    path = at < 0 ? STR_NULL : str_slice(path, at + 4, path.len);
    int64_t end = path.len;
    while (end > 0 && path.ptr[end - 1] != '/') end--;
    str_to_array(folder, PATH_MAX, end > 0 ? str_slice(path, 0, end) : STR("."));
}

/* The folder's mount point: the topmost parent on the same device. */
static Str mount_of(const char *folder, char mount[PATH_MAX])
{
    struct stat here, above;
    if (!realpath(folder, mount) || stat(mount, &here) != 0) return STR_NULL;
    int64_t len = (int64_t)strlen(mount);
    while (len > 1) {
        int64_t parent = len - 1;
        while (parent > 0 && mount[parent] != '/') parent--;
        char kept = mount[parent ? parent : 1];
        mount[parent ? parent : 1] = 0;
        bool same = stat(mount, &above) == 0 && above.st_dev == here.st_dev;
        if (!same) {
            mount[parent ? parent : 1] = kept;
            break;
        }
        len = parent ? parent : 1;
    }
    return str_make(mount, len);
}

static void read_disk(const char *folder)
{
    char mount[PATH_MAX];
    Str path = mount_of(folder, mount);
    double used = path.len ? system_disk_used(path) : -1;
    if (used >= 0) metrics_set(METRIC_DISK_USED, used, LABELS(path));
}

void machine_gauges_read(Str state)
{
    char folder[PATH_MAX];
    const char *temporary = getenv("TMPDIR");
    SystemMemory memory = system_memory_read(NULL);
    if (memory.limit > 0) {
        metrics_set(METRIC_MEMORY_USED, (double)memory.used / (double)memory.limit, NO_LABELS);
    }
    state_folder(state, folder);
    read_disk(folder);
    read_disk(temporary && temporary[0] ? temporary : "/tmp");
}
