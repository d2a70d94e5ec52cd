/* What a configuration has under a name. */
#include "service/setup/configuration.h"

Status configuration_pipeline(const Configuration *c, Str name, const PipelineConfig **ret_pipeline,
                              Err *err)
{
    Str near = STR_NULL;
    for (int32_t i = 0; i < c->pipeline_count; i++) {
        if (str_eq(c->pipelines[i].name, name)) {
            *ret_pipeline = &c->pipelines[i];
            return OK;
        }
        Str candidate = str_nearest(name, &c->pipelines[i].name, 1);
        if (candidate.ptr && !near.ptr) near = candidate;
    }
    (void)err_set(err, ERR_CONFIG, "no pipeline \"%.*s\" in %.*s", STR_ARG(name), STR_ARG(c->path));
    if (near.ptr) return err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return FAIL;
}

Status configuration_stream(const Configuration *c, Str name, const StreamConfig **ret_stream,
                            Err *err)
{
    Str near = STR_NULL;
    for (int32_t i = 0; i < c->stream_count; i++) {
        if (str_eq(c->streams[i].name, name)) {
            *ret_stream = &c->streams[i];
            return OK;
        }
        Str candidate = str_nearest(name, &c->streams[i].name, 1);
        if (candidate.ptr && !near.ptr) near = candidate;
    }
    (void)err_set(err, ERR_CONFIG, "no stream \"%.*s\" in %.*s", STR_ARG(name), STR_ARG(c->path));
    if (near.ptr) return err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return FAIL;
}

Status configuration_quality(const Configuration *c, Str name, const QualitySet **ret_set, Err *err)
{
    Str near = STR_NULL;
    for (int32_t i = 0; i < c->quality_count; i++) {
        if (str_eq(c->quality[i].name, name)) {
            *ret_set = &c->quality[i];
            return OK;
        }
        Str candidate = str_nearest(name, &c->quality[i].name, 1);
        if (candidate.ptr && !near.ptr) near = candidate;
    }
    (void)err_set(err, ERR_CONFIG, "no dataset \"%.*s\" in %.*s", STR_ARG(name), STR_ARG(c->path));
    if (near.ptr) return err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return FAIL;
}
