/* Tensors that a caller must have: by name, with a shape, as finite f32 numbers. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "weights/weights_priv.h"

enum { SHAPE_TEXT_BYTES = 192 };

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

static ss_status find_shaped(const struct ss__weights *weights, const char *name, size_t n_dims,
                             const uint64_t *shape, const struct ss__tensor **out, ss_err *err)
{
    ss_status status = SS_OK;
    char found[SHAPE_TEXT_BYTES], expected[SHAPE_TEXT_BYTES];
    const struct ss__tensor *tensor = ss__weights_find(weights, name);
    *out = tensor;
    if (tensor == NULL) {
        SS_FAIL_FILE(weights->path, SS_E_DATA, "tensor '%s' is missing", name);
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

static ss_status check_finite(const struct ss__weights *weights, const char *name,
                              const float *numbers, size_t n, ss_err *err)
{
    size_t first = 0;
    const size_t n_bad = ss__count_nonfinite(numbers, n, &first);
    if (n_bad == 0) {
        return SS_OK;
    }
    const ss_status status =
        ss__fail_file(err, weights->path, SS_E_NONFINITE,
                      "tensor '%s' holds %zu numbers that are NaN, infinite or beyond float32, "
                      "the first at index %zu",
                      name, n_bad, first);
    ss__err_about(err, name);
    return status;
}

static bool is_plain_f32(const struct ss__tensor *tensor)
{
    return tensor->dtype == SS__F32 && !tensor->swaps && ss__tensor_is_row_major(tensor) &&
           (uintptr_t)tensor->data % _Alignof(float) == 0;
}

static ss_status copy_finite(const struct ss__weights *weights, const struct ss__tensor *tensor,
                             float **out, ss_err *err)
{
    ss_status status = SS_OK;
    float *numbers = NULL;
    SS_ALLOC_ALIGNED(numbers, (size_t)tensor->n_elements);
    status = ss__tensor_to_f32(tensor, numbers, err);
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

ss_status ss__weights_need_f32(const struct ss__weights *weights, const char *name,
                               size_t n_dims, const uint64_t *shape, float **out, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__tensor *tensor = NULL;
    *out = NULL;
    SS_TRY(find_shaped(weights, name, n_dims, shape, &tensor, err));
    SS_TRY(copy_finite(weights, tensor, out, err));
out:
    return status;
}

ss_status ss__weights_view_f32(const struct ss__weights *weights, const char *name,
                               size_t n_dims, const uint64_t *shape, const float **out,
                               float **owned, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__tensor *tensor = NULL;
    *out = NULL;
    *owned = NULL;
    SS_TRY(find_shaped(weights, name, n_dims, shape, &tensor, err));
    if (is_plain_f32(tensor)) {
        SS_TRY(check_finite(weights, name, tensor->data, (size_t)tensor->n_elements, err));
        *out = tensor->data;
    } else {
        SS_TRY(copy_finite(weights, tensor, owned, err));
        *out = *owned;
    }
out:
    return status;
}
