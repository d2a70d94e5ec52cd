/* The log: one line per event on standard error, as text (logfmt) or JSON. */
#include "foundation/obs/log.h"

#include <stdatomic.h>
#include <unistd.h>

#include "foundation/base/buf.h"
#include "foundation/base/clock.h"
#include "foundation/base/datetime.h"
#include "foundation/base/file.h"
#include "foundation/base/redact.h"
#include "foundation/codec/json_writer.h"

enum { LOG_LINE_MAX = 32768, LOG_FIELDS_MAX = 24 };

static _Atomic int current_level = LOG_INFO;
static _Atomic bool as_json;

static const char *const LEVELS[] = {"debug", "info", "warn", "error", "off"};

void log_setup(LogLevel level, bool json)
{
    atomic_store(&as_json, json);
    log_level_set(level);
}

void log_level_set(LogLevel level)
{
    atomic_store(&current_level, (int)level);
}

LogLevel log_level(void)
{
    return (LogLevel)atomic_load(&current_level);
}

const char *log_level_name(LogLevel level)
{
    return LEVELS[level];
}

bool log_level_parse(Str text, LogLevel *ret_level)
{
    if (str_eq_nocase(text, STR("warning"))) text = STR("warn");
    for (int32_t i = 0; i < COUNT_OF(LEVELS); i++) {
        if (!str_eq_nocase(text, str_from(LEVELS[i]))) continue;
        *ret_level = (LogLevel)i;
        return true;
    }
    return false;
}

/* A logfmt value stands bare unless something in it needs quotes. */
static bool is_bare(Str text)
{
    for (int64_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return false;
    }
    return text.len > 0 && str_is_utf8(text);
}

static Status put_value(Buf *line, Str text, Err *err)
{
    if (is_bare(text)) return buf_append(line, text, err);
    return json_put_text_lossy(line, text, err);
}

static Status put_text_line(Buf *line, Str time, LogLevel level, const char *part,
                            const char *message, const LogField *fields, int64_t count, Err *err)
{
    TRY(buf_printf(line, err, "%.*s %-5s %s: %s", STR_ARG(time), LEVELS[level], part, message));
    for (int64_t i = 0; i < count; i++) {
        TRY(buf_printf(line, err, " %s=", fields[i].key));
        if (fields[i].number) TRY(json_put_int64(line, fields[i].integer, err));
        else TRY(put_value(line, fields[i].text, err));
    }
    return OK;
}

static Status put_json_line(Buf *line, Str time, LogLevel level, const char *part,
                            const char *message, const LogField *fields, int64_t count, Err *err)
{
    JsonWriter w = json_writer_make(line, err);
    json_object_begin(&w);
    json_key(&w, "ts");
    json_write_text(&w, time);
    json_key(&w, "level");
    json_write_text(&w, str_from(LEVELS[level]));
    json_key(&w, "part");
    json_write_text(&w, str_from(part));
    json_key(&w, "msg");
    json_write_text(&w, str_from(message));
    for (int64_t i = 0; i < count; i++) {
        json_key(&w, fields[i].key);
        if (fields[i].number) json_write_int64(&w, fields[i].integer);
        else json_write_text(&w, fields[i].text);
    }
    json_object_end(&w);
    return json_writer_end(&w);
}

/* The fields' texts as they may be seen; they live in `texts`, which is as large as it may get. */
static Status redact_fields(const LogField *fields, int64_t count, LogField *to, Buf *texts,
                            Err *err)
{
    int64_t all = 1;
    for (int64_t i = 0; i < count; i++) all += fields[i].number ? 0 : fields[i].text.len;
    TRY(buf_reserve(texts, all, err));
    for (int64_t i = 0; i < count; i++) {
        to[i] = fields[i];
        if (fields[i].number) continue;
        char *start = texts->data + texts->len;
        TRY(buf_append(texts, fields[i].text, err));
        texts->len -= fields[i].text.len;
        to[i].text = str_make(start, redact_text(start, fields[i].text.len, false));
        texts->len += to[i].text.len;
    }
    return OK;
}

void log_write(LogLevel level, const char *part, const char *message, const LogField *given,
               int64_t count)
{
    if (level < log_level()) return;
    CLEANUP(buf_done) Buf line = buf_make(LOG_LINE_MAX);
    CLEANUP(buf_done) Buf texts = buf_make(INT64_C(1) << 32);
    LogField fields[LOG_FIELDS_MAX];
    count = int64_min(count, LOG_FIELDS_MAX);
    if (redact_fields(given, count, fields, &texts, NULL) != OK) return;
    char time[DATETIME_TEXT_MAX];
    Str now = str_make(time, datetime_format_timestamp(clock_now_us(), 'T', true, time));
    Status status = atomic_load(&as_json)
                        ? put_json_line(&line, now, level, part, message, fields, count, NULL)
                        : put_text_line(&line, now, level, part, message, fields, count, NULL);
    if (status != OK || buf_append_char(&line, '\n', NULL) != OK) return;
    IGNORE(file_write(STDERR_FILENO, buf_str(&line), NULL)); /* there is nowhere to say it */
}

void log_write_err(LogLevel level, const char *part, const char *message, const Err *err,
                   const LogField *fields, int64_t count)
{
    LogField all[LOG_FIELDS_MAX];
    int64_t n = 0;
    for (; n < count && n < LOG_FIELDS_MAX - 4; n++) all[n] = fields[n];
    all[n++] = log_text("kind", str_from(err_kind_name(err->kind)));
    all[n++] = log_text("error", str_from(err->message));
    if (err->where[0]) all[n++] = log_text("where", str_from(err->where));
    if (err->hint[0]) all[n++] = log_text("hint", str_from(err->hint));
    log_write(level, part, message, all, n);
}
