/* Fuzz target: locations; no password in what people see, options found, the same file is the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "connect/connectors.h"

#define CONNECTOR(name) &name##_connector,
static const Connector *const CONNECTORS[] = {
#include "connect/connectors.def"
};
#undef CONNECTOR
static const Registry REGISTRY = {CONNECTORS, COUNT_OF(CONNECTORS)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(Str text, Arena *arena)
{
    Location location = {0}, again = {0};
    Err err = {0};
    if (location_parse(&REGISTRY, text, arena, &location, &err) != OK) {
        if (err.kind == ERR_INTERNAL) abort();
        return;
    }
    if (!location.connector || location.kind == LOCATION_NONE) abort();
    for (int32_t i = 0; i < location.option_count; i++) {
        if (!location_option(&location, location.options[i].name).ptr) abort();
    }
    if (location_set(&location, arena, STR("id"), STR("v"), &err) != OK) abort();
    if (!str_eq(location_option(&location, STR("id")), STR("v"))) abort();
    if (location_parse(&REGISTRY, text, arena, &again, &err) != OK) abort();
    if (location_same_file(&location, &again) != location_same_file(&again, &location)) abort();
}

/* The text as the password of a URL, where it may stand in one as it is. */
static void mask(Str text, Arena *arena)
{
    Location location = {0};
    Str url;
    if (text.len < 8) return;
    for (int64_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && c != '-' && c != '_' && c != '.' && c != '~') return;
    }
    if (arena_printf(arena, &url, NULL, "postgresql://u:%.*s@h/db", STR_ARG(text)) != OK) return;
    if (location_parse(&REGISTRY, url, arena, &location, NULL) != OK) return;
    /* A password may be a piece of the scheme's own name. */
    Str shown = str_slice(location.text, str_find(location.text, STR("://")), location.text.len);
    if (str_find(shown, text) >= 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Str text = str_make((const char *)data, (int64_t)size);
    Arena arena = arena_make(16 << 20);
    look_at(text, &arena);
    mask(text, &arena);
    arena_done(&arena);
    return 0;
}
