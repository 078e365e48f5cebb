/* Row and elementwise operations of tensor.h, over the kernels in use. Those with a workspace
 * run in its threads, the others in the caller's; the bytes are the same, since no operation
 * joins two rows. */
#include <string.h>

#include "base/mem.h"
#include "tensor/tensor_priv.h"

enum { ROWS_PER_TASK = 32, NUMBERS_PER_TASK = 1 << 15 };

/* Rows are copied just before they are normalised, while they are in cache. */
static void norm_task(void *context, size_t index, size_t worker)
{
    (void)worker;
    const struct ss_tensor_norm_rows *norm = context;
    const size_t first = index * ROWS_PER_TASK, at = first * norm->width;
    const size_t n_rows = ss__min_size(ROWS_PER_TASK, norm->n_rows - first);
    float *x = norm->out + at;
    if (norm->x != norm->out) {
        memcpy(x, norm->x + at, n_rows * norm->width * sizeof *x);
    }
    ss_tensor_kernels()->rows->layer_norm(&(struct ss_tensor_norm){.x = x,
                                                                   .n_rows = n_rows,
                                                                   .width = norm->width,
                                                                   .gain = norm->gain,
                                                                   .shift = norm->shift,
                                                                   .eps = norm->eps});
}

void ss_tensor_layer_norm_to(ss_work *work, const struct ss_tensor_norm_rows *norm)
{
    struct ss_tensor_norm_rows job = *norm;
    ss_tensor_work_run(work, ss__divide_up(norm->n_rows, ROWS_PER_TASK),
                       8.0 * (double)norm->n_rows * (double)norm->width, norm_task, &job);
}

void ss_tensor_layer_norm(ss_work *work, float *x, size_t n_rows, size_t width,
                          const float *gain, const float *shift, float eps)
{
    const struct ss_tensor_norm_rows norm = {x, x, n_rows, width, gain, shift, eps};
    ss_tensor_layer_norm_to(work, &norm);
}

struct multiply_job {
    float *x;
    const float *factors;
    size_t n;
};

static void multiply_task(void *context, size_t index, size_t worker)
{
    const struct multiply_job *job = context;
    const size_t first = index * NUMBERS_PER_TASK;
    (void)worker;
    ss_tensor_kernels()->rows->multiply_by(job->x + first, job->factors + first,
                                           ss__min_size(NUMBERS_PER_TASK, job->n - first));
}

void ss_tensor_multiply_by(ss_work *work, float *x, const float *factors, size_t n)
{
    struct multiply_job job = {x, factors, n};
    ss_tensor_work_run(work, ss__divide_up(n, NUMBERS_PER_TASK), (double)n, multiply_task,
                       &job);
}

void ss_tensor_threshold_masks(const struct ss_tensor_threshold_test *test)
{
    ss_tensor_kernels()->rows->threshold_masks(test);
}

size_t ss_tensor_count_at_least(const float *x, size_t n, float threshold)
{
    return ss_tensor_kernels()->rows->count_at_least(x, n, threshold);
}

void ss_tensor_activate(float *x, size_t n, ss_tensor_activation activation)
{
    ss_tensor_kernels()->rows->activate(x, n, activation);
}

float ss_tensor_dot(const float *a, const float *b, size_t n)
{
    return ss_tensor_kernels()->rows->dot(a, b, n);
}

float ss_tensor_sum_squares(const float *a, size_t n)
{
    return ss_tensor_kernels()->rows->dot(a, a, n);
}

void ss_tensor_add_to(float *acc, const float *x, size_t n)
{
    ss_tensor_kernels()->rows->add_scaled_to(acc, x, 1.0F, n);
}

void ss_tensor_add_scaled_to(float *acc, const float *x, float scale, size_t n)
{
    ss_tensor_kernels()->rows->add_scaled_to(acc, x, scale, n);
}

void ss_tensor_max_to(float *acc, const float *x, size_t n)
{
    ss_tensor_kernels()->rows->max_to(acc, x, n);
}

void ss_tensor_scale(float *x, float scale, size_t n)
{
    ss_tensor_kernels()->rows->scale(x, scale, n);
}

void ss_tensor_sum_rows(const struct ss_tensor_row_sum *sum)
{
    ss_tensor_kernels()->rows->sum_rows(sum);
}

void ss_tensor_dot_rows(const struct ss_tensor_row_dots *dots)
{
    ss_tensor_kernels()->rows->dot_rows(dots);
}

void ss_tensor_multiply_rows(const struct ss_tensor_row_dots *dots)
{
    ss_tensor_kernels()->rows->multiply_rows(dots);
}

size_t ss_tensor_collect_at_least(const struct ss_tensor_collection *collection)
{
    return ss_tensor_kernels()->rows->collect_at_least(collection);
}

void ss_tensor_dot_pair(const float *a, const float *b, size_t n, float out[3])
{
    ss_tensor_kernels()->rows->dot_pair(a, b, n, out);
}

struct ss_tensor_adam_squares ss_tensor_adam_step(const struct ss_tensor_adam *adam)
{
    return ss_tensor_kernels()->rows->adam(adam);
}

void ss_tensor_softmax(float *x, size_t n)
{
    ss_tensor_kernels()->rows->softmax(x, n);
}
