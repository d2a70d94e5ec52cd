/* The log: one line per event on standard error, as text (logfmt) or JSON. */
#ifndef NEURON_LOG_H
#define NEURON_LOG_H

#include "foundation/base/err.h"

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF } LogLevel;

/* One key=value of a line. Texts that are not UTF-8 are fixed, registered secrets
 * replaced by *** (redact.h). */
typedef struct LogField {
    const char *key;
    bool number;
    int64_t integer;
    Str text;
} LogField;

static inline LogField log_text(const char *key, Str text)
{
    return (LogField){.key = key, .text = text};
}

static inline LogField log_int(const char *key, int64_t value)
{
    return (LogField){.key = key, .number = true, .integer = value};
}

/* Before the setup: info, text. May be called again at any time, from any thread. */
void log_setup(LogLevel level, bool json);
void log_level_set(LogLevel level);
LogLevel log_level(void);
/* debug, info, warn(ing), error, off in any case; false for anything else. */
bool log_level_parse(Str text, LogLevel *ret_level);
const char *log_level_name(LogLevel level);

/* Write one line: time, level, part ("daemon", "api" …), message (constant), fields. Thread-safe;
 * never fails: a line that can't be written is dropped. */
void log_write(LogLevel level, const char *part, const char *message, const LogField *fields,
               int64_t count);
/* The same with an error's kind, message, where and hint after the fields. */
void log_write_err(LogLevel level, const char *part, const char *message, const Err *err,
                   const LogField *fields, int64_t count);

/* LOG(LOG_INFO, "daemon", "started", log_text("id", id), log_int("pipelines", 3)); */
#define LOG(level, part, message, ...)                                                             \
    log_write((level), (part), (message),                                                          \
              (const LogField[]){{NULL, false, 0, {NULL, 0}}, ##__VA_ARGS__} + 1,                  \
              COUNT_OF(((const LogField[]){{NULL, false, 0, {NULL, 0}}, ##__VA_ARGS__})) - 1)
#define LOG_ERR(level, part, message, err, ...)                                                    \
    log_write_err((level), (part), (message), (err),                                               \
                  (const LogField[]){{NULL, false, 0, {NULL, 0}}, ##__VA_ARGS__} + 1,              \
                  COUNT_OF(((const LogField[]){{NULL, false, 0, {NULL, 0}}, ##__VA_ARGS__})) - 1)

#endif
