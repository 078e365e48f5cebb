/* The trainer's arithmetic in double, in plain loops: with it the sources of train/ are built a
 * second time, to be held against traces in double (unit/test_train_oracle.c). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "train/train_kernels.h"

void ss_train_sum_rows(const struct ss_train_row_sum *sum)
{
    for (size_t i = 0; i < sum->n; i++) {
        ss_train_add_scaled_to(sum->out, sum->rows + sum->ids[i] * sum->width, sum->weights[i],
                               sum->width);
    }
}

void ss_train_dot_rows(const struct ss_train_row_dots *dots)
{
    for (size_t i = 0; i < dots->n; i++) {
        dots->out[i] =
            ss_train_dot(dots->vector, dots->rows + dots->ids[i] * dots->width, dots->width);
    }
}

size_t ss_train_collect_at_least(const struct ss_train_collection *collection)
{
    size_t n = 0;
    for (size_t i = 0; i < collection->n; i++) {
        if (collection->x[i] >= (collection->thresholds == NULL ? collection->threshold
                                                                : collection->thresholds[i])) {
            collection->ids[n] = (uint32_t)i;
            collection->values[n++] = collection->x[i];
        }
    }
    return n;
}

struct ss_train_squares ss_train_adam_step(const struct ss_train_adam *adam)
{
    struct ss_train_squares squares = {0};
    for (size_t i = 0; i < adam->n; i++) {
        adam->x[i] *= adam->x_scale;
        const double g = adam->gradient_scale * adam->gradient[i] + adam->along_x * adam->x[i];
        adam->mean[i] += adam->new_mean * (g - adam->mean[i]);
        adam->square[i] = adam->old_square * adam->square[i] + adam->new_square * g * g;
        adam->x[i] -=
            adam->rate * adam->mean[i] / (adam->root_scale * sqrt(adam->square[i]) + adam->eps);
        squares.x += adam->x[i] * adam->x[i];
        squares.gradient += g * g;
    }
    return squares;
}

/* Eight sums, so that the compiler may use vectors. */
double ss_train_dot(const double *a, const double *b, size_t n)
{
    double sums[8] = {0}, sum = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (size_t j = 0; j < 8; j++) {
            sums[j] += a[i + j] * b[i + j];
        }
    }
    for (; i < n; i++) {
        sums[0] += a[i] * b[i];
    }
    for (size_t j = 0; j < 8; j++) {
        sum += sums[j];
    }
    return sum;
}

void ss_train_dot_pair(const double *a, const double *b, size_t n, double out[3])
{
    out[0] = ss_train_dot(a, a, n);
    out[1] = ss_train_dot(a, b, n);
    out[2] = ss_train_dot(b, b, n);
}

void ss_train_add_scaled_to(double *acc, const double *x, double scale, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        acc[i] += scale * x[i];
    }
}

void ss_train_scale(double *x, double scale, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i] *= scale;
    }
}

struct ss_train_encoder {
    size_t n_features, width;
    double *w;
};

ss_status ss_train_encoder_new(size_t n_features, size_t width, struct ss_train_encoder **out,
                               ss_err *err)
{
    SS_ALLOC_OR_RETURN(*out, 1);
    **out = (struct ss_train_encoder){.n_features = n_features, .width = width};
    SS_ALLOC_OR_RETURN((*out)->w, n_features * width);
    return SS_OK;
}

void ss_train_encoder_free(struct ss_train_encoder *encoder)
{
    if (encoder != NULL) {
        ss__free(encoder->w);
        ss__free(encoder);
    }
}

void ss_train_encoder_fill(struct ss_train_encoder *encoder, size_t first, size_t n,
                           const double *w)
{
    memcpy(encoder->w + first * encoder->width, w, n * encoder->width * sizeof *w);
}

static void encode_row(void *context, size_t r, size_t worker)
{
    const struct ss_train_product *job = context;
    const size_t n = job->encoder->n_features, d = job->encoder->width;
    (void)worker;
    for (size_t f = 0; f < n; f++) {
        const double sum = ss_train_dot(job->x + r * d, job->encoder->w + f * d, d) +
                           (job->bias == NULL ? 0 : job->bias[f]);
        job->h[r * n + f] = sum > 0 ? sum : 0;
    }
}

ss_status ss_train_encode(ss_work *work, const struct ss_train_product *product, ss_err *err)
{
    struct ss_train_product job = *product;
    (void)err;
    ss__pool_run(ss_tensor_work_pool(work), job.n_rows, encode_row, &job);
    return SS_OK;
}
