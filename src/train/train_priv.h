/* The inside of train/: a trainer's state and the parts of a step.
 *
 * A step: normalise rows; h = relu(x W + b); select a; reconstruct, error, its gradient G by
 * rows; then everything else by features: a list of each feature's pairs (row, value), ascending
 * by row, of which its gradients are sums. No dense gradient is ever held, and every sum has one
 * fixed order. */
#ifndef SS_TRAIN_PRIV_H
#define SS_TRAIN_PRIV_H

#include "base/mem.h"
#include "train/train.h"
#include "train/train_kernels.h"

struct ss_train_parameter {
    size_t n;
    bool is_trained;
    ss_train_real *x, *mean, *square; /* [n] */
};

/* Pairs of rows: those of row r are the first n[r] at r * stride, ascending by feature. */
struct ss_train_lists {
    size_t stride;
    uint32_t *ids;
    ss_train_real *values;
    size_t *n;
};

/* What a row adds to the figures. */
struct ss_train_row_sums {
    double error, prefix_error, squares, l1, aux;
    size_t n_active;
    double bound; /* of the gradients' norm */
};

struct ss_trainer {
    struct ss_train_config config;
    uint64_t step;
    struct ss_train_parameter parameters[SS_TRAIN_N_PARAMETERS];
    uint64_t *idle; /* [L] batches since a feature fired */
    struct ss_train_encoder *encoder;
    double max_encoder_length, max_decoder_length;
    ss_train_real guess; /* below which no value was kept in the last batch, nearly */

    /* ---- of one step ---- */
    size_t n_rows, n_workers;
    ss_train_real *x, *centered; /* [B, D]; the same where b_dec is not subtracted */
    ss_train_real *h;            /* [B, L] */
    ss_train_real *gradient;     /* [P, B, D]: G of prefix p and all longer ones */
    ss_train_real *residual;     /* [B, D] x - y, then the auxiliary gradient U */
    struct ss_train_lists kept, aux;
    struct ss_train_row_sums *rows; /* [B] */
    ss_train_real *thresholds;      /* [L] jumprelu: theta */
    ss_train_real *lowest;          /* [L] and what can be in a window at least */
    ss_train_real *scratch;         /* [workers, scratch_stride] */
    size_t scratch_stride;
    ss_train_real *values; /* of the whole batch, to be cut */
    size_t values_capacity;
    uint32_t *dead; /* those the auxiliary loss uses */
    bool *is_dead;  /* [L] */
    size_t n_dead;
    double max_theta;
    double
        sparsity_factor; /* derivative of the sparsity term by each |a|, or by each [a > 0] */
    double aux_scale;    /* aux_penalty, over the residual's variance */
    /* pairs by feature */
    size_t *starts; /* [L + 1] */
    uint32_t *pair_rows;
    ss_train_real *pair_values;
    size_t pairs_capacity, pair_values_capacity;
    ss_train_real *bias_gradient, *threshold_gradient; /* [L] */
    ss_train_real *center_gradient;                    /* [D] */
    ss_train_real *center_parts;                       /* [groups, D] */
    struct ss_train_group_sums *groups;                /* [groups] */
};

/* What a group of features adds to the figures. */
struct ss_train_group_sums {
    double encoder, decoder, tangent; /* squares of gradients */
    double max_encoder_length, max_decoder_length;
};

static inline bool ss_train_subtracts(const struct ss_train_config *config)
{
    return config->kind != SS_TRAIN_JUMPRELU;
}

static inline bool ss_train_selects(const struct ss_train_config *config)
{
    return config->kind == SS_TRAIN_TOPK || config->kind == SS_TRAIN_BATCHTOPK;
}

static inline bool ss_train_has_bias(const struct ss_train_config *config)
{
    return !ss_train_selects(config) || config->use_b_enc;
}

static inline size_t ss_train_n_prefixes(const struct ss_train_config *config)
{
    return ss__max_size(config->n_prefixes, 1);
}

/* Scratch of a worker: at least max(2 B, L) numbers, and D more behind. */
static inline ss_train_real *ss_train_scratch(const struct ss_trainer *trainer, size_t worker)
{
    return trainer->scratch + worker * trainer->scratch_stride;
}

/* Weights were set from outside: pack them. */
void ss_train_weights_changed(struct ss_trainer *trainer);
/* First weights as of the original training, bit by bit but for the lengths of the decoder. */
void ss_train_draw_weights(struct ss_trainer *trainer);
/* Weights that were drawn are turned towards rows [n, D], normalised, less b_dec. They have
 * changed then. */
void ss_train_start_at_rows(struct ss_trainer *trainer, const float *rows, size_t n);

/* In place: as `normalises_input` says. */
void ss_train_normalise(ss_train_real *x, size_t width);

/* The threshold that keeps the k largest of values [n]: the k-th largest; values are
 * reordered. n ≥ k ≥ 1. */
ss_train_real ss_train_kth_largest(ss_train_real *values, size_t n, size_t k);
/* Keep the k largest of a list of n, the first of equal ones; returns how many are left.
 * scratch [n]. */
size_t ss_train_keep_largest(uint32_t *ids, ss_train_real *values, size_t n, size_t k,
                             ss_train_real *scratch);

SS_MUST_USE ss_status ss_train_reserve(struct ss_trainer *trainer, size_t n_workers,
                                       ss_err *err);
void ss_train_normalise_rows(struct ss_trainer *trainer, ss_work *work, const float *x);
/* h of the rows that were normalised. */
SS_MUST_USE ss_status ss_train_encode_batch(struct ss_trainer *trainer, ss_work *work,
                                            ss_err *err);
SS_MUST_USE ss_status ss_train_select(struct ss_trainer *trainer, ss_work *work, ss_err *err);
void ss_train_reconstruct(struct ss_trainer *trainer, ss_work *work);
void ss_train_count_idle(struct ss_trainer *trainer);
void ss_train_auxiliary(struct ss_trainer *trainer, ss_work *work);
SS_MUST_USE ss_status ss_train_sort_pairs(struct ss_trainer *trainer, ss_err *err);

/* By features. Zero `rate`: gradients are only measured. */
struct ss_train_update {
    struct ss_trainer *trainer;
    double scale; /* of gradients: clipping */
    double rate;
    struct ss_train_adam adam; /* but for arrays and n */
};
void ss_train_update_features(struct ss_train_update *update, ss_work *work);
/* b_dec, b_enc and thresholds, after ss_train_update_features. */
void ss_train_update_vectors(const struct ss_train_update *update);

double ss_train_ramp(uint64_t step, uint64_t n_steps, uint64_t warmup, uint64_t decay);

#endif
