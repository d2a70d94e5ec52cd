/* Batches from the Arrow C data interface: values are checked and copied. */
#include "engine/column/arrow_impl.h"
#include "engine/column/builder.h"
#include "foundation/base/mem.h"

/* The rows of one array that are being read: [first, first + length) of its buffers. */
typedef struct Source {
    const struct ArrowSchema *schema;
    const struct ArrowArray *array;
    const uint8_t *valid; /* NULL: no NULLs */
    const void *data;     /* buffer 1 */
    int64_t first, length;
    int64_t multiply, divide; /* to our unit */
    int32_t scale;
} Source;

typedef Status (*Fill)(const Source *source, Builder *builder, Err *err);

static Status row_error(int64_t row, const char *what, Err *err)
{
    return err_set(err, ERR_DATA, "row %lld: %s", (long long)row, what);
}

static Status malformed(Err *err)
{
    return err_set(err, ERR_DATA, "the Arrow array does not have the form of its type");
}

static inline bool source_null(const Source *s, int64_t row)
{
    return s->valid && !bit_get(s->valid, s->first + row);
}

/* ---- fixed width ---- */

static Status fill_null(const Source *s, Builder *b, Err *err)
{
    for (int64_t i = 0; i < s->length; i++) TRY(builder_null(b, err));
    return OK;
}

static Status fill_bool(const Source *s, Builder *b, Err *err)
{
    const uint8_t *bits = s->data;
    for (int64_t i = 0; i < s->length; i++) {
        if (source_null(s, i)) TRY(builder_null(b, err));
        else TRY(builder_bool(b, bit_get(bits, s->first + i), err));
    }
    return OK;
}

#define FILL_NUMBER(name, Type, append, To)                                                        \
    static Status name(const Source *s, Builder *b, Err *err)                                      \
    {                                                                                              \
        const Type *values = (const Type *)s->data + s->first;                                     \
        for (int64_t i = 0; i < s->length; i++) {                                                  \
            if (source_null(s, i)) TRY(builder_null(b, err));                                      \
            else TRY(append(b, (To)values[i], err));                                               \
        }                                                                                          \
        return OK;                                                                                 \
    }

FILL_NUMBER(fill_int8, int8_t, builder_int64, int64_t)
FILL_NUMBER(fill_uint8, uint8_t, builder_int64, int64_t)
FILL_NUMBER(fill_int16, int16_t, builder_int64, int64_t)
FILL_NUMBER(fill_uint16, uint16_t, builder_int64, int64_t)
FILL_NUMBER(fill_int32, int32_t, builder_int64, int64_t)
FILL_NUMBER(fill_uint32, uint32_t, builder_int64, int64_t)
FILL_NUMBER(fill_int64, int64_t, builder_int64, int64_t)
FILL_NUMBER(fill_float, float, builder_double, double)
FILL_NUMBER(fill_double, double, builder_double, double)
FILL_NUMBER(fill_date, int32_t, builder_date, int32_t)

static Status fill_uint64(const Source *s, Builder *b, Err *err)
{
    const uint64_t *values = (const uint64_t *)s->data + s->first;
    for (int64_t i = 0; i < s->length; i++) {
        if (source_null(s, i)) {
            TRY(builder_null(b, err));
            continue;
        }
        if (values[i] > INT64_MAX) return row_error(i, "an unsigned number past bigint", err);
        TRY(builder_int64(b, (int64_t)values[i], err));
    }
    return OK;
}

/* Milliseconds at midnight. */
static Status fill_date64(const Source *s, Builder *b, Err *err)
{
    const int64_t *values = (const int64_t *)s->data + s->first;
    for (int64_t i = 0; i < s->length; i++) {
        if (source_null(s, i)) {
            TRY(builder_null(b, err));
            continue;
        }
        int64_t days = values[i] / s->divide;
        if (values[i] % s->divide || days > INT32_MAX || days < INT32_MIN) {
            return row_error(i, "a date that is not a whole day in range", err);
        }
        TRY(builder_date(b, (int32_t)days, err));
    }
    return OK;
}

static Status append_time(const Source *s, int64_t row, int64_t value, Builder *b, Err *err)
{
    if (value % s->divide) return row_error(row, "a time with parts of a microsecond", err);
    if (__builtin_mul_overflow(value / s->divide, s->multiply, &value)) {
        return row_error(row, "a timestamp that is out of range", err);
    }
    if (b->type == TYPE_TIME && (value < 0 || value > DATETIME_DAY_US)) {
        return row_error(row, "a time that is not within a day", err);
    }
    return builder_int64(b, value, err);
}

static Status fill_time32(const Source *s, Builder *b, Err *err)
{
    const int32_t *values = (const int32_t *)s->data + s->first;
    for (int64_t i = 0; i < s->length; i++) {
        if (source_null(s, i)) TRY(builder_null(b, err));
        else TRY(append_time(s, i, values[i], b, err));
    }
    return OK;
}

static Status fill_time64(const Source *s, Builder *b, Err *err)
{
    const int64_t *values = (const int64_t *)s->data + s->first;
    for (int64_t i = 0; i < s->length; i++) {
        if (source_null(s, i)) TRY(builder_null(b, err));
        else TRY(append_time(s, i, values[i], b, err));
    }
    return OK;
}

static Status fill_interval(const Source *s, Builder *b, Err *err)
{
    const Interval *values = (const Interval *)s->data + s->first;
    for (int64_t i = 0; i < s->length; i++) {
        if (source_null(s, i)) {
            TRY(builder_null(b, err));
            continue;
        }
        Interval value = values[i];
        if (value.us % 1000) {
            return row_error(i, "an interval with parts of a microsecond", err);
        }
        value.us /= 1000;
        TRY(builder_interval(b, value, err));
    }
    return OK;
}

static Status fill_uuid(const Source *s, Builder *b, Err *err)
{
    const uint8_t *bytes = (const uint8_t *)s->data + s->first * 16;
    for (int64_t i = 0; i < s->length; i++) {
        if (source_null(s, i)) TRY(builder_null(b, err));
        else TRY(builder_uuid(b, bytes + i * 16, err));
    }
    return OK;
}

static Status append_decimal(Int128 value, int32_t scale, int64_t row, Builder *b, Err *err)
{
    Int128 limit = decimal_power10(DECIMAL_DIGITS_MAX);
    if (value >= limit || value <= -limit) return row_error(row, "more than 38 digits", err);
    return builder_numeric(b, (Decimal){value, scale}, err);
}

static Status fill_decimal(const Source *s, Builder *b, Err *err)
{
    const uint8_t *bytes = (const uint8_t *)s->data + s->first * 16;
    for (int64_t i = 0; i < s->length; i++) {
        if (source_null(s, i)) {
            TRY(builder_null(b, err));
            continue;
        }
        Int128 value;
        memcpy(&value, bytes + i * 16, sizeof value);
        TRY(append_decimal(value, s->scale, i, b, err));
    }
    return OK;
}

static bool buffers_exist(const struct ArrowArray *array, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) {
        if (!array->buffers[i]) return false;
    }
    return true;
}

/* Whether rows [0, rows) of a struct's child are there. */
static bool part_fits(const struct ArrowArray *part, int64_t rows)
{
    return part->release && part->n_buffers == 2 && part->offset >= 0 && part->length >= rows &&
           (rows == 0 || buffers_exist(part, 1, 2));
}

/* neuron.numeric: a struct of values and scales. */
static Status fill_numeric(const Source *s, Builder *b, Err *err)
{
    const struct ArrowArray *values = s->array->children[0], *scales = s->array->children[1];
    int64_t rows = s->first + s->length;
    if (!part_fits(values, rows) || !part_fits(scales, rows)) return malformed(err);
    for (int64_t i = 0; i < s->length; i++) {
        if (source_null(s, i)) {
            TRY(builder_null(b, err));
            continue;
        }
        int64_t row = s->first + i;
        const uint8_t *bytes = (const uint8_t *)values->buffers[1] + (values->offset + row) * 16;
        uint8_t scale = ((const uint8_t *)scales->buffers[1])[scales->offset + row];
        Int128 value;
        memcpy(&value, bytes, sizeof value);
        if (scale == NUMERIC_SCALE_DOUBLE) {
            double real;
            memcpy(&real, bytes, sizeof real);
            TRY(builder_numeric_double(b, real, err));
            continue;
        }
        if (scale > DECIMAL_SCALE_MAX) return row_error(i, "a scale past 38", err);
        TRY(append_decimal(value, scale, i, b, err));
    }
    return OK;
}

/* ---- text ---- */

static Status append_text(Str text, int64_t row, Builder *b, Err *err)
{
    if (b->type != TYPE_BYTES && !str_is_utf8(text)) {
        return row_error(row, "text that is not UTF-8", err);
    }
    return builder_text(b, text, err);
}

/* Text between each two offsets of a buffer. */
#define FILL_TEXT(name, Offset)                                                                    \
    static Status name(const Source *s, Builder *b, Err *err)                                      \
    {                                                                                              \
        const Offset *at = (const Offset *)s->data + s->first;                                     \
        const char *bytes = s->array->buffers[2];                                                  \
        for (int64_t i = 0; i < s->length; i++) {                                                  \
            if (source_null(s, i)) {                                                               \
                TRY(builder_null(b, err));                                                         \
                continue;                                                                          \
            }                                                                                      \
            bool sound = at[i] >= 0 && at[i + 1] >= at[i] && (bytes || at[i] == at[i + 1]);        \
            if (!sound) return row_error(i, "text outside of its buffer", err);                    \
            Str text = at[i] == at[i + 1] ? STR("") : str_make(bytes + at[i], at[i + 1] - at[i]);  \
            TRY(append_text(text, i, b, err));                                                     \
        }                                                                                          \
        return OK;                                                                                 \
    }

FILL_TEXT(fill_text32, int32_t)
FILL_TEXT(fill_text64, int64_t)

static bool view_text(const Source *s, int64_t row, Str *ret_text)
{
    const TextView *view = (const TextView *)s->data + s->first + row;
    if (view->len < 0) return false;
    *ret_text = str_make(view->inlined, view->len);
    if (view->len <= 12) return true;
    int64_t heaps = s->array->n_buffers - 3;
    const int64_t *sizes = s->array->buffers[2 + heaps];
    if (view->ref.heap < 0 || view->ref.heap >= heaps || view->ref.offset < 0) return false;
    if ((int64_t)view->ref.offset + view->len > sizes[view->ref.heap]) return false;
    const char *heap = s->array->buffers[2 + view->ref.heap];
    *ret_text = str_make(heap + view->ref.offset, view->len);
    return heap != NULL;
}

static Status fill_views(const Source *s, Builder *b, Err *err)
{
    int64_t heaps = s->array->n_buffers - 3;
    if (s->length && heaps > 0 && !s->array->buffers[2 + heaps]) return malformed(err);
    for (int64_t i = 0; i < s->length; i++) {
        Str text;
        if (source_null(s, i)) {
            TRY(builder_null(b, err));
            continue;
        }
        if (!view_text(s, i, &text)) return row_error(i, "text outside of its buffer", err);
        TRY(append_text(text, i, b, err));
    }
    return OK;
}

/* ---- which format is read how ---- */

/* What an array of a format must have: how many buffers (views: at least), how many must be there
 * from buffer 1 on when there are rows, how many children. */
static const struct {
    const char *format; /* one that ends in a colon has text after it */
    Fill fill;
    int32_t buffers, present, children;
    int64_t multiply, divide;
} FILLS[] = {
    {"n", fill_null, 0, 0, 0, 1, 1},
    {"b", fill_bool, 2, 1, 0, 1, 1},
    {"c", fill_int8, 2, 1, 0, 1, 1},
    {"C", fill_uint8, 2, 1, 0, 1, 1},
    {"s", fill_int16, 2, 1, 0, 1, 1},
    {"S", fill_uint16, 2, 1, 0, 1, 1},
    {"i", fill_int32, 2, 1, 0, 1, 1},
    {"I", fill_uint32, 2, 1, 0, 1, 1},
    {"l", fill_int64, 2, 1, 0, 1, 1},
    {"L", fill_uint64, 2, 1, 0, 1, 1},
    {"f", fill_float, 2, 1, 0, 1, 1},
    {"g", fill_double, 2, 1, 0, 1, 1},
    {"u", fill_text32, 3, 1, 0, 1, 1},
    {"z", fill_text32, 3, 1, 0, 1, 1},
    {"U", fill_text64, 3, 1, 0, 1, 1},
    {"Z", fill_text64, 3, 1, 0, 1, 1},
    {"vu", fill_views, 3, 1, 0, 1, 1},
    {"vz", fill_views, 3, 1, 0, 1, 1},
    {"w:16", fill_uuid, 2, 1, 0, 1, 1},
    {"d:", fill_decimal, 2, 1, 0, 1, 1},
    {"tdD", fill_date, 2, 1, 0, 1, 1},
    {"tdm", fill_date64, 2, 1, 0, 1, DATETIME_DAY_US / 1000},
    {"tts", fill_time32, 2, 1, 0, 1000000, 1},
    {"ttm", fill_time32, 2, 1, 0, 1000, 1},
    {"ttu", fill_time64, 2, 1, 0, 1, 1},
    {"ttn", fill_time64, 2, 1, 0, 1, 1000},
    {"tss:", fill_time64, 2, 1, 0, 1000000, 1},
    {"tsm:", fill_time64, 2, 1, 0, 1000, 1},
    {"tsu:", fill_time64, 2, 1, 0, 1, 1},
    {"tsn:", fill_time64, 2, 1, 0, 1, 1000},
    {"tin", fill_interval, 2, 1, 0, 1, 1},
    {"+s", fill_numeric, 1, 0, 2, 1, 1},
};

/* What holds for any array that rows [first, first + length) are read from. */
static bool array_sound(const struct ArrowSchema *schema, const struct ArrowArray *array,
                        int64_t first, int64_t length)
{
    if (!array->release || array->length < 0 || array->offset < 0) return false;
    if (first < 0 || length < 0 || first > array->length - length) return false;
    if (array->n_children != schema->n_children) return false;
    return (array->dictionary != NULL) == (schema->dictionary != NULL);
}

/* Rows [first, first + length) of an array without dictionary, whose type is known to be read. */
static Status read_plain(const struct ArrowSchema *schema, const struct ArrowArray *array,
                         int64_t first, int64_t length, Builder *b, Err *err)
{
    Str format = str_from(schema->format);
    Source s = {.schema = schema, .array = array, .length = length};
    s.first = array->offset + first;
    int32_t precision;
    (void)arrow_type(schema, &precision, &s.scale);
    for (int64_t i = 0; i < COUNT_OF(FILLS); i++) {
        Str known = str_from(FILLS[i].format);
        bool open = str_ends(known, STR(":"));
        if (!(open ? str_starts(format, known) : str_eq(format, known))) continue;
        int64_t buffers = FILLS[i].buffers;
        bool views = FILLS[i].fill == fill_views;
        if (views ? array->n_buffers < buffers : array->n_buffers != buffers) return malformed(err);
        if (array->n_children != FILLS[i].children) return malformed(err);
        int64_t present = length ? 1 + FILLS[i].present : 1;
        if (!buffers_exist(array, 1, present)) return malformed(err);
        if (buffers && array->null_count != 0) s.valid = array->buffers[0];
        if (buffers > 1) s.data = array->buffers[1];
        s.multiply = FILLS[i].multiply;
        s.divide = FILLS[i].divide;
        return FILLS[i].fill(&s, b, err);
    }
    return malformed(err);
}

static Status read_column(const struct ArrowSchema *schema, const struct ArrowArray *array,
                          int64_t first, int64_t length, Column *ret_column, Err *err);

/* ---- dictionaries ---- */

static Status copy_indexed(const Column *index, const Column *values, Builder *b, Err *err)
{
    for (int64_t i = 0; i < index->length; i++) {
        if (column_is_null(index, i)) {
            TRY(builder_null(b, err));
            continue;
        }
        int64_t at = column_int64(index)[i];
        if (at < 0 || at >= values->length)
            return row_error(i, "an index past its dictionary", err);
        TRY(builder_copy(b, values, at, err));
    }
    return OK;
}

static Status read_indexed(const struct ArrowSchema *schema, const struct ArrowArray *array,
                           int64_t first, int64_t length, Builder *b, Err *err)
{
    Builder numbers;
    builder_init(&numbers, TYPE_INT64, NULL);
    Column index = {0}, values = {0};
    Status status = read_plain(schema, array, first, length, &numbers, err);
    if (status == OK) status = builder_finish(&numbers, &index, err);
    if (status == OK) {
        int64_t count = array->dictionary->length;
        status = read_column(schema->dictionary, array->dictionary, 0, count, &values, err);
    }
    if (status == OK) status = copy_indexed(&index, &values, b, err);
    builder_done(&numbers);
    column_done(&index);
    column_done(&values);
    return status;
}

/* ---- dense unions ---- */

/* The child of each type id, -1 where there is none: "+ud:" and the ids between commas. */
static bool read_ids(const struct ArrowSchema *schema, int8_t ret_child[128])
{
    memset(ret_child, -1, 128);
    Str rest = str_slice(str_from(schema->format), 4, INT64_MAX);
    Str part;
    int64_t child = 0;
    while (rest.len && str_next_part(&rest, ',', &part)) {
        int32_t id = 0;
        if (part.len < 1 || part.len > 3 || child >= schema->n_children) return false;
        for (int64_t i = 0; i < part.len; i++) {
            if (part.ptr[i] < '0' || part.ptr[i] > '9') return false;
            id = id * 10 + (part.ptr[i] - '0');
        }
        if (id > 127) return false;
        ret_child[id] = (int8_t)child++;
    }
    return child == schema->n_children;
}

static Status copy_tagged(const Source *s, const Column *children, Builder *b, Err *err)
{
    int8_t child_of[128];
    if (!read_ids(s->schema, child_of)) return malformed(err);
    const int8_t *tags = (const int8_t *)s->array->buffers[0] + s->first;
    const int32_t *places = (const int32_t *)s->array->buffers[1] + s->first;
    for (int64_t i = 0; i < s->length; i++) {
        int8_t child = tags[i] < 0 ? (int8_t)-1 : child_of[tags[i]];
        if (child < 0) return row_error(i, "a type id that the union does not have", err);
        const Column *values = &children[child];
        if (places[i] < 0 || places[i] >= values->length) {
            return row_error(i, "a place outside of the union's child", err);
        }
        TRY(builder_copy(b, values, places[i], err));
    }
    return OK;
}

static Status read_dynamic(const struct ArrowSchema *schema, const struct ArrowArray *array,
                           int64_t first, int64_t length, Builder *b, Err *err)
{
    if (array->n_buffers != 2 || (length && !buffers_exist(array, 0, 2))) return malformed(err);
    Source s = {.schema = schema, .array = array, .length = length};
    s.first = array->offset + first;
    Column *children = mem_array(schema->n_children, (int64_t)sizeof *children);
    if (!children) return err_memory(err);
    Status status = OK;
    for (int64_t i = 0; i < schema->n_children && status == OK; i++) {
        const struct ArrowArray *child = array->children[i];
        status = read_column(schema->children[i], child, 0, child->length, &children[i], err);
    }
    if (status == OK) status = copy_tagged(&s, children, b, err);
    for (int64_t i = 0; i < schema->n_children; i++) column_done(&children[i]);
    mem_free(children);
    return status;
}

static Status read_column(const struct ArrowSchema *schema, const struct ArrowArray *array,
                          int64_t first, int64_t length, Column *ret_column, Err *err)
{
    if (!array_sound(schema, array, first, length)) return malformed(err);
    int32_t precision, scale;
    TypeId type = arrow_type(schema, &precision, &scale);
    if (type == TYPE_COUNT) return err_set(err, ERR_SCHEMA, "an Arrow format that can't be read");
    Builder b;
    builder_init(&b, type, NULL);
    Status status = builder_reserve(&b, length, err);
    if (status == OK) {
        if (schema->dictionary) status = read_indexed(schema, array, first, length, &b, err);
        else if (type == TYPE_DYNAMIC) status = read_dynamic(schema, array, first, length, &b, err);
        else status = read_plain(schema, array, first, length, &b, err);
    }
    if (status == OK) status = builder_finish(&b, ret_column, err);
    builder_done(&b);
    return status;
}

static Status read_batch(const Schema *schema, const struct ArrowSchema *arrow_schema,
                         const struct ArrowArray *array, Batch **ret_batch, Err *err)
{
    if (!arrow_schema->release || arrow_schema->n_children != schema->count) {
        return err_set(err, ERR_SCHEMA, "an Arrow schema of other columns than the batch's");
    }
    bool plain = array_sound(arrow_schema, array, 0, array->length) && array->n_buffers == 1;
    if (!plain || (array->null_count > 0 && array->buffers[0])) return malformed(err);
    CLEANUP(batch_unref_p) Batch *batch = NULL;
    TRY(batch_new(schema, &batch, err));
    batch->rows = array->length;
    batch->span.next = array->length;
    for (int32_t i = 0; i < schema->count; i++) {
        Column *column = &batch->columns[i];
        const struct ArrowSchema *child = arrow_schema->children[i];
        Status status =
            read_column(child, array->children[i], array->offset, array->length, column, err);
        bool same = status == OK && column->type == schema->fields[i].type;
        if (status == OK && !same) (void)err_set(err, ERR_SCHEMA, "another type than the schema's");
        if (same) continue;
        (void)err_where(err, "%.*s", STR_ARG(schema->fields[i].name));
        return err_prefix(err, "column %.*s: ", STR_ARG(schema->fields[i].name));
    }
    *ret_batch = TAKE(batch);
    return OK;
}

Status arrow_import_batch(const Schema *schema, const struct ArrowSchema *arrow_schema,
                          struct ArrowArray *array, Batch **ret_batch, Err *err)
{
    if (!array->release) return err_set(err, ERR_DATA, "an Arrow array that was let go");
    Status status = read_batch(schema, arrow_schema, array, ret_batch, err);
    array->release(array);
    return status;
}
