/* Row and elementwise operations of tensor.h, over the kernels in use. */
#include "base/mem.h"
#include "tensor/tensor_priv.h"

enum { ROWS_PER_TASK = 32 };

static void norm_task(void *context, size_t index, size_t worker)
{
    (void)worker;
    struct ss__norm part = *(const struct ss__norm *)context;
    const size_t first = index * ROWS_PER_TASK;
    part.x += first * part.width;
    part.n_rows = ss__min_size(ROWS_PER_TASK, part.n_rows - first);
    ss__kernels()->rows->layer_norm(&part);
}

void ss__layer_norm(ss_work *work, float *x, size_t n_rows, size_t width, const float *gain,
                    const float *shift, float eps)
{
    struct ss__norm norm = {x, n_rows, width, gain, shift, eps};
    ss__work_run(work, (n_rows + ROWS_PER_TASK - 1) / ROWS_PER_TASK,
                 8.0 * (double)n_rows * (double)width, norm_task, &norm);
}

void ss__activate(float *x, size_t n, ss__activation activation)
{
    ss__kernels()->rows->activate(x, n, activation);
}

float ss__dot(const float *a, const float *b, size_t n)
{
    return ss__kernels()->rows->dot(a, b, n);
}

float ss__sum_squares(const float *a, size_t n)
{
    return ss__kernels()->rows->dot(a, a, n);
}

void ss__add_to(float *acc, const float *x, size_t n)
{
    ss__kernels()->rows->add_scaled_to(acc, x, 1.0F, n);
}

void ss__add_scaled_to(float *acc, const float *x, float scale, size_t n)
{
    ss__kernels()->rows->add_scaled_to(acc, x, scale, n);
}

void ss__max_to(float *acc, const float *x, size_t n)
{
    ss__kernels()->rows->max_to(acc, x, n);
}

void ss__scale(float *x, float scale, size_t n)
{
    ss__kernels()->rows->scale(x, scale, n);
}

void ss__softmax(float *x, size_t n)
{
    ss__kernels()->rows->softmax(x, n);
}
