/* The numbers of the trainer: float32, or double in the build of tests that proves the formulas
 * (tests/support/train_double.c has these functions for it). */
#ifndef SS_TRAIN_KERNELS_H
#define SS_TRAIN_KERNELS_H

#include "tensor/tensor.h"

#ifdef SS_TRAIN_DOUBLE
typedef double ss_train_real;
#else
typedef float ss_train_real;
#endif

/* As the structs of tensor.h with their names. */
struct ss_train_row_sum {
    ss_train_real *out;
    const ss_train_real *rows;
    size_t width;
    const uint32_t *ids;
    const ss_train_real *weights;
    size_t n;
};
struct ss_train_row_dots {
    ss_train_real *out;
    const ss_train_real *vector;
    const ss_train_real *rows;
    size_t width;
    const uint32_t *ids;
    size_t n;
};
struct ss_train_collection {
    const ss_train_real *x;
    size_t n;
    const ss_train_real *thresholds;
    ss_train_real threshold;
    uint32_t *ids;
    ss_train_real *values;
};
struct ss_train_adam {
    ss_train_real *x, *mean, *square;
    const ss_train_real *gradient;
    size_t n;
    double x_scale, gradient_scale, along_x;
    double new_mean, old_square, new_square, root_scale, eps, rate;
};
struct ss_train_squares {
    ss_train_real x, gradient;
};

void ss_train_sum_rows(const struct ss_train_row_sum *sum);
void ss_train_dot_rows(const struct ss_train_row_dots *dots);
size_t ss_train_collect_at_least(const struct ss_train_collection *collection);
struct ss_train_squares ss_train_adam_step(const struct ss_train_adam *adam);
ss_train_real ss_train_dot(const ss_train_real *a, const ss_train_real *b, size_t n);
/* a·a, a·b, b·b */
void ss_train_dot_pair(const ss_train_real *a, const ss_train_real *b, size_t n,
                       ss_train_real out[3]);
/* acc += scale · x, and x *= scale. */
void ss_train_add_scaled_to(ss_train_real *acc, const ss_train_real *x, ss_train_real scale,
                            size_t n);
void ss_train_scale(ss_train_real *x, ss_train_real scale, size_t n);

/* The encoder's product: its weights [L, D] packed, a group of features at a time. */
struct ss_train_encoder;
SS_MUST_USE ss_status ss_train_encoder_new(size_t n_features, size_t width,
                                           struct ss_train_encoder **out, ss_err *err);
void ss_train_encoder_free(struct ss_train_encoder *encoder);
/* Weights w [n, D] of features first …; `first` is a multiple of SS_TRAIN_GROUP. */
void ss_train_encoder_fill(struct ss_train_encoder *encoder, size_t first, size_t n,
                           const ss_train_real *w);
/* h [n_rows, L] = relu(x Wᵀ + bias), bias [L] or NULL. */
struct ss_train_product {
    const struct ss_train_encoder *encoder;
    const ss_train_real *x;
    size_t n_rows;
    const ss_train_real *bias;
    ss_train_real *h;
};
SS_MUST_USE ss_status ss_train_encode(ss_work *work, const struct ss_train_product *product,
                                      ss_err *err);

enum { SS_TRAIN_GROUP = 32 }; /* features of a task: whole panels of packed weights */

#endif
