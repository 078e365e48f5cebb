/* What must hold of an array before values are taken out of it: buffers as long as its values
 * need, offsets that do not fall and stay inside, texts that are UTF-8, indexes that their
 * dictionary has. Each costs time by the bytes of the array; views, which may all show the same
 * bytes, are bounded.
 *
 * The walk has the depth of the schema. Faults are constant strings. */
#include <string.h>

#include "arrow/arrow_priv.h"
#include "base/mem.h"
#include "base/utf8.h"

/* What the views or view lists of a batch may show in all. */
enum { VIEW_FACTOR = 64, VIEW_SLACK = 64 << 20 };

static struct ss_arrow_fault none(void)
{
    return (struct ss_arrow_fault){.what = NULL};
}

static struct ss_arrow_fault fault_at(const char *what, size_t field, uint64_t at)
{
    return (struct ss_arrow_fault){.what = what, .field = field, .at = at};
}

/* Whether a buffer has n values of `bits`. */
static bool holds(const struct ss_arrow_bytes *buffer, uint64_t n, uint64_t bits)
{
    uint64_t n_bits = 0;
    return ss__mul_u64(n, bits, &n_bits) && n_bits / 8 + (n_bits % 8 != 0) <= buffer->n_bytes;
}

/* What stands in the place of a null value means nothing and is not checked. */
static bool is_there(const struct ss_arrow_array *array, uint64_t i)
{
    return ss_arrow_bit(&array->buffers[0], i);
}

/* ---- indexes ---- */

/* A negative index is a large one here. */
static struct ss_arrow_fault check_indexes(const struct ss_arrow_batch *batch, size_t index,
                                           uint64_t n)
{
    const struct ss_arrow_field *field = &batch->schema->fields[index];
    const struct ss_arrow_array *array = ss_arrow_array_of(batch, index);
    const struct ss_arrow_dictionary *dictionary =
        &batch->schema->dictionaries[field->dictionary];
    const uint64_t n_values =
        dictionary->n_chunks == 0 ? 0 : dictionary->ends[dictionary->n_chunks - 1];
    if (!holds(&array->buffers[1], n, 8 * (uint64_t)field->index_bytes)) {
        return fault_at("its indexes end early", index, 0);
    }
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t at =
            ss_arrow_number(&array->buffers[1], i, field->index_bytes, field->index_is_signed);
        if (at >= n_values && is_there(array, i)) {
            return fault_at("an index is not in its dictionary", index, i);
        }
    }
    return none();
}

/* ---- offsets ---- */

/* Offsets 0 … n of lists or of bytes, up to `limit`. No values need no offsets. */
static struct ss_arrow_fault check_offsets(const struct ss_arrow_batch *batch, size_t index,
                                           uint64_t n, uint64_t limit)
{
    const struct ss_arrow_field *field = &batch->schema->fields[index];
    const struct ss_arrow_array *array = ss_arrow_array_of(batch, index);
    if (n == 0) {
        return none();
    }
    if (!holds(&array->buffers[1], n + 1, field->is_wide ? 64 : 32)) {
        return fault_at("its offsets end early", index, 0);
    }
    uint64_t last = 0;
    for (uint64_t i = 0; i <= n; i++) {
        const uint64_t next = ss_arrow_offset(field, array, i);
        if (next < last || next > limit) {
            return fault_at("an offset is out of order or out of range", index, i);
        }
        last = next;
    }
    return none();
}

static struct ss_text text_at(const struct ss_arrow_batch *batch, size_t index, uint64_t i)
{
    const struct ss_arrow_place place = {.batch = batch, .field = index, .at = i};
    return ss_arrow_text_at(&place);
}

static bool is_utf8(const struct ss_text *text)
{
    return ss__utf8_valid_prefix(text->data, text->n_bytes) == text->n_bytes;
}

static const char not_utf8[] = "the text is not valid UTF-8";

/* Bytes between two values are between two characters: then valid as a whole is valid each. */
static bool all_utf8(const struct ss_arrow_batch *batch, size_t index, uint64_t n)
{
    const struct ss_arrow_field *field = &batch->schema->fields[index];
    const struct ss_arrow_array *array = ss_arrow_array_of(batch, index);
    const uint64_t begin = ss_arrow_offset(field, array, 0);
    const uint64_t end = ss_arrow_offset(field, array, n);
    const char *data = (const char *)array->buffers[2].data;
    const struct ss_text whole = {end > begin ? data + begin : "", (size_t)(end - begin)};
    bool valid = is_utf8(&whole);
    for (uint64_t i = 1; valid && i < n; i++) {
        const uint64_t at = ss_arrow_offset(field, array, i);
        valid = at == end || ((unsigned char)data[at] & 0xC0) != 0x80;
    }
    return valid;
}

/* One by one, to say which is at fault. */
static struct ss_arrow_fault check_texts(const struct ss_arrow_batch *batch, size_t index,
                                         uint64_t n)
{
    const struct ss_arrow_array *array = ss_arrow_array_of(batch, index);
    for (uint64_t i = 0; i < n; i++) {
        const struct ss_text text =
            is_there(array, i) ? text_at(batch, index, i) : (struct ss_text){"", 0};
        if (!is_utf8(&text)) {
            return fault_at(not_utf8, index, i);
        }
    }
    return none();
}

static struct ss_arrow_fault check_bytes(const struct ss_arrow_batch *batch, size_t index,
                                         uint64_t n, bool is_whole)
{
    (void)is_whole;
    const struct ss_arrow_array *array = ss_arrow_array_of(batch, index);
    const struct ss_arrow_fault fault =
        check_offsets(batch, index, n, array->buffers[2].n_bytes);
    if (fault.what != NULL || n == 0 || batch->schema->fields[index].text != SS_ARROW_UTF8 ||
        all_utf8(batch, index, n)) {
        return fault;
    }
    return check_texts(batch, index, n); /* what is null may be anything */
}

/* ---- views ---- */

enum { VIEW_BYTES = 16, VIEW_INLINE_BYTES = 12 };

/* A view: i32 length, then 12 bytes of text, or a prefix of 4, i32 buffer, i32 place in it. */
static const char *check_view(const struct ss_arrow_array *array, const uint8_t *view,
                              uint64_t *n_shown)
{
    int32_t parts[4];
    memcpy(parts, view, sizeof parts);
    if (parts[0] < 0) {
        return "a view has a negative length";
    }
    *n_shown += (uint64_t)parts[0];
    if (parts[0] <= VIEW_INLINE_BYTES) {
        return NULL;
    }
    if (parts[2] < 0 || (size_t)parts[2] >= array->n_buffers - 2 || parts[3] < 0) {
        return "a view is outside of its buffers";
    }
    const size_t n = array->buffers[2 + parts[2]].n_bytes;
    return (size_t)parts[3] > n || (size_t)parts[0] > n - (size_t)parts[3]
               ? "a view is outside of its buffers"
               : NULL;
}

/* Views may overlap, so checking them could take any time; more than a multiple of the bytes
 * that are there is refused. */
static struct ss_arrow_fault check_views(const struct ss_arrow_batch *batch, size_t index,
                                         uint64_t n, bool is_whole)
{
    (void)is_whole;
    const struct ss_arrow_array *array = ss_arrow_array_of(batch, index);
    uint64_t n_shown = 0, n_held = array->buffers[1].n_bytes;
    for (size_t i = 2; i < array->n_buffers; i++) {
        n_held += array->buffers[i].n_bytes;
    }
    if (!holds(&array->buffers[1], n, 8 * VIEW_BYTES)) {
        return fault_at("its views end early", index, 0);
    }
    for (uint64_t i = 0; i < n; i++) {
        const char *fault =
            is_there(array, i)
                ? check_view(array, array->buffers[1].data + VIEW_BYTES * i, &n_shown)
                : NULL;
        if (fault != NULL) {
            return fault_at(fault, index, i);
        }
        if (n_shown > VIEW_SLACK && n_shown / VIEW_FACTOR > n_held) {
            return fault_at("its views show the same bytes too often", index, i);
        }
    }
    return batch->schema->fields[index].text == SS_ARROW_UTF8 ? check_texts(batch, index, n)
                                                              : none();
}

/* ---- what has children ---- */

/* A child may be longer than what refers to it, never shorter. */
static struct ss_arrow_fault check_child(const struct ss_arrow_batch *batch, size_t index,
                                         uint64_t n, bool is_whole)
{
    return n > ss_arrow_array_of(batch, index)->n
               ? fault_at("it has fewer values than what it is in", index, 0)
               : ss_arrow_check(batch, index, n, is_whole);
}

static struct ss_arrow_fault check_list(const struct ss_arrow_batch *batch, size_t index,
                                        uint64_t n, bool is_whole)
{
    const uint64_t n_child = ss_arrow_array_of(batch, index + 1)->n;
    const struct ss_arrow_fault fault = check_offsets(batch, index, n, n_child);
    return fault.what != NULL ? fault : ss_arrow_check(batch, index + 1, n_child, is_whole);
}

static struct ss_arrow_fault check_list_views(const struct ss_arrow_batch *batch, size_t index,
                                              uint64_t n, bool is_whole)
{
    const struct ss_arrow_field *field = &batch->schema->fields[index];
    const struct ss_arrow_array *array = ss_arrow_array_of(batch, index);
    const uint64_t n_child = ss_arrow_array_of(batch, index + 1)->n;
    const unsigned width = field->is_wide ? 8 : 4;
    uint64_t n_shown = 0;
    if (!holds(&array->buffers[1], n, 8 * width) || !holds(&array->buffers[2], n, 8 * width)) {
        return fault_at("its views end early", index, 0);
    }
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t begin = ss_arrow_number(&array->buffers[1], i, width, true);
        const uint64_t size = ss_arrow_number(&array->buffers[2], i, width, true);
        if (!is_there(array, i)) {
            continue;
        }
        if (begin > n_child || size > n_child - begin) {
            return fault_at("a view is outside of its list", index, i);
        }
        n_shown += size;
        if (n_shown > VIEW_SLACK && n_shown / VIEW_FACTOR > n_child) {
            return fault_at("its views show the same values too often", index, i);
        }
    }
    return ss_arrow_check(batch, index + 1, n_child, is_whole);
}

static struct ss_arrow_fault check_fixed_list(const struct ss_arrow_batch *batch, size_t index,
                                              uint64_t n, bool is_whole)
{
    uint64_t n_child = 0;
    return ss__mul_u64(n, batch->schema->fields[index].list_size, &n_child)
               ? check_child(batch, index + 1, n_child, is_whole)
               : fault_at("its lists are too long", index, 0);
}

/* Members stand row by row beside the struct. */
static struct ss_arrow_fault check_struct(const struct ss_arrow_batch *batch, size_t index,
                                          uint64_t n, bool is_whole)
{
    const struct ss_arrow_field *fields = batch->schema->fields;
    struct ss_arrow_fault fault = none();
    for (size_t i = index + 1; i < fields[index].end && fault.what == NULL; i = fields[i].end) {
        if (is_whole || fields[i].has_text) {
            fault = check_child(batch, i, n, is_whole);
        }
    }
    return fault;
}

/* Ends rise, and the last is not before n. */
static struct ss_arrow_fault check_runs(const struct ss_arrow_batch *batch, size_t index,
                                        uint64_t n, bool is_whole)
{
    const struct ss_arrow_field *ends = &batch->schema->fields[index + 1];
    const struct ss_arrow_array *array = ss_arrow_array_of(batch, index + 1);
    uint64_t last = 0;
    if (!holds(&array->buffers[1], array->n, ends->n_bits)) {
        return fault_at("the ends of its runs end early", index, 0);
    }
    for (uint64_t i = 0; i < array->n; i++) {
        const uint64_t next = ss_arrow_number(&array->buffers[1], i, ends->n_bits / 8, true);
        if (next <= last || next > INT64_MAX || !is_there(array, i)) {
            return fault_at("the ends of its runs do not rise", index, 0);
        }
        last = next;
    }
    return last < n ? fault_at("its runs end early", index, 0)
                    : check_child(batch, ends->end, array->n, is_whole);
}

/* ---- arrays ---- */

static struct ss_arrow_fault check_fixed(const struct ss_arrow_batch *batch, size_t index,
                                         uint64_t n, bool is_whole)
{
    (void)is_whole;
    const struct ss_arrow_array *array = ss_arrow_array_of(batch, index);
    return holds(&array->buffers[1], n, batch->schema->fields[index].n_bits)
               ? none()
               : fault_at("its values end early", index, 0);
}

static struct ss_arrow_fault check_null(const struct ss_arrow_batch *batch, size_t index,
                                        uint64_t n, bool is_whole)
{
    (void)batch, (void)index, (void)n, (void)is_whole;
    return none();
}

static struct ss_arrow_fault check_union(const struct ss_arrow_batch *batch, size_t index,
                                         uint64_t n, bool is_whole)
{
    (void)batch, (void)n, (void)is_whole;
    return fault_at("it is a union, which is not read", index, 0);
}

/* The bitmap first, since the checks of values ask it. */
struct ss_arrow_fault ss_arrow_check(const struct ss_arrow_batch *batch, size_t field,
                                     uint64_t n, bool is_whole)
{
    static struct ss_arrow_fault (*const checks[])(const struct ss_arrow_batch *, size_t,
                                                   uint64_t, bool) = {
        [SS_ARROW_NULL] = check_null,
        [SS_ARROW_FIXED] = check_fixed,
        [SS_ARROW_BYTES] = check_bytes,
        [SS_ARROW_VIEW] = check_views,
        [SS_ARROW_LIST] = check_list,
        [SS_ARROW_LIST_VIEW] = check_list_views,
        [SS_ARROW_FIXED_LIST] = check_fixed_list,
        [SS_ARROW_STRUCT] = check_struct,
        [SS_ARROW_UNION] = check_union,
        [SS_ARROW_RUNS] = check_runs,
    };
    const struct ss_arrow_array *array = ss_arrow_array_of(batch, field);
    const bool is_encoded = ss_arrow_is_encoded(batch, field);
    const ss_arrow_shape shape = batch->schema->fields[field].shape;
    const bool has_bitmap = is_encoded || (shape != SS_ARROW_NULL && shape != SS_ARROW_RUNS);
    if (has_bitmap && array->buffers[0].n_bytes > 0 && !holds(&array->buffers[0], n, 1)) {
        return fault_at("its bitmap of nulls ends early", field, 0);
    }
    return is_encoded ? check_indexes(batch, field, n)
                      : checks[shape](batch, field, n, is_whole);
}
