/* Rows of an Arrow stream: strings of any of the three layouts, also dictionary-encoded; kept
 * columns of strings, numbers and booleans as JSON. A batch is looked at where it lies. */
#include "core.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow.h"

enum { MAX_KEPT = 256, MAX_JSON = 64 };

struct kept {
    int64_t child;
    char *json; /* of a string; grows */
    size_t capacity;
    char number[MAX_JSON];
};

struct rows {
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    int64_t next; /* row of the batch */
    int64_t text; /* child */
    size_t n_kept;
    struct kept kept[MAX_KEPT];
    const char *names[MAX_KEPT];
    struct ss_text values[MAX_KEPT];
    char problem[300];
};

void core_arrow_rows_release(void *state)
{
    struct rows *rows = state;
    if (rows == NULL) {
        return;
    }
    if (rows->batch.release != NULL) {
        rows->batch.release(&rows->batch);
    }
    if (rows->schema.release != NULL) {
        rows->schema.release(&rows->schema);
    }
    if (rows->stream.release != NULL) {
        rows->stream.release(&rows->stream);
    }
    for (size_t i = 0; i < rows->n_kept; i++) {
        free(rows->kept[i].json);
    }
    free(rows);
}

const char *core_arrow_rows_problem(const void *state)
{
    return ((const struct rows *)state)->problem;
}

/* ---- values ---- */

static bool bit(const void *bits, int64_t i)
{
    return (((const uint8_t *)bits)[i >> 3] >> (i & 7) & 1) != 0;
}

static bool is_valid(const struct ArrowArray *array, int64_t i)
{
    return array->null_count == 0 || array->buffers[0] == NULL || bit(array->buffers[0], i);
}

static bool is_string(const char *format)
{
    return strcmp(format, "u") == 0 || strcmp(format, "U") == 0 || strcmp(format, "vu") == 0;
}

#define INTEGERS(X)                                                                            \
    X('c', int8_t)                                                                             \
    X('C', uint8_t)                                                                            \
    X('s', int16_t)                                                                            \
    X('S', uint16_t) X('i', int32_t) X('I', uint32_t) X('l', int64_t) X('L', uint64_t)

static int64_t integer_at(const char *format, const struct ArrowArray *array, int64_t i)
{
    switch (format[0]) {
#define CASE(letter, type)                                                                     \
    case letter:                                                                               \
        return (int64_t)((const type *)array->buffers[1])[i];
        INTEGERS(CASE)
#undef CASE
    default:
        return 0;
    }
}

static bool is_integer(const char *format)
{
    return format[0] != '\0' && format[1] == '\0' && strchr("cCsSiIlL", format[0]) != NULL;
}

/* The i-th string (offset applied already) of a plain array. */
static struct ss_text string_at(const char *format, const struct ArrowArray *array, int64_t i)
{
    if (format[0] == 'v') { /* 16 bytes: length, then the bytes or prefix, buffer, offset */
        const int32_t *entry = (const int32_t *)array->buffers[1] + 4 * i;
        const char *data = entry[0] <= 12
                               ? (const char *)(entry + 1)
                               : (const char *)array->buffers[2 + entry[2]] + entry[3];
        return (struct ss_text){data, (size_t)entry[0]};
    }
    const char *data = array->buffers[2];
    if (format[0] == 'U') {
        const int64_t *offsets = (const int64_t *)array->buffers[1] + i;
        return (struct ss_text){data + offsets[0], (size_t)(offsets[1] - offsets[0])};
    }
    const int32_t *offsets = (const int32_t *)array->buffers[1] + i;
    return (struct ss_text){data + offsets[0], (size_t)(offsets[1] - offsets[0])};
}

/* A cell: the array that holds its value, its format and place; false where it is null. */
struct cell {
    const struct ArrowArray *array;
    const char *format;
    int64_t i;
};

static bool find_cell(const struct rows *rows, int64_t child, int64_t row, struct cell *cell)
{
    const struct ArrowSchema *schema = rows->schema.children[child];
    const struct ArrowArray *array = rows->batch.children[child];
    const int64_t i = row + rows->batch.offset + array->offset;
    *cell = (struct cell){array, schema->format, i};
    if (!is_valid(array, i)) {
        return false;
    }
    if (schema->dictionary == NULL) {
        return true;
    }
    cell->i = integer_at(schema->format, array, i) + array->dictionary->offset;
    cell->array = array->dictionary;
    cell->format = schema->dictionary->format;
    return is_valid(cell->array, cell->i);
}

/* ---- values as JSON ---- */

static bool add(struct kept *kept, size_t *n, const char *bytes, size_t n_bytes)
{
    if (*n + n_bytes > kept->capacity) {
        const size_t capacity = 2 * (*n + n_bytes);
        char *grown = realloc(kept->json, capacity);
        if (grown == NULL) {
            return false;
        }
        kept->json = grown;
        kept->capacity = capacity;
    }
    memcpy(kept->json + *n, bytes, n_bytes);
    *n += n_bytes;
    return true;
}

static bool write_string(struct kept *kept, struct ss_text text, struct ss_text *out)
{
    size_t n = 0;
    char escape[8];
    bool is_fine = add(kept, &n, "\"", 1);
    for (size_t i = 0; is_fine && i < text.n_bytes; i++) {
        const unsigned char byte = (unsigned char)text.data[i];
        if (byte == '"' || byte == '\\') {
            is_fine = add(kept, &n, "\\", 1) && add(kept, &n, &text.data[i], 1);
        } else if (byte < 0x20) {
            snprintf(escape, sizeof escape, "\\u%04x", byte);
            is_fine = add(kept, &n, escape, 6);
        } else {
            is_fine = add(kept, &n, &text.data[i], 1);
        }
    }
    is_fine = is_fine && add(kept, &n, "\"", 1);
    *out = (struct ss_text){kept->json, n};
    return is_fine;
}

/* The shortest of 15 to 17 digits that reads back as the number. */
static void write_double(char *out, double number, bool is_float)
{
    if (!isfinite(number)) {
        strcpy(out, "null");
        return;
    }
    for (int digits = is_float ? 6 : 15; digits <= 17; digits++) {
        snprintf(out, MAX_JSON, "%.*g", digits, number);
        const double back = strtod(out, NULL);
        if (is_float ? (float)back == (float)number : back == number) {
            return;
        }
    }
}

static bool write_value(struct kept *kept, const struct cell *cell, struct ss_text *out)
{
    const void *data = cell->array->buffers[1];
    if (is_string(cell->format)) {
        return write_string(kept, string_at(cell->format, cell->array, cell->i), out);
    }
    if (cell->format[0] == 'b') {
        strcpy(kept->number, bit(data, cell->i) ? "true" : "false");
    } else if (cell->format[0] == 'f') {
        write_double(kept->number, ((const float *)data)[cell->i], true);
    } else if (cell->format[0] == 'g') {
        write_double(kept->number, ((const double *)data)[cell->i], false);
    } else if (cell->format[0] == 'L') {
        snprintf(kept->number, MAX_JSON, "%llu",
                 (unsigned long long)((const uint64_t *)data)[cell->i]);
    } else {
        snprintf(kept->number, MAX_JSON, "%lld",
                 (long long)integer_at(cell->format, cell->array, cell->i));
    }
    *out = (struct ss_text){kept->number, strlen(kept->number)};
    return true;
}

/* ---- the source ---- */

static int __attribute__((format(printf, 2, 3)))
fail(struct rows *rows, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(rows->problem, sizeof rows->problem, format, args);
    va_end(args);
    return 1;
}

/* The next batch that has rows; rows->batch.release is NULL at the end. */
static int next_batch(struct rows *rows)
{
    do {
        if (rows->batch.release != NULL) {
            rows->batch.release(&rows->batch);
        }
        rows->batch = (struct ArrowArray){0};
        rows->next = 0;
        if (rows->stream.get_next(&rows->stream, &rows->batch) != 0) {
            const char *message = rows->stream.get_last_error(&rows->stream);
            return fail(rows, "the Arrow stream ended with an error: %.200s",
                        message == NULL ? "no message" : message);
        }
        if (rows->batch.release != NULL && rows->batch.n_children != rows->schema.n_children) {
            return fail(rows, "a batch of the Arrow stream has other columns");
        }
    } while (rows->batch.release != NULL && rows->batch.length == 0);
    return 0;
}

/* Called by the library without the lock. */
static int next_of_rows(void *user, struct ss_given_row *row, bool *has_row)
{
    static const struct ss_text null = {"null", 4};
    struct rows *rows = user;
    struct cell cell;
    if ((rows->batch.release == NULL || rows->next == rows->batch.length) &&
        next_batch(rows) != 0) {
        return 1;
    }
    *has_row = rows->batch.release != NULL;
    if (!*has_row) {
        return 0;
    }
    const int64_t at = rows->next++;
    const bool is_there = is_valid(&rows->batch, at + rows->batch.offset) &&
                          find_cell(rows, rows->text, at, &cell);
    row->is_null = !is_there;
    if (is_there) {
        row->text = string_at(cell.format, cell.array, cell.i);
    }
    for (size_t i = 0; i < rows->n_kept; i++) {
        if (!find_cell(rows, rows->kept[i].child, at, &cell)) {
            rows->values[i] = null;
        } else if (!write_value(&rows->kept[i], &cell, &rows->values[i])) {
            return fail(rows, "there is no memory for a value of '%.100s'", rows->names[i]);
        }
    }
    row->values = rows->values;
    return 0;
}

/* ---- columns ---- */

static int64_t find_child(const struct ArrowSchema *schema, const char *name)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        const char *other = schema->children[i]->name;
        if (other != NULL && strcmp(other, name) == 0) {
            return i;
        }
    }
    return -1;
}

static const char *value_format(const struct ArrowSchema *schema)
{
    return schema->dictionary == NULL ? schema->format : schema->dictionary->format;
}

/* The column of that name; without one "text", else the only column of strings. */
static bool choose_text(struct rows *rows, const char *name)
{
    const struct ArrowSchema *schema = &rows->schema;
    rows->text = find_child(schema, name == NULL ? "text" : name);
    size_t n_strings = 0;
    for (int64_t i = 0; name == NULL && rows->text < 0 && i < schema->n_children; i++) {
        n_strings += is_string(value_format(schema->children[i]));
    }
    for (int64_t i = 0; n_strings == 1 && rows->text < 0; i++) {
        rows->text = is_string(value_format(schema->children[i])) ? i : -1;
    }
    if (rows->text < 0) {
        PyErr_Format(PyExc_ValueError,
                     name == NULL ? "which column has the texts? say text_column=..."
                                  : "there is no column '%.100s'",
                     name);
        return false;
    }
    const char *format = value_format(schema->children[rows->text]);
    if (!is_string(format)) {
        PyErr_Format(PyExc_ValueError,
                     "column '%.100s' holds no strings but values of the Arrow format '%.20s'",
                     schema->children[rows->text]->name, format);
        return false;
    }
    return true;
}

static bool keep_columns(struct rows *rows, PyObject *keep)
{
    const size_t n = (size_t)PyTuple_Size(keep);
    for (size_t i = 0; i < n && i < MAX_KEPT; i++) {
        const char *name = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(keep, (Py_ssize_t)i), NULL);
        if (name == NULL) {
            return false;
        }
        const int64_t child = find_child(&rows->schema, name);
        if (child < 0) {
            PyErr_Format(PyExc_ValueError, "there is no column '%.100s' to keep", name);
            return false;
        }
        const char *format = value_format(rows->schema.children[child]);
        if (!is_string(format) && !is_integer(format) &&
            (format[0] == '\0' || format[1] != '\0' || strchr("bfg", format[0]) == NULL)) {
            PyErr_Format(PyExc_ValueError,
                         "column '%.100s' cannot be kept: strings, numbers and booleans can, "
                         "not the Arrow format '%.20s'",
                         name, format);
            return false;
        }
        rows->kept[i] = (struct kept){.child = child};
        rows->names[i] = rows->schema.children[child]->name;
        rows->n_kept++;
    }
    return true;
}

static bool take_stream(PyObject *capsule, struct rows *rows)
{
    struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
    if (stream == NULL) {
        return false;
    }
    if (stream->release == NULL) {
        PyErr_SetString(PyExc_ValueError, "the Arrow stream was read already");
        return false;
    }
    rows->stream = *stream;
    stream->release = NULL;
    if (rows->stream.get_schema(&rows->stream, &rows->schema) != 0 ||
        strcmp(rows->schema.format, "+s") != 0) {
        PyErr_SetString(PyExc_ValueError, "the Arrow stream holds no table");
        return false;
    }
    return true;
}

bool core_arrow_rows(PyObject *capsule, const char *text_column, PyObject *keep,
                     struct ss_row_source *source, void **state)
{
    struct rows *rows = calloc(1, sizeof *rows);
    *state = rows;
    if (rows == NULL) {
        PyErr_NoMemory();
        return false;
    }
    if (!take_stream(capsule, rows) || !choose_text(rows, text_column) ||
        !keep_columns(rows, keep)) {
        return false;
    }
    source->next = next_of_rows;
    source->user = rows;
    source->columns = rows->names;
    source->n_columns = rows->n_kept;
    return true;
}
