/* The parts that live beside the jobs: one line each; a part that fails degrades only itself. */
#include "service/daemon/parts.h"
#include "service/daemon/replica.h"

static const DaemonPart PARTS[] = {
    {"replica", part_replica_start, part_replica_stop},
    {"federation", part_federation_start, part_federation_stop},
    {"streams", part_streams_start, part_streams_stop},
    {"upkeep", part_upkeep_start, part_upkeep_stop},
    {"alerts", part_alert_start, part_alert_stop},
    {NULL, NULL, NULL}, /* the end */
};

void parts_begin(Daemon *d)
{
    for (const DaemonPart *part = PARTS; part->name; part++) {
        Err err = {0};
        if (part->start(d, &err) == OK) continue;
        metrics_add(METRIC_ERRORS, 1,
                    LABELS(str_from(part->name), str_from(err_kind_name(err.kind))));
        LOG_ERR(LOG_ERROR, "daemon", "a part did not start; the others go on", &err,
                log_text("part", str_from(part->name)));
    }
}

/* Last started, first stopped. Each also takes a stop without a start. */
void parts_end(Daemon *d)
{
    int64_t count = COUNT_OF(PARTS) - 1;
    for (int64_t i = count - 1; i >= 0; i--) PARTS[i].stop(d);
}
