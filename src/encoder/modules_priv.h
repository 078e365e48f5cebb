/* What comes after the transformer: pooling, further modules, the head for masked words. */
#ifndef SS_ENCODER_MODULES_PRIV_H
#define SS_ENCODER_MODULES_PRIV_H

#include "encoder/model_folder_priv.h"
#include "encoder/transformer_priv.h"

/* ---- pooling (pooling.c) ---- */

enum { SS_ENCODER_MAX_POOLING_MODES = 12 };

struct ss_encoder_pooling {
    size_t n_modes;
    uint8_t modes[SS_ENCODER_MAX_POOLING_MODES];
    bool excludes_prompt;
};

/* path: the module's folder, or NULL for mean pooling. Errors: SS_E_DATA, SS_E_SHAPE for
 * another width than the transformer's, SS_E_UNSUPPORTED for a mode or key that is not
 * known. */
SS_MUST_USE ss_status ss_encoder_pooling_read(const char *path, size_t width,
                                              struct ss_encoder_pooling *out, ss_err *err);
/* "cls+mean", appended. */
void ss_encoder_pooling_name(const struct ss_encoder_pooling *pooling, struct ss__buf *out);
/* hidden [S, D] to out [n_sequences, n_modes * D], without the first n_skipped tokens of each
 * sequence. Sequences are shared out among the threads of `work`. */
void ss_encoder_pooling_run(const struct ss_encoder_pooling *pooling, ss_work *work,
                            const struct ss_encoder_batch *batch, size_t n_skipped,
                            size_t width, const float *hidden, float *out);

/* ---- modules after pooling (sentence_modules.c) ---- */

struct ss_encoder_module {
    const struct ss_encoder_module_kind *kind;
    size_t n_in, n_out;
    struct ss_tensor_matrix linear, residual;
    float *vectors;
    const float *bias, *gain, *shift;
    ss_tensor_activation activation;
    bool has_residual;
    uint64_t n_parameters;
};

/* Read a step that takes embeddings of n_in values. Adds its files to `encoder`. *out is
 * released (ss_encoder_module_release) after errors too. Errors: SS_E_UNSUPPORTED for a type
 * that is not read. */
SS_MUST_USE ss_status ss_encoder_module_read(const struct ss_encoder_step *step,
                                             const struct ss_log *log, size_t n_in,
                                             ss_encoder *encoder, struct ss_encoder_module *out,
                                             ss_err *err);
void ss_encoder_module_release(struct ss_encoder_module *module);
/* Whether its results have unit length; whether it changes nothing. */
bool ss_encoder_module_normalizes(const struct ss_encoder_module *module);
bool ss_encoder_module_is_identity(const struct ss_encoder_module *module);

/* Pooled rows between modules: x [n, width] in one of the two slots for pooled rows. */
struct ss_encoder_rows {
    float *x;
    size_t n;
    ss_tensor_slot slot;
};
/* rows [n, n_in] become [n, n_out], in place or in the other slot of `work`. */
SS_MUST_USE ss_status ss_encoder_module_run(const struct ss_encoder_module *module,
                                            ss_work *work, struct ss_encoder_rows *rows,
                                            ss_err *err);

/* ---- the language-model head (mask_head.c) ---- */

struct ss_encoder_mask_head {
    struct ss_tensor_matrix dense;
    float *vectors;
    float *dense_bias, *gain, *shift; /* [D] */
    float *bias;                      /* [n_vocab] */
    const float *decoder;             /* [n_vocab, D]: the words, or a matrix of its own */
    float *decoder_owned;
    ss_tensor_activation activation;
};

/* Bind the head (ss_encoder_mask_head_release). A tied decoder is a view of the words, or a
 * copy where the file has another type. Errors: SS_E_UNSUPPORTED where the model has none. */
SS_MUST_USE ss_status ss_encoder_mask_head_bind(
    struct ss_encoder_mask_head *head, const struct ss_encoder_config *config,
    const struct ss_encoder_transformer *transformer, struct ss_encoder_binder *binder,
    ss_err *err);
void ss_encoder_mask_head_release(struct ss_encoder_mask_head *head);
/* Probabilities of rows x [n, D] over the vocabulary, out [n, n_vocab]; each row adds up to
 * 1. */
SS_MUST_USE ss_status ss_encoder_mask_head_run(const ss_encoder *encoder, ss_work *work,
                                               const float *x, size_t n, float *out,
                                               ss_err *err);

#endif
