/* Alerts as a part of the daemon: gauges of the machine, exact counts of failed attempts. */
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "foundation/obs/system_stats.h"
#include "service/daemon/daemon_impl.h"

/* ---- gauges of the machine ---- */

/* The folder of the state store; "." where it isn't a file. */
static void state_folder(const Daemon *d, char folder[PATH_MAX])
{
    Str path = d->config->options.state;
    int64_t at = str_find(path, STR(":///"));
    path = at < 0 ? STR_NULL : str_slice(path, at + 4, path.len);
    int64_t end = path.len;
    while (end > 0 && path.ptr[end - 1] != '/') end--;
    copy_text(folder, PATH_MAX, end > 0 ? str_slice(path, 0, end) : STR("."));
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

void system_gauges(const Daemon *d)
{
    char folder[PATH_MAX];
    const char *temporary = getenv("TMPDIR");
    SystemMemory memory = system_memory_read(NULL);
    if (memory.limit > 0) {
        metrics_set(METRIC_MEMORY_USED, (double)memory.used / (double)memory.limit, NO_LABELS);
    }
    state_folder(d, folder);
    read_disk(folder);
    read_disk(temporary && temporary[0] ? temporary : "/tmp");
}

/* ---- the part ---- */

static void refresh(void *arg)
{
    metrics_read_process();
    system_gauges(arg);
    streams_metrics(arg);
}

/* Failed attempts are in the store: a restart forgets none. */
static bool exact(void *arg, Metric metric, const Str *labels, int64_t since_us, double *ret_more)
{
    const Daemon *d = arg;
    int64_t count = 0;
    if (metric != METRIC_PIPELINE_ATTEMPTS_FAILED) return false;
    if (state_attempts_failed(d->store, labels[0], since_us, &count, NULL) != OK) return false;
    *ret_more = (double)count;
    return true;
}

Status part_alert_start(Daemon *d, Err *err)
{
    AlertOptions options = {.neuron_id = d->identity,
                            .settings = &d->config->alerts,
                            .store = d->store,
                            .refresh = refresh,
                            .exact = exact,
                            .arg = d};
    Alerts *alerts = NULL;
    TRY(alerts_start(&options, &alerts, err));
    atomic_store(&d->alerts, alerts);
    return OK;
}

void part_alert_stop(Daemon *d)
{
    alerts_stop(atomic_exchange(&d->alerts, NULL));
}

Status control_alert_list(void *arg, Buf *out, Err *err)
{
    Daemon *d = arg;
    Alerts *alerts = atomic_load(&d->alerts);
    if (alerts) return alerts_list(alerts, out, err);
    return buf_append(out, STR("{\"alerts\":[]}"), err);
}

Status control_alert_silence(void *arg, const ControlSilence *silence, Buf *out, Err *err)
{
    Daemon *d = arg;
    Alerts *alerts = atomic_load(&d->alerts);
    if (alerts) return alerts_silence(alerts, silence, out, err);
    return err_set(err, ERR_NOT_FOUND, "alerts are not running");
}
