/* Values of arrays that arrow_check.c has passed, as text and as JSON.
 *
 * As JSON: a struct is an object, a list an array, a map an array of {"key": …, "value": …};
 * bytes that are no UTF-8 are {"hex": "…"}; parts of structs and maps without text are left
 * out. */
#include <string.h>

#include "arrow/arrow_priv.h"
#include "base/mem.h"
#include "format/format.h"

/* ---- numbers ---- */

uint64_t ss_arrow_number(const struct ss_arrow_bytes *buffer, uint64_t i, unsigned width,
                         bool is_signed)
{
    uint64_t value = 0;
    memcpy(&value, buffer->data + i * width, width);
    const unsigned shift = 64 - 8 * width;
    return is_signed ? (uint64_t)((int64_t)(value << shift) >> shift) : value;
}

uint64_t ss_arrow_offset(const struct ss_arrow_field *field, const struct ss_arrow_array *array,
                         uint64_t i)
{
    return ss_arrow_number(&array->buffers[1], i, field->is_wide ? 8 : 4, true);
}

/* ---- places ---- */

/* The first of ends[0, n) above `at`. */
static size_t find_chunk(const uint64_t *ends, size_t n, uint64_t at)
{
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (ends[middle] <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Where the value of an index is. The check has seen all indexes of a batch. */
static struct ss_arrow_place through_dictionary(const struct ss_arrow_place *from)
{
    const struct ss_arrow_schema *schema = from->batch->schema;
    const struct ss_arrow_field *field = &schema->fields[from->field];
    const struct ss_arrow_array *array = ss_arrow_array_of(from->batch, from->field);
    const struct ss_arrow_dictionary *dictionary = &schema->dictionaries[field->dictionary];
    const uint64_t at = ss_arrow_number(&array->buffers[1], from->at, field->index_bytes,
                                        field->index_is_signed);
    const size_t chunk = find_chunk(dictionary->ends, dictionary->n_chunks, at);
    if (chunk == dictionary->n_chunks) { /* a dictionary in another one, replaced later */
        return (struct ss_arrow_place){.is_null = true};
    }
    const uint64_t before = chunk == 0 ? 0 : dictionary->ends[chunk - 1];
    return (struct ss_arrow_place){
        .batch = dictionary->chunks[chunk], .field = dictionary->field, .at = at - before};
}

/* The run that a row is in, by bisection over the ends. */
static struct ss_arrow_place through_runs(const struct ss_arrow_place *from)
{
    const struct ss_arrow_field *ends = &from->batch->schema->fields[from->field + 1];
    const struct ss_arrow_array *array = ss_arrow_array_of(from->batch, from->field + 1);
    uint64_t low = 0, high = array->n;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (ss_arrow_number(&array->buffers[1], middle, ends->n_bits / 8, true) <= from->at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (struct ss_arrow_place){.batch = from->batch, .field = ends->end, .at = low};
}

/* A dictionary may hold runs, and runs indexes of another dictionary; the schema's depth bounds
 * how far this goes. */
struct ss_arrow_place ss_arrow_place_of(const struct ss_arrow_batch *batch, size_t field,
                                        uint64_t at)
{
    struct ss_arrow_place place = {.batch = batch, .field = field, .at = at};
    for (;;) {
        const bool is_encoded = ss_arrow_is_encoded(place.batch, place.field);
        const ss_arrow_shape shape = place.batch->schema->fields[place.field].shape;
        const struct ss_arrow_array *array = ss_arrow_array_of(place.batch, place.field);
        const bool is_run = !is_encoded && shape == SS_ARROW_RUNS;
        place.is_null = !is_encoded && shape == SS_ARROW_NULL;
        if (!is_run && !place.is_null) {
            place.is_null = !ss_arrow_bit(&array->buffers[0], place.at);
        }
        if (place.is_null || (!is_encoded && !is_run)) {
            return place;
        }
        place = is_encoded ? through_dictionary(&place) : through_runs(&place);
        if (place.is_null) {
            return place;
        }
    }
}

/* ---- texts ---- */

static struct ss_text view_at(const struct ss_arrow_array *array, uint64_t at)
{
    const uint8_t *view = array->buffers[1].data + 16 * at;
    int32_t parts[4];
    memcpy(parts, view, sizeof parts);
    const uint8_t *data =
        parts[0] <= 12 ? view + 4 : array->buffers[2 + parts[2]].data + parts[3];
    return (struct ss_text){(const char *)data, (size_t)parts[0]};
}

struct ss_text ss_arrow_text_at(const struct ss_arrow_place *place)
{
    const struct ss_arrow_field *field = &place->batch->schema->fields[place->field];
    const struct ss_arrow_array *array = ss_arrow_array_of(place->batch, place->field);
    if (field->shape == SS_ARROW_VIEW) {
        return view_at(array, place->at);
    }
    uint64_t begin = place->at * (field->n_bits / 8), end = begin + field->n_bits / 8;
    const struct ss_arrow_bytes *bytes = &array->buffers[1];
    if (field->shape == SS_ARROW_BYTES) {
        begin = ss_arrow_offset(field, array, place->at);
        end = ss_arrow_offset(field, array, place->at + 1);
        bytes = &array->buffers[2];
    }
    return begin == end ? (struct ss_text){"", 0}
                        : (struct ss_text){(const char *)bytes->data + begin, end - begin};
}

struct ss_arrow_place ss_arrow_column_at(const struct ss_arrow_batch *batch, size_t field,
                                         uint64_t row)
{
    const struct ss_arrow_field *fields = batch->schema->fields;
    for (size_t i = fields[field].parent; i != SIZE_MAX; i = fields[i].parent) {
        if (!ss_arrow_bit(&ss_arrow_array_of(batch, i)->buffers[0], row)) {
            return (struct ss_arrow_place){.is_null = true};
        }
    }
    return ss_arrow_place_of(batch, field, row);
}

/* ---- JSON ---- */

static bool add_value(const struct ss_arrow_writer *writer, const struct ss_arrow_batch *batch,
                      size_t field, uint64_t at);

static bool add_name(const struct ss_arrow_writer *writer, const struct ss_text *name,
                     const char *before)
{
    ss__buf_add_text(writer->out, before);
    ss_format_add_json_text(writer->out, name->data, name->n_bytes);
    ss__buf_add_text(writer->out, ": ");
    return writer->out->n_bytes <= writer->most;
}

/* A struct; the two parts of a map's entries have names of their own. */
static bool add_struct(const struct ss_arrow_writer *writer, const struct ss_arrow_place *place,
                       bool is_entry)
{
    static const struct ss_text names[2] = {{"key", 3}, {"value", 5}};
    const struct ss_arrow_field *fields = place->batch->schema->fields;
    const char *before = "{";
    bool fits = true;
    for (size_t i = place->field + 1, n = 0; fits && i < fields[place->field].end;
         i = fields[i].end, n++) {
        if (writer->is_whole || fields[i].has_text) {
            fits = add_name(writer, is_entry ? &names[n] : &fields[i].name, before) &&
                   add_value(writer, place->batch, i, place->at);
            before = ", ";
        }
    }
    ss__buf_add_text(writer->out, before[0] == '{' ? "{}" : "}");
    return fits;
}

void ss_arrow_elements_of(const struct ss_arrow_place *place, uint64_t *begin, uint64_t *end)
{
    const struct ss_arrow_field *field = &place->batch->schema->fields[place->field];
    const struct ss_arrow_array *array = ss_arrow_array_of(place->batch, place->field);
    const unsigned width = field->is_wide ? 8 : 4;
    switch (field->shape) {
    case SS_ARROW_FIXED_LIST:
        *begin = place->at * field->list_size;
        *end = *begin + field->list_size;
        return;
    case SS_ARROW_LIST_VIEW:
        *begin = ss_arrow_offset(field, array, place->at);
        *end = *begin + ss_arrow_number(&array->buffers[2], place->at, width, true);
        return;
    default:
        *begin = ss_arrow_offset(field, array, place->at);
        *end = ss_arrow_offset(field, array, place->at + 1);
    }
}

/* Entries of a map are structs that are never null. */
static bool add_list(const struct ss_arrow_writer *writer, const struct ss_arrow_place *place)
{
    const bool is_map = place->batch->schema->fields[place->field].type == SS_ARROW_TYPE_MAP;
    uint64_t begin = 0, end = 0;
    bool fits = true;
    ss_arrow_elements_of(place, &begin, &end);
    ss__buf_add_byte(writer->out, '[');
    for (uint64_t i = begin; i < end && fits; i++) {
        ss__buf_add_text(writer->out, i == begin ? "" : ", ");
        const struct ss_arrow_place entry = {
            .batch = place->batch, .field = place->field + 1, .at = i};
        fits = is_map ? add_struct(writer, &entry, true)
                      : add_value(writer, place->batch, place->field + 1, i);
    }
    ss__buf_add_byte(writer->out, ']');
    return fits;
}

static bool add_number(const struct ss_arrow_writer *writer, const struct ss_arrow_place *place)
{
    const struct ss_arrow_field *field = &place->batch->schema->fields[place->field];
    const uint8_t *values = ss_arrow_array_of(place->batch, place->field)->buffers[1].data;
    const size_t n_bytes = field->n_bits / 8;
    if (n_bytes == 0) { /* a bit */
        const uint8_t bit = values[place->at / 8] >> place->at % 8 & 1;
        ss_format_add_scalar(writer->out, &field->scalar, &bit, 1);
    } else {
        ss_format_add_scalar(writer->out, &field->scalar, values + n_bytes * place->at,
                             n_bytes);
    }
    return writer->out->n_bytes <= writer->most;
}

static bool add_value(const struct ss_arrow_writer *writer, const struct ss_arrow_batch *batch,
                      size_t field, uint64_t at)
{
    const struct ss_arrow_place place = ss_arrow_place_of(batch, field, at);
    if (place.is_null) {
        ss__buf_add_text(writer->out, "null");
        return writer->out->n_bytes <= writer->most;
    }
    const struct ss_arrow_field *found = &place.batch->schema->fields[place.field];
    if (found->shape == SS_ARROW_STRUCT) {
        return add_struct(writer, &place, false);
    }
    if (found->text == SS_ARROW_OTHER) {
        return found->shape == SS_ARROW_FIXED ? add_number(writer, &place)
                                              : add_list(writer, &place);
    }
    const struct ss_text text = ss_arrow_text_at(&place);
    if (text.n_bytes > writer->most || writer->out->n_bytes > writer->most - text.n_bytes) {
        return false;
    }
    ss_format_add_json_bytes(writer->out, &text);
    return true;
}

bool ss_arrow_add_json(const struct ss_arrow_writer *writer, const struct ss_arrow_batch *batch,
                       size_t field, uint64_t at)
{
    return add_value(writer, batch, field, at);
}
