/* The trainer's numbers in float32: the kernels of tensor/. */
#include "train/train_kernels.h"

#include "base/mem.h"

void ss_train_sum_rows(const struct ss_train_row_sum *sum)
{
    ss_tensor_sum_rows(&(struct ss_tensor_row_sum){.out = sum->out,
                                                   .rows = sum->rows,
                                                   .width = sum->width,
                                                   .ids = sum->ids,
                                                   .weights = sum->weights,
                                                   .n = sum->n});
}

void ss_train_dot_rows(const struct ss_train_row_dots *dots)
{
    ss_tensor_dot_rows(&(struct ss_tensor_row_dots){.out = dots->out,
                                                    .vector = dots->vector,
                                                    .rows = dots->rows,
                                                    .width = dots->width,
                                                    .ids = dots->ids,
                                                    .n = dots->n});
}

size_t ss_train_collect_at_least(const struct ss_train_collection *collection)
{
    return ss_tensor_collect_at_least(
        &(struct ss_tensor_collection){.x = collection->x,
                                       .n = collection->n,
                                       .thresholds = collection->thresholds,
                                       .threshold = collection->threshold,
                                       .ids = collection->ids,
                                       .values = collection->values});
}

struct ss_train_squares ss_train_adam_step(const struct ss_train_adam *adam)
{
    const struct ss_tensor_adam_squares squares = ss_tensor_adam_step(
        &(struct ss_tensor_adam){.x = adam->x,
                                 .mean = adam->mean,
                                 .square = adam->square,
                                 .gradient = adam->gradient,
                                 .n = adam->n,
                                 .x_scale = (float)adam->x_scale,
                                 .gradient_scale = (float)adam->gradient_scale,
                                 .along_x = (float)adam->along_x,
                                 .new_mean = (float)adam->new_mean,
                                 .old_square = (float)adam->old_square,
                                 .new_square = (float)adam->new_square,
                                 .root_scale = (float)adam->root_scale,
                                 .eps = (float)adam->eps,
                                 .rate = (float)adam->rate});
    return (struct ss_train_squares){squares.x, squares.gradient};
}

float ss_train_dot(const float *a, const float *b, size_t n)
{
    return ss_tensor_dot(a, b, n);
}

void ss_train_dot_pair(const float *a, const float *b, size_t n, float out[3])
{
    ss_tensor_dot_pair(a, b, n, out);
}

void ss_train_add_scaled_to(float *acc, const float *x, float scale, size_t n)
{
    ss_tensor_add_scaled_to(acc, x, scale, n);
}

void ss_train_scale(float *x, float scale, size_t n)
{
    ss_tensor_scale(x, scale, n);
}

/* ---- the encoder's product ---- */

struct ss_train_encoder {
    struct ss_tensor_matrix matrix;
};

ss_status ss_train_encoder_new(size_t n_features, size_t width, struct ss_train_encoder **out,
                               ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_train_encoder *encoder = NULL;
    *out = NULL;
    SS_ALLOC(encoder, 1);
    SS_TRY(
        ss_tensor_matrix_new(n_features, width, SS_PRECISION_HIGHEST, &encoder->matrix, err));
    *out = encoder;
    encoder = NULL;
out:
    ss_train_encoder_free(encoder);
    return status;
}

void ss_train_encoder_free(struct ss_train_encoder *encoder)
{
    if (encoder != NULL) {
        ss_tensor_matrix_release(&encoder->matrix);
        ss__free(encoder);
    }
}

void ss_train_encoder_fill(struct ss_train_encoder *encoder, size_t first, size_t n,
                           const float *w)
{
    ss_tensor_matrix_fill(&encoder->matrix, first, n, w, SS_TENSOR_OUT_BY_IN);
}

ss_status ss_train_encode(ss_work *work, const struct ss_train_product *product, ss_err *err)
{
    const struct ss_tensor_epilogue epilogue = {.bias = product->bias,
                                                .activation = SS_TENSOR_ACT_RELU};
    return ss_tensor_linear(work, &product->encoder->matrix, product->x, product->n_rows,
                            product->h, &epilogue, err);
}
