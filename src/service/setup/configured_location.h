/* Locations of a configuration: a connection's name, or a location as it is. */
#ifndef NEURON_CONFIGURED_LOCATION_H
#define NEURON_CONFIGURED_LOCATION_H

#include "service/setup/configuration.h"

/* The location under a key; what is none becomes a mistake. */
void location_settle(Configuration *configuration, const OptionHead *head, const char *key,
                     Str text, Location *location);
/* `connection.table`, or a location: into `other`. */
void other_settle(Configuration *configuration, const YamlNode *node, Str text, OtherData *other);
/* What the source would be refused for at the start of a run, as a mistake at `node`. A location
 * that is none was a mistake already. */
void source_check(Configuration *configuration, const YamlNode *node, const SourceReq *req);

#endif
