/* Tensors that a caller must have: by name, with a shape, as finite f32 numbers; whole, in
 * place, or row by row.
 *
 * A number that is NaN or infinite in the weights would spread through every result without a
 * trace of where it came from, so all of them are looked at once, here. Tables (word
 * embeddings) are checked in parts and then read row by row from the file: they are the largest
 * tensors of small models, and a text needs few of their rows. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "weights/weights_priv.h"

/* A shape as text: 8 sizes of at most 20 digits fit. Tables are checked through a buffer of 256
 * KiB, which stays in the cache; whole tensors in steps of 16 MiB, between which a stop is
 * asked for. */
enum { SHAPE_TEXT_BYTES = 192, CHECKED_FLOATS = 1 << 16, STEP_FLOATS = 1 << 22 };

/* "[2,3]", for a message; an empty list is "[]", the shape of a single number. */
static const char *shape_text(size_t n_dims, const uint64_t *shape, char out[SHAPE_TEXT_BYTES])
{
    size_t n = (size_t)snprintf(out, SHAPE_TEXT_BYTES, "[");
    for (size_t i = 0; i < n_dims && n < SHAPE_TEXT_BYTES; i++) {
        n += (size_t)snprintf(out + n, SHAPE_TEXT_BYTES - n, "%s%llu", i == 0 ? "" : ",",
                              (unsigned long long)shape[i]);
    }
    if (n < SHAPE_TEXT_BYTES) {
        snprintf(out + n, SHAPE_TEXT_BYTES - n, "]");
    }
    return out;
}

/* Whether `name` is `wanted` behind some more words. */
static bool ends_with_word(const char *name, const char *wanted)
{
    const size_t n = strlen(name), n_wanted = strlen(wanted);
    return n > n_wanted && strcmp(name + n - n_wanted, wanted) == 0 &&
           (name[n - n_wanted - 1] == '.' || name[n - n_wanted - 1] == '/');
}

ss_status ss_weights_fail_missing(const struct ss_weights *weights, const char *name,
                                  ss_err *err)
{
    const char *what = ss_weights_unreadable(weights, name);
    if (what != NULL && !weights->lacks_plain_values) {
        return ss__fail_file(err, weights->path, SS_E_UNSUPPORTED,
                             "'%s' is no tensor of real numbers, it is %s", name, what);
    }
    const char *there = weights->n == 0 ? NULL : weights->by_name[0]->name;
    for (size_t i = 0; i < weights->n; i++) {
        if (ends_with_word(weights->tensors[i].name, name)) {
            there = weights->tensors[i].name;
            break;
        }
    }
    const ss_status status =
        there == NULL ? ss__fail_file(err, weights->path, SS_E_DATA,
                                      "tensor '%s' is missing, there are none", name)
                      : ss__fail_file(err, weights->path, SS_E_DATA,
                                      "tensor '%s' is missing; among the %zu that are there is "
                                      "'%.200s'",
                                      name, weights->n, there);
    ss__err_about(err, name);
    return status;
}

/* The tensor of that name, if it has the shape that its user multiplies by; both shapes are
 * told. */
static ss_status find_shaped(const struct ss_weights *weights, const char *name, size_t n_dims,
                             const uint64_t *shape, const struct ss_weights_tensor **out,
                             ss_err *err)
{
    ss_status status = SS_OK;
    char found[SHAPE_TEXT_BYTES], expected[SHAPE_TEXT_BYTES];
    const struct ss_weights_tensor *tensor = ss_weights_find(weights, name);
    *out = tensor;
    if (tensor == NULL) {
        return ss_weights_fail_missing(weights, name, err);
    }
    if (tensor->n_dims != n_dims ||
        (n_dims > 0 && memcmp(tensor->shape, shape, n_dims * sizeof *shape) != 0)) {
        SS_FAIL_FILE(weights->path, SS_E_SHAPE, "tensor '%s' is %s, expected %s", name,
                     shape_text(tensor->n_dims, tensor->shape, found),
                     shape_text(n_dims, shape, expected));
    }
out:
    if (status != SS_OK) {
        ss__err_about(err, name);
    }
    return status;
}

/* Beyond float32 are doubles of the file that become infinite by rounding. */
static ss_status refuse_nonfinite(const struct ss_weights *weights, const char *name,
                                  size_t n_bad, size_t first, ss_err *err)
{
    const ss_status status =
        ss__fail_file(err, weights->path, SS_E_NONFINITE,
                      "tensor '%s' holds %zu numbers that are NaN, infinite or beyond float32, "
                      "the first at index %zu",
                      name, n_bad, first);
    ss__err_about(err, name);
    return status;
}

/* All are counted, so that the message tells one broken number from a broken tensor. A large
 * tensor takes seconds from a slow disk: a stop is asked for between parts. */
static ss_status check_finite(const struct ss_weights *weights, const char *name,
                              const float *numbers, size_t n, ss_err *err)
{
    size_t n_bad = 0, first_bad = 0;
    for (size_t at = 0; at < n; at += STEP_FLOATS) {
        size_t first = 0;
        const size_t n_here =
            ss_weights_count_nonfinite(numbers + at, ss__min_size(STEP_FLOATS, n - at), &first);
        first_bad = n_bad == 0 ? at + first : first_bad;
        n_bad += n_here;
        SS_RETURN_IF_ERROR(ss__check_stop(weights->source.asking, err));
    }
    if (n_bad > 0) {
        SS_RETURN_IF_ERROR(refuse_nonfinite(weights, name, n_bad, first_bad, err));
    }
    return SS_OK;
}

/* Whether the bytes of the file are what a kernel reads: type, order, layout and alignment. */
static bool is_plain_f32(const struct ss_weights_tensor *tensor)
{
    return tensor->dtype == SS_WEIGHTS_F32 && !tensor->swaps &&
           ss_weights_tensor_is_row_major(tensor) &&
           (uintptr_t)tensor->data % _Alignof(float) == 0;
}

/* A copy in row-major f32, whatever the file has, checked; the caller frees it. */
static ss_status copy_finite(const struct ss_weights *weights,
                             const struct ss_weights_tensor *tensor, float **out, ss_err *err)
{
    ss_status status = SS_OK;
    float *numbers = NULL;
    SS_ALLOC_ALIGNED(numbers, (size_t)tensor->n_elements);
    status = ss_weights_tensor_to_f32(tensor, numbers, err);
    if (status != SS_OK) {
        ss__err_in_file(err, weights->path);
        goto out;
    }
    SS_TRY(check_finite(weights, tensor->name, numbers, (size_t)tensor->n_elements, err));
    *out = numbers;
    numbers = NULL;
out:
    ss__free(numbers);
    return status;
}

/* For vectors and single numbers, which are small; matrices are asked for as views. */
ss_status ss_weights_need_f32(const struct ss_weights *weights, const char *name, size_t n_dims,
                              const uint64_t *shape, float **out, ss_err *err)
{
    const struct ss_weights_tensor *tensor = NULL;
    *out = NULL;
    SS_RETURN_IF_ERROR(find_shaped(weights, name, n_dims, shape, &tensor, err));
    return copy_finite(weights, tensor, out, err);
}

/* The case that matters is a large model in float32: its pages are used where the mapping has
 * them, so opening it costs no memory of its own. */
ss_status ss_weights_view_f32(const struct ss_weights *weights, const char *name, size_t n_dims,
                              const uint64_t *shape, const float **out, float **owned,
                              ss_err *err)
{
    const struct ss_weights_tensor *tensor = NULL;
    *out = NULL;
    *owned = NULL;
    SS_RETURN_IF_ERROR(find_shaped(weights, name, n_dims, shape, &tensor, err));
    if (is_plain_f32(tensor)) {
        SS_RETURN_IF_ERROR(
            check_finite(weights, name, tensor->data, (size_t)tensor->n_elements, err));
        *out = tensor->data;
    } else {
        SS_RETURN_IF_ERROR(copy_finite(weights, tensor, owned, err));
        *out = *owned;
    }
    return SS_OK;
}

/* ---- tables ---- */

/* Rows as a tensor of their own. */
static struct ss_weights_tensor rows_of(const struct ss_weights_tensor *tensor, size_t first,
                                        size_t n)
{
    struct ss_weights_tensor rows = *tensor;
    const uint64_t width = tensor->shape[1];
    rows.shape[0] = n;
    rows.n_elements = n * width;
    rows.data =
        (const uint8_t *)tensor->data + first * width * ss_weights_dtype_bytes(tensor->dtype);
    return rows;
}

/* Rows of a type that is converted, some numbers at a time, through a buffer on the stack: this
 * runs in every batch. */
static ss_status convert_rows(const struct ss_weights_table *table,
                              const struct ss_weights_tensor *rows, size_t at, float *out,
                              ss_err *err)
{
    enum { STEP = 512, MAX_BYTES = 16 };
    _Alignas(16) uint8_t bytes[STEP * MAX_BYTES];
    const size_t n_bytes = ss_weights_dtype_bytes(rows->dtype);
    struct ss_weights_tensor some = {.name = rows->name,
                                     .dtype = rows->dtype,
                                     .dtype_name = rows->dtype_name,
                                     .swaps = rows->swaps,
                                     .n_dims = 1,
                                     .strides = {1},
                                     .data = bytes};
    for (size_t i = 0; i < rows->n_elements; i += STEP) {
        some.n_elements = some.shape[0] = ss__min_size(STEP, (size_t)rows->n_elements - i);
        SS_RETURN_IF_ERROR(ss__map_read(table->file, at + i * n_bytes,
                                        (size_t)some.n_elements * n_bytes, bytes, table->path,
                                        err));
        SS_RETURN_IF_ERROR(ss_weights_tensor_to_f32(&some, out + i, err));
    }
    return SS_OK;
}

ss_status ss_weights_table_rows(const struct ss_weights_table *table, size_t first, size_t n,
                                float *out, ss_err *err)
{
    const struct ss_weights_tensor rows = rows_of(&table->tensor, first, n);
    const size_t width = (size_t)table->tensor.shape[1];
    if (table->owned != NULL) {
        memcpy(out, table->owned + first * width, n * width * sizeof *out);
        return SS_OK;
    }
    if (table->file == NULL) {
        return ss_weights_tensor_to_f32(&rows, out, err);
    }
    /* by offset and not through the mapping, whose pages would stay resident */
    const size_t at = (size_t)((const uint8_t *)rows.data - table->file->data);
    return rows.dtype == SS_WEIGHTS_F32 && !rows.swaps
               ? ss__map_read(table->file, at, n * width * sizeof *out, out, table->path, err)
               : convert_rows(table, &rows, at, out, err);
}

/* Look at all rows, some at a time. */
static ss_status check_table(const struct ss_weights *weights,
                             const struct ss_weights_table *table, struct ss__asking *asking,
                             ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n = (size_t)table->tensor.shape[0], width = (size_t)table->tensor.shape[1];
    const size_t n_step = ss__max_size(CHECKED_FLOATS / ss__max_size(width, 1), 1);
    size_t n_bad = 0, first_bad = 0;
    float *rows = NULL;
    SS_ALLOC_ALIGNED(rows, ss__min_size(n_step, n) * width);
    /* a tensor of no elements: whether its type is converted at all */
    status = ss_weights_tensor_to_f32(
        &(struct ss_weights_tensor){.name = table->tensor.name,
                                    .dtype = table->tensor.dtype,
                                    .dtype_name = table->tensor.dtype_name},
        rows, err);
    if (status != SS_OK) {
        ss__err_in_file(err, weights->path);
        goto out;
    }
    for (size_t row = 0; row < n; row += n_step) {
        size_t first = 0;
        const size_t n_rows = ss__min_size(n_step, n - row);
        SS_TRY(ss__check_stop(asking, err));
        SS_TRY(ss_weights_table_rows(table, row, n_rows, rows, err));
        const size_t n_here = ss_weights_count_nonfinite(rows, n_rows * width, &first);
        first_bad = n_bad == 0 ? row * width + first : first_bad;
        n_bad += n_here;
    }
    if (n_bad > 0) {
        SS_TRY(refuse_nonfinite(weights, table->tensor.name, n_bad, first_bad, err));
    }
out:
    ss__free(rows);
    return status;
}

ss_status ss_weights_need_table(const struct ss_weights *weights, const char *name,
                                const uint64_t shape[2], struct ss__asking *asking,
                                struct ss_weights_table *out, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_weights_tensor *tensor = NULL;
    *out = (struct ss_weights_table){0};
    SS_TRY(find_shaped(weights, name, 2, shape, &tensor, err));
    out->tensor = *tensor;
    if (!ss_weights_tensor_is_row_major(tensor)) {
        SS_TRY(copy_finite(weights, tensor, &out->owned, err));
        goto out;
    }
    const struct ss_weights *file = ss_weights_file_of(weights, tensor);
    if (file != NULL) {
        out->file = &file->map;
        out->path = file->path;
    }
    SS_TRY(check_table(weights, out, asking, err));
    ss_weights_release_pages(weights, tensor);
out:
    if (status != SS_OK) {
        ss_weights_table_release(out);
    }
    return status;
}

void ss_weights_table_release(struct ss_weights_table *table)
{
    ss__free(table->owned);
    *table = (struct ss_weights_table){0};
}
