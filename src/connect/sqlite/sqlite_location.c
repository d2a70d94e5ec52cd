/* SQLite's URLs: the path of the database file, and the parameters after it. */
#include "connect/location_shown.h"
#include "connect/sqlite/sqlite_impl.h"

/* sqlite:///relative, sqlite:////absolute, sqlite:// (in memory); parameters after `?`. */
Status sqlite_location_parse(Location *location, Str rest, Arena *arena, Err *err)
{
    if (!str_starts(rest, STR("//"))) {
        (void)err_set(err, ERR_CONFIG, "%.*s: not an SQLite location", STR_ARG(location->text));
        return err_hint(err, "write sqlite:///relative.db or sqlite:////absolute.db");
    }
    rest = str_slice(rest, 2, rest.len);
    if (rest.len > 0 && rest.ptr[0] != '/') {
        (void)err_set(err, ERR_CONFIG, "%.*s: an SQLite location has no host",
                      STR_ARG(location->text));
        Str path = location_is_plain(rest) ? rest : STR("relative.db");
        return err_hint(err, "write sqlite:///%.*s with three slashes", STR_ARG(path));
    }
    int64_t question = str_find_char(rest, '?');
    Str path = str_slice(rest, 1, question < 0 ? rest.len : question);
    if (path.len == 0) path = STR(":memory:");
    TRY(arena_copy(arena, path, &location->path, err));
    if (question < 0) return OK;
    return location_options(location, str_slice(rest, question + 1, rest.len), arena, err);
}
