/* Inside the encoder room: what a folder says, the weights bound to it, and the forward pass.
 *
 * Legend: S tokens, D width, H heads, F inner width of the feed-forward part. */
#ifndef SS_ENCODER_PRIV_H
#define SS_ENCODER_PRIV_H

#include <jansson.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "encoder/encoder.h"
#include "tensor/tensor.h"
#include "weights/weights.h"

/* ---- families: what differs between architectures (family.c) ---- */

typedef enum ss__part {
    SS__PART_QUERY,
    SS__PART_KEY,
    SS__PART_VALUE,
    SS__PART_CONTEXT, /* the output of attention */
    SS__PART_NORM_1,
    SS__PART_INNER,
    SS__PART_OUTER,
    SS__PART_NORM_2,
    SS__N_PARTS
} ss__part;

/* Names of a language-model head. `biases` and the decoder are alternatives, first found. */
struct ss__head_names {
    const char *dense, *norm, *decoder;
    const char *biases[3];
    bool gelu; /* exact GELU whatever the config's activation says */
};

struct ss__family {
    const char *model_type; /* also the prefix that tensor names may carry */
    const char *key_width, *key_layers, *key_heads, *key_inner, *key_activation;
    const char *key_eps;   /* NULL: fixed_eps */
    const char *key_types; /* NULL: no token types */
    double fixed_eps;
    int32_t position_pad; /* -1: positions are indices; else they count ids that are not it,
                             from position_pad + 1, and it has its own row */
    const char *layer_prefix;
    const char *parts[SS__N_PARTS];
    const char *distance_table; /* of the relative attention bias, or NULL */
    struct ss__head_names head;
};

/* NULL for an architecture that is not read. */
const struct ss__family *ss__family_find(const char *model_type);
/* "mpnet, bert, distilbert" */
const char *ss__family_list(void);
/* Whether a tensor of a model file has no part in embeddings. */
bool ss__family_ignores(const char *name);

/* ---- config.json (encoder_config.c) ---- */

struct ss__encoder_config {
    const struct ss__family *family;
    size_t width, n_layers, n_heads, inner_width, n_vocab, n_positions, n_types;
    float norm_eps;
    ss__activation activation;
    bool ties_head; /* the head's decoder is the table of words */
};

/* Read `path`, refusing what is not read by name. Errors: SS_E_NOINPUT, SS_E_DATA with the
 * missing key, SS_E_UNSUPPORTED. */
SS_MUST_USE ss_status ss__encoder_config_read(const char *path, struct ss__encoder_config *out,
                                              ss_err *err);

/* Tokens that the table of positions can hold. */
size_t ss__encoder_config_max_tokens(const struct ss__encoder_config *config);

/* ---- the folder (model_folder.c) ---- */

struct ss__step {
    const char *type; /* last component: "Pooling", "Dense", … */
    const char *path; /* its folder */
};

/* The modules of a folder and the files beside them. Strings belong to `arena`. */
struct ss__model_folder {
    struct ss__arena arena;
    const char *path;
    const char *transformer; /* folder of the transformer */
    struct ss__step *steps;  /* after the transformer */
    size_t n_steps;
    bool is_plain;    /* no modules.json: mean pooling is understood */
    json_t *sentence; /* sentence_*_config.json, nullable */
    const char *sentence_path;
    json_t *prompts; /* config_sentence_transformers.json, nullable */
    const char *prompts_path;
};

SS_MUST_USE ss_status ss__model_folder_read(const char *path, struct ss__model_folder *out,
                                            ss_err *err);
void ss__model_folder_release(struct ss__model_folder *folder);

/* The limit that the folder states, 0 if it states none (encoders.md 1.2, rule 1). */
SS_MUST_USE ss_status ss__model_folder_limit(const struct ss__model_folder *folder,
                                             size_t *limit, ss_err *err);

/* The prompt that the options and the folder ask for: a view, "" if none. */
SS_MUST_USE ss_status ss__model_folder_prompt(const struct ss__model_folder *folder,
                                              const struct ss_encoder_options *options,
                                              const char **prompt, ss_err *err);

/* ---- binding tensors to names (bind.c) ---- */

/* The tensors of a container under their plain names: without prefixes, with `weight` and
 * `bias` for old spellings. Different names may be bound in different threads. */
struct ss__binder {
    const struct ss__weights *weights;
    struct ss__arena arena;
    struct ss__binder_entry {
        const char *name;
        const struct ss__tensor *tensor;
        bool is_used;
    } * entries; /* by name */
    size_t n;
};

/* prefix: nullable, stripped with "module." wherever a name begins with it and a dot. */
SS_MUST_USE ss_status ss__binder_init(struct ss__binder *binder,
                                      const struct ss__weights *weights, const char *prefix,
                                      ss_err *err);
void ss__binder_release(struct ss__binder *binder);
bool ss__binder_has(const struct ss__binder *binder, const char *name);

/* A tensor of n_dims dimensions as ss__weights_view_f32 gives it. */
SS_MUST_USE ss_status ss__bind_view(struct ss__binder *binder, const char *name, size_t n_dims,
                                    const uint64_t *shape, const float **out, float **owned,
                                    ss_err *err);
/* A vector, copied to `out` [n]. */
SS_MUST_USE ss_status ss__bind_vector(struct ss__binder *binder, const char *name, size_t n,
                                      float *out, ss_err *err);
/* A [n_out, n_in] tensor as outputs `at` … of `matrix`, which is made with n_total outputs when
 * it is still empty. Its pages in the file leave memory. */
SS_MUST_USE ss_status ss__bind_matrix(struct ss__binder *binder, const char *name, size_t n_out,
                                      size_t n_in, size_t at, size_t n_total,
                                      struct ss__matrix *matrix, ss_err *err);
/* Let the pages of a bound tensor leave memory, once it has been copied. */
void ss__bind_forget(const struct ss__binder *binder, const char *name);
/* Fails for a tensor that was neither bound nor is ignored by `ignores` (nullable). Adds the
 * elements of all bound ones to *n_parameters. */
SS_MUST_USE ss_status ss__binder_finish(const struct ss__binder *binder,
                                        bool (*ignores)(const char *name),
                                        uint64_t *n_parameters, ss_err *err);

/* ---- the transformer (transformer.c: binding, forward.c: running) ---- */

struct ss__layer {
    struct ss__matrix qkv, context, inner, outer;
    float *vectors; /* one block; the others point into it */
    float *qkv_bias, *context_bias, *inner_bias, *outer_bias;
    float *gain_1, *shift_1, *gain_2, *shift_2;
};

struct ss__transformer {
    const float *words; /* [n_vocab, D], in the file where it holds f32 */
    float *words_owned;
    const float *positions; /* [n_positions, D] */
    float *positions_owned;
    float *vectors;             /* one block for the three below */
    float *type, *gain, *shift; /* [D]; type NULL where there are none */
    float *distance_bias;       /* [H, 2 * SS__MAX_DISTANCE + 1] or NULL */
    struct ss__layer *layers;   /* [n_layers] */
};

/* Beyond this distance all keys share one bias (encoders.md 2.2). */
enum { SS__MAX_DISTANCE = 91 };

SS_MUST_USE ss_status ss__transformer_bind(struct ss__transformer *transformer,
                                           const struct ss__encoder_config *config,
                                           struct ss__binder *binder, ss_err *err);
void ss__transformer_release(struct ss__transformer *transformer, size_t n_layers);

/* A run of sequences: ids [S], sequence s has ids offsets[s] … offsets[s + 1] - 1. */
struct ss__batch {
    const int32_t *ids;
    const size_t *offsets;
    size_t n_sequences;
};

/* Last hidden states of a batch whose offsets begin with 0; *hidden [S, D] is scratch of `work`
 * until its next use. */
SS_MUST_USE ss_status ss__transformer_run(const ss_encoder *encoder, ss_work *work,
                                          const struct ss__batch *batch, float **hidden,
                                          ss_err *err);

/* ---- pooling (pooling.c) ---- */

enum { SS__MAX_POOLING_MODES = 12 };

struct ss__pooling {
    size_t n_modes;
    uint8_t modes[SS__MAX_POOLING_MODES];
    bool excludes_prompt;
};

/* path: the module's folder, or NULL for mean pooling. */
SS_MUST_USE ss_status ss__pooling_read(const char *path, size_t width, struct ss__pooling *out,
                                       ss_err *err);
/* "cls+mean", appended. */
void ss__pooling_name(const struct ss__pooling *pooling, struct ss__buf *out);
/* hidden [S, D] to out [n_sequences, n_modes * D], without the first n_skipped tokens. */
void ss__pooling_run(const struct ss__pooling *pooling, ss_work *work,
                     const struct ss__batch *batch, size_t n_skipped, size_t width,
                     const float *hidden, float *out);

/* ---- modules after pooling (sentence_modules.c) ---- */

struct ss__module {
    const struct ss__module_kind *kind;
    size_t n_in, n_out;
    struct ss__matrix linear, residual;
    float *vectors;
    const float *bias, *gain, *shift;
    ss__activation activation;
    bool has_residual;
    uint64_t n_parameters;
};

/* Read a step that takes embeddings of n_in values. Adds its files to `encoder`. */
SS_MUST_USE ss_status ss__module_read(const struct ss__step *step, size_t n_in,
                                      ss_encoder *encoder, struct ss__module *out, ss_err *err);
void ss__module_release(struct ss__module *module);
bool ss__module_normalizes(const struct ss__module *module);
bool ss__module_is_identity(const struct ss__module *module);

/* Embeddings on their way: x [n, width] in one of the two slots for pooled rows. */
struct ss__rows {
    float *x;
    size_t n;
    ss__slot slot;
};
/* rows [n, n_in] become [n, n_out], in place or in the other slot. */
SS_MUST_USE ss_status ss__module_run(const struct ss__module *module, ss_work *work,
                                     struct ss__rows *rows, ss_err *err);

/* ---- the language-model head (mask_head.c) ---- */

struct ss__mask_head {
    struct ss__matrix dense;
    float *vectors;
    float *dense_bias, *gain, *shift; /* [D] */
    float *bias;                      /* [n_vocab] */
    const float *decoder;             /* [n_vocab, D]: the words, or a matrix of its own */
    float *decoder_owned;
    ss__activation activation;
};

SS_MUST_USE ss_status ss__mask_head_bind(struct ss__mask_head *head,
                                         const struct ss__encoder_config *config,
                                         const float *words, struct ss__binder *binder,
                                         ss_err *err);
void ss__mask_head_release(struct ss__mask_head *head);
/* Probabilities of rows x [n, D] over the vocabulary, out [n, n_vocab]. */
SS_MUST_USE ss_status ss__mask_head_run(const ss_encoder *encoder, ss_work *work,
                                        const float *x, size_t n, float *out, ss_err *err);

/* ---- the whole ---- */

struct ss_encoder {
    struct ss__arena arena; /* strings */
    const char *path, *name, *prompt, *pooling_name;
    const char **files;
    size_t n_files, n_files_room;
    struct ss__encoder_config config;
    struct ss__tokenizer *tokenizer;
    struct ss__tokenizer *mask_tokenizer; /* for masks; often the same */
    struct ss__weights *weights;          /* open: the table of words stays in the file */
    struct ss__transformer transformer;
    struct ss__pooling pooling;
    struct ss__module *modules;
    size_t n_modules;
    struct ss__mask_head head;
    bool has_head;
    size_t max_tokens;
    size_t n_prompt_ids; /* to be left out of pooling */
    size_t width;
    uint64_t n_parameters;
};

/* Remember a file that was read; a copy is kept. */
SS_MUST_USE ss_status ss__encoder_add_file(ss_encoder *encoder, const char *path, ss_err *err);
/* The same for all files of a container. */
SS_MUST_USE ss_status ss__encoder_add_weights(ss_encoder *encoder,
                                              const struct ss__weights *weights, ss_err *err);

#endif
