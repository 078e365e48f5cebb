/* Figures of an SAE on rows, whoever trained it; docs/training.md defines each. */
#ifndef SS_TRAIN_EVALUATE_H
#define SS_TRAIN_EVALUATE_H

#include "base/error.h"

enum { SS_TRAIN_DENSITY_BINS = 50, SS_TRAIN_NEIGHBOURS = 10 };

/* Rows and what the SAE makes of them, all borrowed. */
struct ss_train_evaluated {
    size_t n_rows, width, n_features;
    const float *x, *y;                       /* [n_rows, width] rows, and reconstructed */
    const float *x_normalised, *y_normalised; /* the same as the SAE sees them */
    const struct ss_sparse *a;
    const float *decoder, *encoder; /* [n_features, width] */
};

struct ss_train_evaluation {
    size_t n_rows, n_features;
    double mse, mse_normalised, fvu, explained_variance, explained_variance_normalised;
    double cosine, norm_ratio, reconstruction_bias;
    double l0_mean, l0_median, l0_p95, l0_max, l1_mean;
    size_t n_dead;
    double dead_frac, dense_frac;
    double knn_overlap, ndcg; /* NaN of too few rows */
    double decoder_max_cosine, encoder_decoder_cosine;
    uint64_t density_counts[SS_TRAIN_DENSITY_BINS];
    double density_range[2];
};

/* Errors: SS_E_DATA (fewer than two rows), SS_E_NOMEM, SS_E_STOPPED. Threads: one call per
 * `work` at a time. Cost: 4 n_rows² width and 2 n_features² width flop. */
SS_MUST_USE ss_status ss_train_evaluate(ss_work *work, const struct ss_train_evaluated *in,
                                        struct ss_train_evaluation *out, ss_err *err);

#endif
