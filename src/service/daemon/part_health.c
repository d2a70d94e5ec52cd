/* The members of a part's health. */
#include "service/daemon/part_health.h"

void part_health_write(const PartHealth *part, bool detail, JsonWriter *w)
{
    json_key_text_or_null(w, "status", part->status);
    if (!part->error.len) return;
    json_key_text_or_null(w, "kind", str_from(err_kind_name(part->kind)));
    if (!detail) return;
    json_key_text_or_null(w, "error", part->error);
    json_key_time(w, "since", part->since_us);
}
