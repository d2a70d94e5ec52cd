/* Sessions with the server of a location, as its options say. */
#include "connect/postgres/postgres_location.h"
#include "foundation/config/option.h"

Status postgres_open(const Location *location, const _Atomic bool *stop, PostgresDb **ret_db,
                     Err *err)
{
    PostgresOpen how = {.url = location->url, .stop = stop};
    Str timeout = location_option(location, STR("timeout"));
    if (timeout.len && (!option_parse_duration(timeout, &how.timeout_us) || how.timeout_us <= 0)) {
        (void)err_set(err, ERR_CONFIG, "%.*s: timeout \"%.*s\" is not a duration",
                      STR_ARG(location->text), STR_ARG(timeout));
        return err_hint(err, "write it like 30s, 10m or 6h");
    }
    return postgres_db_open(&how, ret_db, err);
}
