/* Columns are found by their names and types when a file is opened, once; a batch then gives
 * views into the buffers that the reader of Arrow made, without a copy. */
#include "arrow/arrow_table.h"

#include <string.h>

#include "arrow/arrow_priv.h"
#include "base/mem.h"

struct ss_arrow_table {
    char *path;
    struct ss__map map;
    struct ss_source_view view; /* of the map */
    struct ss_arrow_file file;
    struct ss_arrow_output_column *columns; /* [n_columns], without their names */
    size_t *fields;                         /* [n_columns] */
    size_t n_columns;
};

/* By the kind of value: how the schema describes it. */
static const struct {
    uint8_t type;
    uint8_t n_bits;
    bool is_signed;
    ss_arrow_text text;
} types[SS_ARROW_N_ARROW_VALUES] = {
    [SS_ARROW_VALUE_BOOL] = {SS_ARROW_TYPE_BOOL, 1, false, SS_ARROW_OTHER},
    [SS_ARROW_VALUE_I64] = {SS_ARROW_TYPE_INT, 64, true, SS_ARROW_OTHER},
    [SS_ARROW_VALUE_U8] = {SS_ARROW_TYPE_INT, 8, false, SS_ARROW_OTHER},
    [SS_ARROW_VALUE_U32] = {SS_ARROW_TYPE_INT, 32, false, SS_ARROW_OTHER},
    [SS_ARROW_VALUE_U64] = {SS_ARROW_TYPE_INT, 64, false, SS_ARROW_OTHER},
    [SS_ARROW_VALUE_F32] = {SS_ARROW_TYPE_FLOAT, 32, false, SS_ARROW_OTHER},
    [SS_ARROW_VALUE_F64] = {SS_ARROW_TYPE_FLOAT, 64, false, SS_ARROW_OTHER},
    [SS_ARROW_VALUE_UTF8] = {0, 0, false, SS_ARROW_UTF8},
};

/* Whether a field holds values of a kind, one after the other. */
static bool is_of(const struct ss_arrow_field *field, ss_arrow_value value)
{
    if (field->dictionary != SIZE_MAX) {
        return false;
    }
    if (value == SS_ARROW_VALUE_UTF8) {
        return field->shape == SS_ARROW_BYTES && field->text == SS_ARROW_UTF8 &&
               !field->is_wide;
    }
    return field->shape == SS_ARROW_FIXED && field->text == SS_ARROW_OTHER &&
           field->type == types[value].type && field->n_bits == types[value].n_bits &&
           (field->type != SS_ARROW_TYPE_INT || field->is_signed == types[value].is_signed);
}

/* A list must be of 32-bit offsets, as arrow_write.c makes them, since callers see them as they
 * are. */
static bool is_column(const struct ss_arrow_schema *schema, size_t at,
                      const struct ss_arrow_output_column *column)
{
    const struct ss_arrow_field *field = &schema->fields[at];
    if (field->name.n_bytes != strlen(column->name) ||
        memcmp(field->name.data, column->name, field->name.n_bytes) != 0) {
        return false;
    }
    if (column->value == SS_ARROW_VALUE_NULL) {
        return true;
    }
    return column->is_list ? field->shape == SS_ARROW_LIST && !field->is_wide &&
                                 field->dictionary == SIZE_MAX &&
                                 is_of(&schema->fields[at + 1], column->value)
                           : is_of(field, column->value);
}

/* By their places: column i of the file has to be the i-th that is asked for. */
static ss_status find_columns(struct ss_arrow_table *table,
                              const struct ss_arrow_output_column *columns, size_t n_columns,
                              ss_err *err)
{
    const struct ss_arrow_schema *schema = &table->file.schema;
    size_t at = 0;
    for (size_t i = 0; i < n_columns; i++) {
        if (at >= schema->n_fields || !is_column(schema, at, &columns[i])) {
            return ss__fail_file(err, table->path, SS_E_DATA,
                                 "its column %zu is not '%s' of the type that this file of a "
                                 "run has there",
                                 i, columns[i].name);
        }
        table->fields[i] = at;
        table->columns[i] = columns[i];
        table->columns[i].name = NULL;
        if (columns[i].value != SS_ARROW_VALUE_NULL) {
            ss_arrow_choose(&table->file, at, true);
        }
        at = schema->fields[at].end;
    }
    return SS_OK;
}

ss_status ss_arrow_table_open(const char *path, const struct ss_arrow_output_column *columns,
                              size_t n_columns, struct ss_arrow_table **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_arrow_table *table = NULL;
    *out = NULL;
    SS_ALLOC(table, 1);
    SS_ALLOC(table->columns, n_columns);
    SS_ALLOC(table->fields, n_columns);
    table->n_columns = n_columns;
    table->path = ss__strdup(path);
    if (table->path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__file_reserve(path, &table->map, err));
    table->view = (struct ss_source_view){.name = table->path,
                                          .data = table->map.data,
                                          .n_bytes = table->map.n_bytes,
                                          .map = table->map};
    SS_TRY(ss_arrow_open(table->path, &table->view, &table->file, err));
    SS_TRY(find_columns(table, columns, n_columns, err));
    *out = table;
    table = NULL;
out:
    ss_arrow_table_close(table);
    return status;
}

void ss_arrow_table_close(struct ss_arrow_table *table)
{
    if (table == NULL) {
        return;
    }
    ss_arrow_close(&table->file);
    ss__map_release(&table->map);
    ss__free(table->columns);
    ss__free(table->fields);
    ss__free(table->path);
    ss__free(table);
}

uint64_t ss_arrow_table_n_rows(const struct ss_arrow_table *table)
{
    return table->file.n_rows;
}

/* A buffer for elements of a size, which its place has to suit. */
static const void *aligned(const struct ss_arrow_bytes *buffer, size_t size, bool *fits)
{
    static const uint64_t none = 0;
    if (buffer->n_bytes == 0) {
        return &none;
    }
    *fits = *fits && (uintptr_t)buffer->data % size == 0;
    return buffer->data;
}

/* The bitmap of an array; NULL where nothing is null. */
static const uint8_t *bitmap_of(const struct ss_arrow_array *array)
{
    return array->buffers[0].n_bytes == 0 ? NULL : array->buffers[0].data;
}

/* False where there are nulls that the column cannot have, or a buffer does not suit its
 * type. */
static bool take_column(const struct ss_arrow_table *table, size_t column,
                        struct ss_arrow_table_values *out)
{
    const struct ss_arrow_batch *batch = &table->file.batch;
    const struct ss_arrow_output_column *is = &table->columns[column];
    const struct ss_arrow_array *array = ss_arrow_array_of(batch, table->fields[column]);
    const size_t size = types[is->value].n_bits < 8 ? 1 : types[is->value].n_bits / 8;
    bool fits = true;
    *out = (struct ss_arrow_table_values){.valid = bitmap_of(array)};
    if (is->is_list) {
        const struct ss_arrow_array *items =
            ss_arrow_array_of(batch, table->fields[column] + 1);
        out->offsets = aligned(&array->buffers[1], sizeof *out->offsets, &fits);
        out->data = aligned(&items->buffers[1], size, &fits);
        return fits && items->n_nulls == 0;
    }
    if (is->value == SS_ARROW_VALUE_UTF8) {
        out->offsets = aligned(&array->buffers[1], sizeof *out->offsets, &fits);
        out->data = aligned(&array->buffers[2], 1, &fits);
    } else {
        out->data = aligned(&array->buffers[1], size, &fits);
    }
    return fits && (is->is_nullable || array->n_nulls == 0);
}

ss_status ss_arrow_table_next(struct ss_arrow_table *table,
                              struct ss_arrow_table_values *values, size_t *n_rows, ss_err *err)
{
    bool has_batch = false;
    *n_rows = 0;
    SS_RETURN_IF_ERROR(ss_arrow_next_batch(&table->file, &has_batch, err));
    if (!has_batch) {
        return SS_OK;
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        values[i] = (struct ss_arrow_table_values){0};
        if (table->columns[i].value != SS_ARROW_VALUE_NULL &&
            !take_column(table, i, &values[i])) {
            return ss__fail_file(err, table->path, SS_E_DATA,
                                 "its column %zu has nulls or places that this file of a run "
                                 "does not have",
                                 i);
        }
    }
    *n_rows = (size_t)table->file.batch.n_rows;
    return SS_OK;
}
