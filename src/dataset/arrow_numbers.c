/* Numbers of arrays that arrow_check.c has passed, as embeddings. */
#include <string.h>

#include "dataset/arrow_priv.h"

static bool is_number(const struct ss__arrow_field *field)
{
    return field->shape == SS__ARROW_FIXED && field->text == SS__ARROW_OTHER &&
           (field->type == SS__ARROW_TYPE_INT || field->type == SS__ARROW_TYPE_FLOAT) &&
           ss__numbers_is_type(&field->scalar);
}

static bool is_list(const struct ss__arrow_field *field)
{
    return field->type != SS__ARROW_TYPE_MAP &&
           (field->shape == SS__ARROW_LIST || field->shape == SS__ARROW_LIST_VIEW ||
            field->shape == SS__ARROW_FIXED_LIST);
}

/* Runs count as what their values are. */
ss__column_numbers ss__arrow_numbers_of(const struct ss__arrow_schema *schema, size_t index)
{
    const struct ss__arrow_field *field = &schema->fields[index];
    if (field->shape == SS__ARROW_RUNS) {
        return ss__arrow_numbers_of(schema, schema->fields[index + 1].end);
    }
    if (is_list(field)) {
        const bool has_numbers = ss__arrow_numbers_of(schema, index + 1) == SS__NUMBERS_ONE;
        return has_numbers ? SS__NUMBERS_LIST : SS__NUMBERS_NONE;
    }
    return is_number(field) ? SS__NUMBERS_ONE : SS__NUMBERS_NONE;
}

static void add_at(const struct ss__arrow_place *place, struct ss__numbers *out)
{
    if (place->is_null) {
        ss__numbers_blame(out, SS__NUMBERS_NULL);
        out->values[out->n++] = 0;
        return;
    }
    const struct ss__arrow_field *field = &place->batch->schema->fields[place->field];
    const struct ss__arrow_array *array = ss__arrow_array_of(place->batch, place->field);
    const size_t n_bytes = field->n_bits / 8;
    if (!is_number(field)) {
        ss__numbers_blame(out, SS__NUMBERS_OTHER);
        out->values[out->n++] = 0;
        return;
    }
    ss__numbers_add(out, &field->scalar, array->buffers[1].data + place->at * n_bytes, n_bytes);
}

/* Elements begin … end of the array of a field, for which there is room. */
static void add_elements(const struct ss__arrow_batch *batch, size_t index, uint64_t begin,
                         uint64_t end, struct ss__numbers *out)
{
    const struct ss__arrow_field *field = &batch->schema->fields[index];
    const struct ss__arrow_array *array = ss__arrow_array_of(batch, index);
    const bool is_plain = is_number(field) && !ss__arrow_is_encoded(batch, index) &&
                          field->type == SS__ARROW_TYPE_FLOAT && field->n_bits == 32;
    if (is_plain && array->buffers[0].n_bytes == 0 && end > begin) {
        const size_t n = (size_t)(end - begin);
        memcpy(out->values + out->n, array->buffers[1].data + begin * sizeof(float),
               n * sizeof(float));
        out->n += n;
        return;
    }
    for (uint64_t i = begin; i < end; i++) {
        const struct ss__arrow_place place = ss__arrow_place_of(batch, index, i);
        add_at(&place, out);
    }
}

bool ss__arrow_add_numbers(const struct ss__arrow_place *place, struct ss__numbers *out)
{
    if (place->is_null) {
        ss__numbers_blame(out, SS__NUMBERS_NULL);
        return true;
    }
    const struct ss__arrow_field *field = &place->batch->schema->fields[place->field];
    if (!is_list(field)) {
        const bool has_room = ss__numbers_reserve(out, 1);
        if (has_room) {
            add_at(place, out);
        }
        return has_room;
    }
    uint64_t begin = 0, end = 0;
    ss__arrow_elements_of(place, &begin, &end);
    if (!ss__numbers_reserve(out, (size_t)(end - begin))) {
        return false;
    }
    add_elements(place->batch, place->field + 1, begin, end, out);
    return true;
}
