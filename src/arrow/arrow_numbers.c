/* Numbers of arrays that arrow_check.c has passed, as embeddings. */
#include <string.h>

#include "arrow/arrow_priv.h"

/* Booleans, dates and decimals are not taken for numbers of an embedding. */
static bool is_number(const struct ss_arrow_field *field)
{
    return field->shape == SS_ARROW_FIXED && field->text == SS_ARROW_OTHER &&
           (field->type == SS_ARROW_TYPE_INT || field->type == SS_ARROW_TYPE_FLOAT) &&
           ss_format_numbers_is_type(&field->scalar);
}

/* Runs count as what their values are. */
ss_format_column_numbers ss_arrow_numbers_of(const struct ss_arrow_schema *schema, size_t index)
{
    const struct ss_arrow_field *field = &schema->fields[index];
    if (field->shape == SS_ARROW_RUNS) {
        return ss_arrow_numbers_of(schema, schema->fields[index + 1].end);
    }
    if (ss_arrow_is_list(field)) {
        const bool has_numbers =
            ss_arrow_numbers_of(schema, index + 1) == SS_FORMAT_NUMBERS_ONE;
        return has_numbers ? SS_FORMAT_NUMBERS_LIST : SS_FORMAT_NUMBERS_NONE;
    }
    return is_number(field) ? SS_FORMAT_NUMBERS_ONE : SS_FORMAT_NUMBERS_NONE;
}

/* What is no number keeps its place with a 0, so that later ones are not shifted; `blame` tells
 * why the row cannot be used. */
static void add_at(const struct ss_arrow_place *place, struct ss_format_numbers *out)
{
    if (place->is_null) {
        ss_format_numbers_blame(out, SS_FORMAT_NUMBERS_NULL);
        out->values[out->n++] = 0;
        return;
    }
    const struct ss_arrow_field *field = &place->batch->schema->fields[place->field];
    const struct ss_arrow_array *array = ss_arrow_array_of(place->batch, place->field);
    const size_t n_bytes = field->n_bits / 8;
    if (!is_number(field)) {
        ss_format_numbers_blame(out, SS_FORMAT_NUMBERS_OTHER);
        out->values[out->n++] = 0;
        return;
    }
    ss_format_numbers_add(out, &field->scalar, array->buffers[1].data + place->at * n_bytes,
                          n_bytes);
}

/* Elements begin … end of the array of a field, for which there is room. Floats without nulls,
 * which embeddings nearly always are, are copied as they lie. */
static void add_elements(const struct ss_arrow_batch *batch, size_t index, uint64_t begin,
                         uint64_t end, struct ss_format_numbers *out)
{
    const struct ss_arrow_field *field = &batch->schema->fields[index];
    const struct ss_arrow_array *array = ss_arrow_array_of(batch, index);
    const bool is_plain = is_number(field) && !ss_arrow_is_encoded(batch, index) &&
                          field->type == SS_ARROW_TYPE_FLOAT && field->n_bits == 32;
    if (is_plain && array->buffers[0].n_bytes == 0 && end > begin) {
        const size_t n = (size_t)(end - begin);
        memcpy(out->values + out->n, array->buffers[1].data + begin * sizeof(float),
               n * sizeof(float));
        out->n += n;
        return;
    }
    for (uint64_t i = begin; i < end; i++) {
        const struct ss_arrow_place place = ss_arrow_place_of(batch, index, i);
        add_at(&place, out);
    }
}

bool ss_arrow_add_numbers(const struct ss_arrow_place *place, struct ss_format_numbers *out)
{
    if (place->is_null) {
        ss_format_numbers_blame(out, SS_FORMAT_NUMBERS_NULL);
        return true;
    }
    const struct ss_arrow_field *field = &place->batch->schema->fields[place->field];
    if (!ss_arrow_is_list(field)) {
        const bool has_capacity = ss_format_numbers_reserve(out, 1);
        if (has_capacity) {
            add_at(place, out);
        }
        return has_capacity;
    }
    uint64_t begin = 0, end = 0;
    ss_arrow_elements_of(place, &begin, &end);
    if (!ss_format_numbers_reserve(out, (size_t)(end - begin))) {
        return false;
    }
    add_elements(place->batch, place->field + 1, begin, end, out);
    return true;
}
