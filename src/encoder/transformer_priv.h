/* The transformer: its weights as they are bound, and running it.
 * Legend: S tokens, D width, H heads, F inner width of the feed-forward part. */
#ifndef SS_ENCODER_TRANSFORMER_PRIV_H
#define SS_ENCODER_TRANSFORMER_PRIV_H

#include "encoder/bind_priv.h"
#include "encoder/encoder.h"

/* ---- the transformer (transformer.c and layers.c: binding, forward.c: running) ---- */

/* Vectors are NULL where the body has none; a norm without bias has a shift of zeros. */
struct ss_encoder_layer {
    struct ss_tensor_matrix qkv, context, inner, gate, outer;
    float *vectors; /* one block; the others point into it */
    float *qkv_bias, *context_bias, *inner_bias, *gate_bias, *outer_bias;
    float *gain_1, *shift_1, *gain_2, *shift_2;
};

struct ss_encoder_transformer {
    const struct ss_encoder_tensor_names *names;
    struct ss_weights_table words; /* [n_vocab, D] */
    const float *positions;        /* [n_positions, D], or NULL: rotary */
    float *positions_owned;
    float *vectors;                  /* one block for those below */
    float *type, *gain, *shift;      /* [D]; type NULL where there are none */
    float *final_gain, *final_shift; /* [D], or NULL */
    float *distance_bias;            /* [H, 2 * SS_ENCODER_MAX_DISTANCE + 1] or NULL */
    float *rope_tables
        [SS_ENCODER_N_LAYER_KINDS];  /* [2, n_positions, rotary_half]: cosines, sines */
    struct ss_encoder_layer *layers; /* [n_layers] */
};

/* Beyond this distance all keys share one bias (docs/spec/encoders.md 2.2). */
enum { SS_ENCODER_MAX_DISTANCE = 91 };

/* Bind all weights of a body (ss_encoder_transformer_release, after errors too). It borrows the
 * weights of the binder where a table stays in the file. Errors: as of ss_encoder_bind_view. */
SS_MUST_USE ss_status ss_encoder_transformer_bind(struct ss_encoder_transformer *transformer,
                                                  const struct ss_encoder_config *config,
                                                  struct ss_encoder_binder *binder,
                                                  ss_err *err);
void ss_encoder_transformer_release(struct ss_encoder_transformer *transformer,
                                    size_t n_layers);

/* The layers alone (layers.c), bound and packed in parallel. */
SS_MUST_USE ss_status ss_encoder_layers_bind(struct ss_encoder_transformer *transformer,
                                             const struct ss_encoder_config *config,
                                             struct ss_encoder_binder *binder, ss_err *err);
void ss_encoder_layers_release(struct ss_encoder_layer *layers, size_t n_layers);

/* The inputs of a layer that are measured, channel by channel. */
typedef enum ss_encoder_measured_input {
    SS_ENCODER_INPUT_OF_ATTENTION,
    SS_ENCODER_INPUT_OF_FEED_FORWARD,
    SS_ENCODER_N_MEASURED_INPUTS
} ss_encoder_measured_input;

/* Pack the matrices again that take measured inputs, smoothed for the root mean squares
 * input_rms [n_layers, SS_ENCODER_N_MEASURED_INPUTS, D] of their channels. Matters only where
 * ss_tensor_precision_uses_smoothing. */
SS_MUST_USE ss_status ss_encoder_layers_smooth(struct ss_encoder_transformer *transformer,
                                               const struct ss_encoder_config *config,
                                               struct ss_encoder_binder *binder,
                                               const float *input_rms, ss_err *err);

/* The same for inputs measured on a few fixed texts (smoothing.c), where the
 * encoder's precision is better for it. Takes a bound transformer and a tokenizer; the bytes
 * of what is packed depend on the model and the kind of numbers alone. */
SS_MUST_USE ss_status ss_encoder_smooth(ss_encoder *encoder, struct ss_encoder_binder *binder,
                                        ss_work *work, ss_err *err);

/* Whether the model can take ids. Errors: SS_E_DATA, where it has no row of word embeddings for
 * one of them; SS_E_UNSUPPORTED, where the tokenizer gives types that it would have to add. */
SS_MUST_USE ss_status ss_encoder_check_ids(const ss_encoder *encoder,
                                           const struct ss_tokenizer *tokenizer,
                                           const int32_t *ids, size_t n_ids, ss_err *err);

/* Cosines and sines of all positions for the kinds of layers that the config has; owned by the
 * transformer. What is made already stays. */
SS_MUST_USE ss_status ss_encoder_rope_make(const struct ss_encoder_config *config,
                                           float *rope_tables[SS_ENCODER_N_LAYER_KINDS],
                                           ss_err *err);

/* A run of sequences: ids [S], sequence s has ids offsets[s] … offsets[s + 1] - 1. */
struct ss_encoder_batch {
    const int32_t *ids;
    const size_t *offsets;
    size_t n_sequences;
    float *squares; /* [n_layers, SS_ENCODER_N_MEASURED_INPUTS, D]: the squares of the
                       layers' inputs are added to it; or NULL */
};

/* Last hidden states of a batch whose offsets begin with 0; *hidden [S, D] is scratch of `work`
 * until its next use. No row depends on what else is in the batch.
 *
 * Errors   SS_E_NOMEM, SS_E_STOPPED, SS_E_IO for a table in the file */
SS_MUST_USE ss_status ss_encoder_transformer_run(const ss_encoder *encoder, ss_work *work,
                                                 const struct ss_encoder_batch *batch,
                                                 float **hidden, ss_err *err);

#endif
