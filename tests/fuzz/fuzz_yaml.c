/* Fuzz target: configurations; every text is a configuration or a list of mistakes. */
#include <stddef.h>
#include <stdint.h>

#include "connect/connectors.h"
#include "service/setup/configuration.h"

#define CONNECTOR(name) &name##_connector,
static const Connector *const CONNECTORS[] = {
#include "connect/connectors.def"
};
#undef CONNECTOR
static const Registry REGISTRY = {CONNECTORS, COUNT_OF(CONNECTORS)};

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
    (void)(configuration_parse(&REGISTRY, STR("fuzz.yaml"),
                               str_make((const char *)data, (int64_t)size), &from, &configuration,
                               &err) == OK);
    configuration_done(&configuration);
    return 0;
}
