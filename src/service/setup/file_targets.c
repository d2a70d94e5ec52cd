/* Appended files: each takes the rows of one pipeline or stream, whose position is kept beside it.
 */
#include "foundation/base/file.h"
#include "service/setup/sections.h"

/* Pipelines first, then streams. */
typedef struct FileTarget {
    const Location *to;
    Str name;
    bool is_stream;
    const YamlNode *node;
} FileTarget;

/* False: the rows go elsewhere, or the file is written anew each time. */
static bool target_get(const Configuration *c, int32_t index, FileTarget *ret_target)
{
    if (index < c->pipeline_count) {
        const PipelineConfig *p = &c->pipelines[index];
        const PipelineOptions *o = c->options.pipelines.items[index];
        *ret_target = (FileTarget){&p->to, p->name, false, option_node(&o->head, "to")};
        return p->mode == SINK_APPEND && p->to.kind == LOCATION_FILE;
    }
    const StreamConfig *s = &c->streams[index - c->pipeline_count];
    const StreamOptions *o = c->options.streams.items[index - c->pipeline_count];
    *ret_target = (FileTarget){&s->to, s->name, true, option_node(&o->to.head, "file")};
    return s->to.kind == LOCATION_FILE;
}

static void check_alone(Configuration *c, int32_t index, const FileTarget *target)
{
    FileTarget other;
    for (int32_t i = 0; i < index; i++) {
        if (!target_get(c, i, &other) || !location_same_file(other.to, target->to)) continue;
        mistake_add(&c->mistakes, target->node->line, target->node->column,
                    STR("name another file, or load both into a table"),
                    "the %s \"%.*s\" appends to this file already",
                    other.is_stream ? "stream" : "pipeline", STR_ARG(other.name));
        return;
    }
}

void file_targets_check(Configuration *c)
{
    FileTarget target;
    for (int32_t i = 0; i < c->pipeline_count + c->stream_count; i++) {
        if (target_get(c, i, &target) && target.node && !file_is_stream(target.to->path))
            check_alone(c, i, &target);
    }
}
