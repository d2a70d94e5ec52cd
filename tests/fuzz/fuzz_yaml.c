/* Fuzz target: configurations; every text is a configuration or a list of mistakes. */
#include <stddef.h>
#include <stdint.h>

#include "service/setup/configuration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *nothing(void *arg UNUSED, const char *name UNUSED)
{
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Err err = {0};
    Configuration configuration;
    const SubstituteFrom from = {.environment = nothing};
    if (size > 20000) return 0;
    (void)(configuration_parse(STR("fuzz.yaml"), str_make((const char *)data, (int64_t)size), &from,
                               &configuration, &err) == OK);
    configuration_done(&configuration);
    return 0;
}
