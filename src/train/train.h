/* Training a sparse autoencoder: losses, gradients, the optimiser, the order of the rows. Rows
 * are numbers that are handed in; nothing here knows texts or folders.
 *
 * Legend: B rows of a batch, D width, L features. Weights of a feature are rows here, too:
 * W_enc is held as [L, D], the transpose of what checkpoints have. */
#ifndef SS_TRAIN_H
#define SS_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "train/train_evaluate.h"

typedef enum ss_train_kind {
    SS_TRAIN_VANILLA,
    SS_TRAIN_TOPK,
    SS_TRAIN_BATCHTOPK,
    SS_TRAIN_JUMPRELU,
    SS_TRAIN_N_KINDS
} ss_train_kind;

enum { SS_TRAIN_MAX_PREFIXES = 16 };

/* Everything that decides what a step computes. docs/training.md says what each is for. */
struct ss_train_config {
    ss_train_kind kind;
    size_t width, n_features, batch_rows; /* batch_rows: the largest batch of a step */
    uint64_t seed;                        /* of the first weights */
    uint64_t n_steps;
    double lr, beta1, beta2, eps, max_grad_norm;
    bool normalises_input; /* (x - mean) / (s + 1e-5) of each row, s unbiased */
    double l1_coeff;       /* of the sparsity term: vanilla's Σ|a|, jumprelu's L0 */
    size_t top_k, top_k_aux;
    double aux_penalty;
    uint64_t n_batches_to_dead;
    double bandwidth, threshold_init;
    /* What the original training does not have; 0 is its behaviour. */
    uint64_t lr_warmup_steps, lr_decay_steps, l0_warmup_steps;
    bool renorm_after_step; /* decoder rows have unit length after the optimiser, too */
    bool use_b_enc;         /* topk, batchtopk: with b_enc */
    bool aux_detach;        /* the auxiliary loss gives the reconstruction no gradient */
    bool aux_normalised;    /* divided by the residual's variance over the batch */
    bool starts_at_median;  /* b_dec is the geometric median of rows (ss_train_set_center) */
    bool starts_at_rows;    /* and directions are near those of rows */
    bool l0_on_pre;         /* jumprelu: the L0 term's step looks at h, not at a */
    bool log_chain;         /* jumprelu: the threshold's gradient has the factor theta of exp */
    double l0_target;       /* jumprelu: l1_coeff (L0 / target - 1)^2; 0: l1_coeff L0 */
    size_t prefixes[SS_TRAIN_MAX_PREFIXES]; /* matryoshka; the last one is n_features */
    size_t n_prefixes;
};

const char *ss_train_kind_name(ss_train_kind kind);
/* SS_E_USAGE with a sentence, naming the option. */
SS_MUST_USE ss_status ss_train_check_config(const struct ss_train_config *config, ss_err *err);

/* Parameters in the order of a checkpoint. */
typedef enum ss_train_parameter_id {
    SS_TRAIN_B_DEC,
    SS_TRAIN_B_ENC,
    SS_TRAIN_W_ENC,
    SS_TRAIN_W_DEC,
    SS_TRAIN_LOG_THRESHOLD,
    SS_TRAIN_N_PARAMETERS
} ss_train_parameter_id;

/* Of one step, before its update. */
struct ss_train_figures {
    uint64_t step;
    double loss, l2_loss, l1_loss, aux_loss; /* l1_loss: the whole sparsity term */
    double l0_norm, l1_norm;
    double explained_variance; /* of the batch, of what is reconstructed */
    double lr;
    double grad_norm; /* of all parameters, before clipping */
    double grads[SS_TRAIN_N_PARAMETERS];
    double grad_decoder_tangent;                  /* after clipping and projection */
    uint64_t n_dead, n_dead_aux, n_dead_in_batch; /* idle for more, for at least, n batches */
};

/* A training under way. Memory: 6 L D + B (L + 8 D) floats, and lists. */
struct ss_trainer;

/* With first weights drawn from config->seed. Gives *out (ss_train_free). Errors: SS_E_USAGE,
 * SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_train_new(const struct ss_train_config *config,
                                   struct ss_trainer **out, ss_err *err);
void ss_train_free(struct ss_trainer *trainer);
const struct ss_train_config *ss_train_config_of(const struct ss_trainer *trainer);
uint64_t ss_train_steps_done(const struct ss_trainer *trainer);

/* b_dec becomes the geometric median of rows x [n, D], normalised as the config says; with
 * starts_at_rows directions are taken from them, too. */
SS_MUST_USE ss_status ss_train_set_center(struct ss_trainer *trainer, const float *x, size_t n,
                                          ss_err *err);

/* One step on rows x [n, D], 1 ≤ n ≤ batch_rows. `work` has no question to be stopped by: a
 * step is done whole. Results do not depend on the number of threads. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_train_step(struct ss_trainer *trainer, ss_work *work, const float *x,
                                    size_t n, struct ss_train_figures *figures, ss_err *err);

/* ---- what comes of it ---- */

/* The threshold with which rows x [n, D] fire top_k features each on average: midway between the
 * (top_k n)-th largest h and the next. Of jumprelu the factor for all thresholds, with which
 * they fire l0_target: the same for h over its threshold. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_train_calibrate(struct ss_trainer *trainer, ss_work *work,
                                         const float *x, size_t n, double *threshold,
                                         ss_err *err);

/* Weights as checkpoints have them: w_enc [D, L], w_dec [L, D], b_enc [L], b_dec [D],
 * log_threshold [L] or NULL. */
struct ss_train_weights {
    ss_train_kind kind; /* what they are to be read as */
    float *w_enc, *w_dec, *b_enc, *b_dec, *log_threshold;
};
/* With a threshold above 0, that of the function above, as a jumprelu SAE, whose rows do not
 * depend on one another: b_enc takes in what is subtracted from the input. Gives *out (ss_train_weights_release). */
SS_MUST_USE ss_status ss_train_export(const struct ss_trainer *trainer, double threshold,
                                      struct ss_train_weights *out, ss_err *err);
void ss_train_weights_release(struct ss_train_weights *weights);

/* The state as bytes (train_checkpoint.c). `identity` says what training it is. Restoring needs
 * a trainer of the same config, and progress->identity; cursor and metrics are written, the
 * latter a view into `bytes`. On error the trainer is of no use. Errors: SS_E_DATA (no whole
 * state), SS_E_USAGE (another identity), SS_E_NOMEM. */
struct ss_train_progress {
    struct ss_text identity, metrics;
    uint64_t cursor;
};
SS_MUST_USE ss_status ss_train_save(const struct ss_trainer *trainer,
                                    const struct ss_train_progress *progress,
                                    struct ss__buf *out, ss_err *err);
SS_MUST_USE ss_status ss_train_restore(struct ss_trainer *trainer, const char *file,
                                       struct ss_text bytes, struct ss_train_progress *progress,
                                       ss_err *err);

/* ---- the order of rows ---- */

/* A permutation of 0 … n - 1 by a keyed Feistel network: no memory, any position at once. */
struct ss_train_permutation {
    uint64_t n, key;
    unsigned half_bits;
};
struct ss_train_permutation ss_train_permutation_of(uint64_t n, uint64_t key);
uint64_t ss_train_permute(const struct ss_train_permutation *permutation, uint64_t position);

/* Row of a position p of the endless stream of epochs over n_rows rows: within an epoch, blocks
 * of 4,096 consecutive rows are permuted, and then the rows of 16 such blocks, so that rows on
 * disk are read in large pieces. */
uint64_t ss_train_row_at(uint64_t seed, uint64_t n_rows, uint64_t position);

#endif
