/* The options of CSV files, as a location has them. */
#include "connect/csv/csv_dialect.h"
#include "foundation/base/number.h"

enum { SKIP_MAX = 100000 };

static Status bad_option(const char *name, const char *wish, Err *err)
{
    return err_set(err, ERR_CONFIG, "csv: %s must be %s", name, wish);
}

static Status read_flag(const Location *location, const char *name, bool *flag, Err *err)
{
    Str value = location_option(location, str_from(name));
    if (!value.ptr) return OK;
    bool no = str_eq(value, STR("false")) || str_eq(value, STR("no"));
    if (!no && !str_eq(value, STR("true")) && !str_eq(value, STR("yes"))) {
        return bad_option(name, "true or false", err);
    }
    *flag = !no;
    return OK;
}

static Status read_count(const Location *location, const char *name, int64_t *count, Err *err)
{
    Str value = location_option(location, str_from(name));
    if (!value.ptr) return OK;
    bool good = number_parse_int64(value, count) == NUMBER_OK && *count >= 0 && *count <= SKIP_MAX;
    return good ? OK : bad_option(name, "a number of lines, at most 100000", err);
}

static bool is_mark(char c)
{
    return (uint8_t)c < 0x80 && c != '\n' && c != '\r' && c != 0;
}

/* One character, or `none`. */
static Status read_mark(const Location *location, const char *name, char *mark, Err *err)
{
    Str value = location_option(location, str_from(name));
    if (!value.ptr) return OK;
    bool none = str_eq(value, STR("none"));
    if (!none && (value.len != 1 || !is_mark(value.ptr[0]))) {
        return bad_option(name, "one ASCII character, or none", err);
    }
    *mark = 0;
    if (!none) *mark = value.ptr[0];
    return OK;
}

static Status read_delimiter(const Location *location, CsvOptions *o, Err *err)
{
    int32_t given = 0;
    for (int32_t i = 0; i < location->option_count; i++) {
        given += str_eq(location->options[i].name, STR("delimiter"));
    }
    Str text = location_option(location, STR("delimiter"));
    if (str_eq(text, STR("\\t")) || str_eq_nocase(text, STR("tab"))) text = STR("\t");
    if (!text.ptr) return OK;
    bool good = text.len > 0 && text.len <= 8;
    for (int64_t i = 0; i < text.len && good; i++) good = is_mark(text.ptr[i]);
    if (!good || str_find_char(text, o->quote ? o->quote : '\n') >= 0) {
        return bad_option("delimiter", "one to eight ASCII characters, none of them the quote",
                          err);
    }
    o->delimiter_text = text;
    o->delimiter = text.ptr[0];
    /* That of .tsv is the first one, and the ending's. */
    o->delimiter_given = given > 1 || !str_eq(text, STR("\t"));
    return OK;
}

static Status read_nulls(const Location *location, CsvOptions *o, Err *err)
{
    for (int32_t i = 0; i < location->option_count; i++) {
        if (!str_eq(location->options[i].name, STR("null"))) continue;
        if (o->null_count == CSV_NULLS_MAX) {
            return err_set(err, ERR_CONFIG, "csv: more than %d words for NULL", CSV_NULLS_MAX);
        }
        o->nulls[o->null_count++] = location->options[i].value;
    }
    return OK;
}

static Status read_encoding(const Location *location, CsvOptions *o, Err *err)
{
    Str name = location_option(location, STR("encoding"));
    if (str_eq_nocase(name, STR("utf-8")) || str_eq_nocase(name, STR("utf8"))) return OK;
    o->encoding = name;
    if (name.len == 0 || csv_dialect_knows(name)) return OK;
    (void)err_set(err, ERR_CONFIG, "csv: unknown encoding \"%.*s\"", STR_ARG(name));
    static const Str KNOWN[] = {{"latin1", 6},        {"windows-1252", 12}, {"windows-1250", 12},
                                {"windows-1251", 12}, {"utf-16", 6},        {"utf-16le", 8},
                                {"iso-8859-15", 11},  {"shift_jis", 9},     {"gb18030", 7},
                                {"koi8-r", 6},        {"macintosh", 9},     {"utf-8", 5}};
    Str near = str_nearest(name, KNOWN, COUNT_OF(KNOWN));
    if (near.len) return err_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return err_hint(err,
                    "utf-8, latin1, windows-1252, utf-16, shift_jis or any other that iconv -l "
                    "lists");
}

Status csv_options(const Location *location, CsvOptions *o, Err *err)
{
    *o = (CsvOptions){.delimiter = ',', .delimiter_text = STR(","), .header = true, .quote = '"'};
    TRY(read_mark(location, "quote", &o->quote, err));
    TRY(read_mark(location, "escape", &o->escape, err));
    TRY(read_delimiter(location, o, err));
    TRY(read_flag(location, "header", &o->header, err));
    TRY(read_flag(location, "short_rows", &o->short_rows, err));
    TRY(read_flag(location, "trailing_delimiter", &o->trailing, err));
    TRY(read_count(location, "skip_first", &o->skip_first, err));
    TRY(read_count(location, "skip_last", &o->skip_last, err));
    TRY(read_nulls(location, o, err));
    TRY(read_encoding(location, o, err));
    o->comment = location_option(location, STR("comment"));
    o->types = location_option(location, STR("types"));
    o->tokens = o->quote != '"' || o->escape || o->delimiter_text.len > 1 || o->short_rows ||
                o->trailing || o->comment.len;
    o->rewritten = o->tokens || o->encoding.len || o->skip_first || o->skip_last;
    return OK;
}
