/* Inside the encoder room: what a folder says, the weights bound to it, and the forward pass.
 * The formats are docs/spec/encoders.md; what the arithmetic promises is docs/numerics.md.
 *
 * Legend: S tokens, D width, H heads, F inner width of the feed-forward part.
 *
 * What holds for every function here: errors name the file and, where there is one, the key or
 * tensor (ss__err_about); SS_E_NOMEM is possible wherever an `ss_err` is; an open encoder is
 * not changed by running it, so any number of threads may use it, each with a workspace of its
 * own. */
#ifndef SS_ENCODER_PRIV_H
#define SS_ENCODER_PRIV_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "encoder/encoder.h"
#include "tensor/tensor.h"
#include "weights/weights.h"

/* ---- tables of keys (known_keys.c) ---- */

struct ss_encoder_key_list {
    const char *const *names; /* NULLs among them are passed over */
    size_t n;
};
#define SS_ENCODER_KEY_LIST(array)                                                             \
    {                                                                                          \
        (array), sizeof(array) / sizeof(array)[0]                                              \
    }
enum { SS_ENCODER_N_KEY_LISTS = 4 };

/* What is known of the keys of a JSON object. */
struct ss_encoder_known_keys {
    struct ss_encoder_key_list
        lists[SS_ENCODER_N_KEY_LISTS];  /* read, or without effect on embeddings */
    struct ss_encoder_key_list refused; /* they have one, and are not read */
    bool refuses_others;                /* else others are named in a warning */
    const char *where;                  /* "", or "in 'key': " */
};

/* (An exact match.) */
bool ss_encoder_keys_have(struct ss_encoder_key_list list, const char *key);

/* Check the keys of an object (nullable). Keys that begin with an underscore and keys without a
 * value (null, false, "", {}, []) are never named.
 *
 * Errors   SS_E_UNSUPPORTED: a refused key, or an unknown one where `refuses_others`
 * Note     else unknown keys are named in one warning, the first few of them; log nullable */
SS_MUST_USE ss_status ss_encoder_keys_check(const char *file, const struct ss__json *object,
                                            const struct ss_encoder_known_keys *known,
                                            const struct ss_log *log, ss_err *err);
/* null, false, "", {} or []. NULL counts as null; 0 is a value. */
bool ss_encoder_json_is_empty(const struct ss__json *value);

/* A key whose other values would mean another kind of model. */
struct ss_encoder_expected {
    const char *key, *value;
};
/* Errors: SS_E_UNSUPPORTED for another value, SS_E_DATA for one that is no text. */
SS_MUST_USE ss_status ss_encoder_json_expect(const char *file, const struct ss__json *json,
                                             struct ss_encoder_expected expected, ss_err *err);

/* A list of names for a message, of which the first few are said. *n counts all, from 0. Errors
 * stay in the buffer (ss__buf_check). */
void ss_encoder_names_add(struct ss__buf *list, size_t *n, const char *name);
void ss_encoder_names_end(struct ss__buf *list, size_t n);

/* ---- families: what differs between architectures (family.c) ---- */

/* Tensors of a layer. */
typedef enum ss_encoder_layer_tensor {
    SS_ENCODER_TENSOR_QKV, /* query, key and value as one tensor, instead of the three */
    SS_ENCODER_TENSOR_QUERY,
    SS_ENCODER_TENSOR_KEY,
    SS_ENCODER_TENSOR_VALUE,
    SS_ENCODER_TENSOR_CONTEXT, /* the output of attention */
    SS_ENCODER_TENSOR_NORM_1,
    SS_ENCODER_TENSOR_INNER_GATE, /* inner and gate as one tensor, instead of the two */
    SS_ENCODER_TENSOR_INNER,
    SS_ENCODER_TENSOR_GATE,
    SS_ENCODER_TENSOR_OUTER,
    SS_ENCODER_TENSOR_NORM_2,
    SS_ENCODER_N_LAYER_TENSORS
} ss_encoder_layer_tensor;

/* Names of a language-model head. `biases` and the decoder are alternatives, first found. */
struct ss_encoder_head_names {
    const char *dense, *norm, *decoder;
    const char *biases[3];
    bool gelu; /* exact GELU whatever the config's activation says */
};

/* Names of the tensors of a body; NULL where there is none. */
struct ss_encoder_tensor_names {
    const char *words, *positions, *types, *norm; /* of the embeddings */
    const char *layer_prefix;
    const char *layer_tensors[SS_ENCODER_N_LAYER_TENSORS];
    const char *distance_table; /* of the relative attention bias */
    const char *final_norm;
    struct ss_encoder_head_names head;
};

/* The family's names of config keys. */
struct ss_encoder_config_keys {
    const char *width, *layers, *heads, *inner, *positions;
    const char *activation; /* NULL: the family reads it */
    const char *eps;        /* NULL: the default */
    const char *types;      /* NULL: no token types */
};

/* What the class of the config sets for keys that are not there. */
struct ss_encoder_config_defaults {
    size_t width, layers, heads, vocab, positions, types;
    size_t inner;           /* 0: four times the width */
    const char *activation; /* NULL where the family reads it */
    double eps;
};

/* How a body computes, apart from its sizes. */
struct ss_encoder_body {
    bool norms_first;  /* LayerNorm before attention and feed-forward, and once at the end,
                          instead of after them */
    bool skips_a_norm; /* norms_first, but the first attention takes the embeddings' norm */
    bool is_gated;     /* feed-forward W2 (act(W1 x) * (W3 x)), instead of W2 act(W1 x) */
    bool has_rotary; /* rotary positions of queries and keys, instead of a table of positions */
    bool has_norm_bias, has_attention_bias, has_inner_bias, has_outer_bias;
    bool has_head_dense_bias, has_head_bias;
};

struct ss_encoder_config;

enum { SS_ENCODER_N_LAYOUTS = 2 };

/* One architecture, as data: nothing outside this struct asks for a model's name. */
struct ss_encoder_family {
    const char *model_type;
    const char *prefixes[3]; /* that tensor names may carry; ends with NULL */
    /* Alternatives: the keys whose width the config has, the names whose norm of the
       embeddings the file has; the first where none is met. */
    const struct ss_encoder_config_keys *keys[SS_ENCODER_N_LAYOUTS];
    const struct ss_encoder_config_defaults *defaults[SS_ENCODER_N_LAYOUTS];
    const struct ss_encoder_alias {
        const char *alias, *key;
    } * aliases; /* other names of keys, which count over them; ends with NULLs; nullable */
    struct ss_encoder_key_list own_keys; /* that `read` reads, and that have no effect */
    const struct ss_encoder_tensor_names *names[SS_ENCODER_N_LAYOUTS];
    int32_t position_pad; /* -1: positions are indices; else they count ids that are not it,
                             from position_pad + 1, and it has its own row */
    bool pad_in_config;   /* the config's `pad_token_id` comes before position_pad */
    const struct ss_encoder_body *body; /* unless the config says otherwise */
    /* Keys of its own, after the common ones; nullable. */
    ss_status (*read)(const char *path, const struct ss__json *json,
                      struct ss_encoder_config *config, ss_err *err);
};

/* The row of the table; static. NULL for an architecture that is not read. */
const struct ss_encoder_family *ss_encoder_family_find(const char *model_type);
/* The names of keys that a config uses, aliases where it has them, and what is set where they
 * are absent. Names are static. */
struct ss_encoder_config_keys ss_encoder_family_keys(const struct ss_encoder_family *family,
                                                     const struct ss__json *json);
const struct ss_encoder_config_defaults *
ss_encoder_family_defaults(const struct ss_encoder_family *family, const struct ss__json *json);
/* "mpnet, bert, …" */
const char *ss_encoder_family_list(void);
/* Whether a tensor of a model file has no part in embeddings. */
bool ss_encoder_family_ignores(const char *name);

/* ---- config.json (encoder_config.c; rope.c for rotary positions) ---- */

enum { SS_ENCODER_MAX_LAYERS = 1024, SS_ENCODER_N_LAYER_KINDS = 2 };

/* Layers of one model may differ in these. */
struct ss_encoder_layer_kind {
    double theta, scaling_factor; /* pair i of a head is rotated by
                                     position / (theta^(i / half) * scaling_factor) */
    size_t window;                /* keys nearer than this count; 0: all */
};

/* What a model is, after defaults: nothing below reads config.json again. */
struct ss_encoder_config {
    const struct ss_encoder_family *family;
    struct ss_encoder_config_keys keys; /* as this config spells them */
    const struct ss_encoder_config_defaults *defaults;
    size_t width, n_layers, n_heads, inner_width, n_vocab, n_positions, n_types;
    int32_t position_pad; /* as in the family */
    float norm_eps;
    ss_tensor_activation activation;
    ss_tensor_activation head_activation;
    ss_precision precision; /* of the layers' matrix products */
    bool ties_head;         /* the head's decoder is the table of words */
    bool is_for_generation; /* of a class that generates text */
    struct ss_encoder_body body;
    struct ss_encoder_layer_kind kinds[SS_ENCODER_N_LAYER_KINDS];
    uint8_t kind_of[SS_ENCODER_MAX_LAYERS]; /* index into kinds */
    size_t rotary_half;                     /* rotated pairs of a head */
    bool has_neighbour_pairs;               /* they are 2 i with 2 i + 1, not i with half + i */
};

/* Arguments for a reader of the transformer, of a sentence config. */
struct ss_encoder_arguments {
    const char *name, *file; /* the key, and the file that has it */
    struct ss__json *values; /* an object, or NULL */
};

/* Where a config comes from and what is laid over it. Borrowed. */
struct ss_encoder_config_source {
    const char *path;
    const struct ss_encoder_arguments
        *arguments; /* that count over the file's keys; nullable */
    struct ss_log log;
};

/* Read a config, refusing what is not read by name. Keys that are not there have the defaults
 * of the class in transformers. Errors: SS_E_NOINPUT, SS_E_DATA, SS_E_UNSUPPORTED. */
SS_MUST_USE ss_status ss_encoder_config_read(const struct ss_encoder_config_source *source,
                                             struct ss_encoder_config *out, ss_err *err);

/* Put config arguments over the keys of *json, which becomes another document; the old one is
 * freed. Of keys that have an effect, those of a single size, number or name are read, and
 * others refused. Errors: SS_E_UNSUPPORTED, and *json stays. */
SS_MUST_USE ss_status ss_encoder_config_overlay(const struct ss_encoder_config_source *source,
                                                const struct ss_encoder_family *family,
                                                struct ss__json **json, ss_err *err);
/* Name or refuse keys (config_keys.c). */
SS_MUST_USE ss_status ss_encoder_config_check_keys(
    const struct ss_encoder_config_source *source, const struct ss_encoder_family *family,
    const struct ss__json *json, ss_err *err);

/* Tokens that the table of positions can hold: not all of its rows where positions count from
 * the padding id (docs/spec/encoders.md, §2.1). */
size_t ss_encoder_config_max_tokens(const struct ss_encoder_config *config);

/* The activation of a config's name, refused by name where it is not read. Nothing is written
 * where the key is absent. */
SS_MUST_USE ss_status ss_encoder_config_activation(const char *path,
                                                   const struct ss__json *json, const char *key,
                                                   ss_tensor_activation *out, ss_err *err);

/* A key whose truth would make another model, with the reason. */
struct ss_encoder_refused_key {
    const char *key, *reason;
};
/* Refuse the first of n keys that is true. Errors: SS_E_UNSUPPORTED; SS_E_DATA for no truth
 * value. */
SS_MUST_USE ss_status ss_encoder_config_refuse(const char *path, const struct ss__json *json,
                                               const struct ss_encoder_refused_key *keys,
                                               size_t n, ss_err *err);

/* Rotary positions of `json` (the config or a part of it) into *kind: "rope_theta", "rope_type"
 * and what belongs to it; *kind keeps what is not stated. json may be NULL. Errors: SS_E_DATA,
 * SS_E_UNSUPPORTED for a type other than default and linear. */
SS_MUST_USE ss_status ss_encoder_rope_read(const char *path, const struct ss__json *json,
                                           struct ss_encoder_layer_kind *kind, ss_err *err);
/* Check that `fraction` of the heads' width can be rotated and set rotary_half. Errors:
 * SS_E_DATA for a base or factor out of range or for tables too large, SS_E_SHAPE for an odd
 * width. */
SS_MUST_USE ss_status ss_encoder_rope_check(const char *path, double fraction,
                                            struct ss_encoder_config *config, ss_err *err);

/* Keys of families (config_modern.c, config_nomic.c): the `read` of struct ss_encoder_family,
 * and its keys. */
enum { SS_ENCODER_N_MODERN_KEYS = 24, SS_ENCODER_N_NOMIC_KEYS = 42 };
extern const char *const ss_encoder_config_modern_keys[SS_ENCODER_N_MODERN_KEYS];
extern const char *const ss_encoder_config_nomic_keys[SS_ENCODER_N_NOMIC_KEYS];
SS_MUST_USE ss_status ss_encoder_config_read_modern(const char *path,
                                                    const struct ss__json *json,
                                                    struct ss_encoder_config *config,
                                                    ss_err *err);
SS_MUST_USE ss_status ss_encoder_config_read_nomic(const char *path,
                                                   const struct ss__json *json,
                                                   struct ss_encoder_config *config,
                                                   ss_err *err);

/* ---- the folder (model_folder.c, sentence_config.c) ---- */

struct ss_encoder_step {
    const char *type; /* last component: "Pooling", "Dense", … */
    const char *path; /* its folder */
};

/* The modules of a folder and the files beside them. Strings belong to `arena`, but for `path`,
 * which is borrowed, and views into the documents. */
struct ss_encoder_model_folder {
    struct ss__arena arena;
    const char *path;
    const char *transformer;       /* folder of the transformer */
    struct ss_encoder_step *steps; /* after the transformer */
    size_t n_steps;
    bool is_plain;             /* no modules.json: mean pooling is understood */
    struct ss__json *sentence; /* sentence_*_config.json, nullable */
    const char *sentence_path;
    struct {
        struct ss_encoder_arguments tokenizer, config, model;
    } arguments;              /* of the sentence config */
    struct ss__json *prompts; /* config_sentence_transformers.json, nullable */
    const char *prompts_path;
};

/* Read what a folder says about its use (ss_encoder_model_folder_release, after errors too).
 *
 * Errors   SS_E_NOINPUT: no such folder; SS_E_DATA; SS_E_UNSUPPORTED: a module that is not the
 *          library's, an order other than transformer, pooling, others, or a key that is refused
 */
SS_MUST_USE ss_status ss_encoder_model_folder_read(const char *path, const struct ss_log *log,
                                                   struct ss_encoder_model_folder *out,
                                                   ss_err *err);
/* "base/name" in the folder's arena; NULL when memory ran out. An empty name gives the base. */
const char *ss_encoder_model_folder_join(struct ss_encoder_model_folder *folder,
                                         const char *base, const char *name);
/* Read the sentence config of folder->transformer, with its arguments (sentence_config.c). None
 * at all is no error. */
SS_MUST_USE ss_status ss_encoder_sentence_config_read(struct ss_encoder_model_folder *folder,
                                                      const struct ss_log *log, ss_err *err);
void ss_encoder_model_folder_release(struct ss_encoder_model_folder *folder);

/* The limit that the sentence config states in tokens, 0 if it states none, SIZE_MAX if it
 * states that there is none (docs/spec/encoders.md, §1.2, rule 1). */
SS_MUST_USE ss_status ss_encoder_model_folder_limit(
    const struct ss_encoder_model_folder *folder, size_t *limit, ss_err *err);

/* The prompt that the options and the folder ask for: a view of either, "" if none. Errors:
 * SS_E_USAGE for a name that the caller gave, SS_E_DATA for a default that the folder lacks. */
SS_MUST_USE ss_status ss_encoder_model_folder_prompt(
    const struct ss_encoder_model_folder *folder, const struct ss_encoder_options *options,
    const char **prompt, ss_err *err);

/* Values of an embedding that the options or the folder want kept; 0: all. May be more than
 * there are. */
SS_MUST_USE ss_status ss_encoder_model_folder_truncation(
    const struct ss_encoder_model_folder *folder, const struct ss_encoder_options *options,
    size_t *n_kept, ss_err *err);

/* ---- adapters (adapter.c) ---- */

/* Where an adapter is: strings of an arena; `file` NULL: there is none. */
struct ss_encoder_adapter_files {
    const char *file;    /* adapter_config.json */
    const char *weights; /* "" where they are missing */
    const char *base;    /* the model that it was made for: a folder or a name; "" */
};

/* An open adapter: what becomes of each tensor that it changes. */
struct ss_encoder_adapter {
    struct ss_weights *weights;
    struct ss__arena arena;
    struct ss_encoder_adapter_delta {
        const char *name;                      /* of the tensor, plain */
        const struct ss_weights_tensor *whole; /* what it becomes, nullable */
        const struct ss_weights_tensor *a, *b; /* a product that is added, nullable */
        double scale;
        bool is_table;
    } * deltas;
    size_t n;
};

/* Look for an adapter in a folder. Errors: those of reading; SS_E_DATA for weights alone. */
SS_MUST_USE ss_status ss_encoder_adapter_find(const char *folder, struct ss__arena *arena,
                                              struct ss_encoder_adapter_files *out,
                                              ss_err *err);
/* Gives *out (ss_encoder_adapter_free). `prefixes` are the family's, so that names meet the
 * binder's. Errors: SS_E_UNSUPPORTED for kinds that are not read, by name; SS_E_DATA,
 * SS_E_SHAPE, SS_E_NOINPUT; SS_E_LIMIT for more tensors than are read. */
SS_MUST_USE ss_status ss_encoder_adapter_open(const struct ss_encoder_adapter_files *place,
                                              const char *const *prefixes,
                                              const struct ss_log *log,
                                              struct ss_encoder_adapter **out, ss_err *err);
void ss_encoder_adapter_free(struct ss_encoder_adapter *adapter); /* nullable */

/* Apply a delta to *values, of `shape`; they become *owned (ss__free). A delta that replaces
 * the tensor is read from the adapter; a product is added to a copy. Released on error.
 * Threads: any. */
SS_MUST_USE ss_status ss_encoder_adapter_apply(const struct ss_encoder_adapter *adapter,
                                               const struct ss_encoder_adapter_delta *delta,
                                               size_t n_dims, const uint64_t *shape,
                                               const float **values, float **owned,
                                               ss_err *err);

/* ---- binding tensors to names (bind.c) ---- */

/* The tensors of a container under their plain names: without prefixes, with `weight` and
 * `bias` for old spellings. Different names may be bound in different threads. */
struct ss_encoder_binder {
    const struct ss_weights *weights;
    const struct ss_encoder_adapter *adapter; /* nullable */
    struct ss__arena arena;
    struct ss_encoder_binder_entry {
        const char *name;
        const struct ss_weights_tensor *tensor;
        const struct ss_encoder_adapter_delta *delta; /* nullable */
        bool is_used;
    } * entries; /* by name */
    size_t n;
    struct ss__pool *pool;     /* that packs layers */
    struct ss__asking *asking; /* nullable; of the calling thread */
};

/* prefixes: nullable, ends with NULL; stripped with "module." wherever a name begins with one
 * of them and a dot. The binder is released (ss_encoder_binder_release) after errors too; it
 * borrows `weights`. Errors: SS_E_DATA where two tensors have one plain name. */
SS_MUST_USE ss_status ss_encoder_binder_init(struct ss_encoder_binder *binder,
                                             const struct ss_weights *weights,
                                             const char *const *prefixes, ss_err *err);
/* From here on tensors are bound as the adapter (nullable, borrowed) changes them. Fails for a
 * tensor that is not there, unless `ignores` it. */
SS_MUST_USE ss_status ss_encoder_binder_adapt(struct ss_encoder_binder *binder,
                                              const struct ss_encoder_adapter *adapter,
                                              bool (*ignores)(const char *name), ss_err *err);
void ss_encoder_binder_release(struct ss_encoder_binder *binder);
/* A tensor's name without prefixes, as the binder knows it; NULL when memory ran out. */
const char *ss_encoder_plain_name(struct ss__arena *arena, const char *name,
                                  const char *const *prefixes);
/* Refuse a view that shows stored numbers more than once. Errors: SS_E_UNSUPPORTED. */
SS_MUST_USE ss_status ss_encoder_check_stored(const struct ss_weights *weights,
                                              const struct ss_weights_tensor *tensor,
                                              ss_err *err);
bool ss_encoder_binder_has(const struct ss_encoder_binder *binder, const char *name);

/* A tensor of n_dims dimensions as ss_weights_view_f32 gives it, changed by the adapter.
 *
 * Ownership  *out is *owned (ss__free), or where *owned is NULL a view of the file
 * Errors     SS_E_DATA: no such tensor; SS_E_SHAPE: of another shape; SS_E_UNSUPPORTED: of a
 *            type that is not read
 * Threads    different names in different threads */
SS_MUST_USE ss_status ss_encoder_bind_view(struct ss_encoder_binder *binder, const char *name,
                                           size_t n_dims, const uint64_t *shape,
                                           const float **out, float **owned, ss_err *err);
/* A matrix of which single rows are needed; *out (ss_weights_table_release) reads them from the
 * file where it can, and is in memory where an adapter changes it. */
SS_MUST_USE ss_status ss_encoder_bind_table(struct ss_encoder_binder *binder, const char *name,
                                            const uint64_t shape[2],
                                            struct ss_weights_table *out, ss_err *err);
/* A vector, copied to `out` [n]. */
SS_MUST_USE ss_status ss_encoder_bind_vector(struct ss_encoder_binder *binder, const char *name,
                                             size_t n, float *out, ss_err *err);
/* Outputs from … from + n - 1 of a [n_stored, n_in] tensor as outputs `at` … of a matrix. */
struct ss_encoder_bound_rows {
    size_t n_stored, n_in, from, n, at;
    size_t n_total;      /* outputs that the matrix is made with when it is still empty */
    const size_t *order; /* [n] which row, counted from `from`, comes where; NULL: in order */
};
/* The squares of the weights of some rows, added by input to sums [n_in]. rows->order is
 * without effect. */
SS_MUST_USE ss_status ss_encoder_bind_squares(struct ss_encoder_binder *binder,
                                              const char *name,
                                              const struct ss_encoder_bound_rows *rows,
                                              float *sums, ss_err *err);
/* Pack some rows of a tensor into a matrix, which is made where it is still empty. The pages of
 * the tensor in the file leave memory. */
SS_MUST_USE ss_status ss_encoder_bind_rows(struct ss_encoder_binder *binder, const char *name,
                                           const struct ss_encoder_bound_rows *rows,
                                           ss_precision precision,
                                           struct ss_tensor_matrix *matrix, ss_err *err);
/* All of a [n_out, n_in] tensor, at SS_PRECISION_HIGHEST: for what is not a layer. */
SS_MUST_USE ss_status ss_encoder_bind_matrix(struct ss_encoder_binder *binder, const char *name,
                                             size_t n_out, size_t n_in,
                                             struct ss_tensor_matrix *matrix, ss_err *err);
/* Tell of tensors that were neither bound nor are ignored by `ignores`: in a warning that names
 * them, or where `ignores` is NULL as an error. Adds the elements of all bound ones to
 * *n_parameters. */
SS_MUST_USE ss_status ss_encoder_binder_finish(const struct ss_encoder_binder *binder,
                                               bool (*ignores)(const char *name),
                                               const struct ss_log *log, uint64_t *n_parameters,
                                               ss_err *err);

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

/* ---- the encoder ---- */

struct ss_encoder {
    struct ss__arena arena; /* strings */
    const char *path, *name, *source, *commit, *prompt, *pooling_name;
    const char **files;
    struct ss__file_facts *facts; /* of them, when they were read */
    size_t n_files, files_capacity, facts_capacity;
    struct ss_encoder_config config;
    struct ss_tokenizer *tokenizer;
    struct ss_tokenizer *mask_tokenizer; /* for masks; often the same */
    struct ss_weights *weights;          /* open: the table of words stays in the file */
    struct ss_encoder_adapter *adapter;  /* merged into them; nullable */
    struct ss_encoder_transformer transformer;
    struct ss_encoder_pooling pooling;
    struct ss_encoder_module *modules;
    size_t n_modules;
    struct ss_encoder_mask_head head;
    bool has_head;
    size_t max_tokens;
    size_t n_prompt_ids; /* to be left out of pooling */
    size_t width;        /* of what is given out */
    size_t full_width;   /* before truncation */
    uint64_t n_parameters;
};

/* The tokenizer's scratch that `work` keeps, made if there is none yet; borrowed. Each call
 * that took it ends with ss_encoder_scratch_end, which drops what failed or grew too large.
 *
 * Errors   SS_E_NOMEM
 * Threads  those of `work` */
SS_MUST_USE ss_status ss_encoder_scratch(ss_work *work, struct ss_tokenizer_token_scratch **out,
                                         ss_err *err);
void ss_encoder_scratch_end(ss_work *work, ss_status status);

/* Remember a file that was read; a copy is kept. `facts` NULL: as it is now. */
SS_MUST_USE ss_status ss_encoder_add_file(ss_encoder *encoder, const char *path,
                                          const struct ss__file_facts *facts, ss_err *err);
/* The same for all files of a container. */
SS_MUST_USE ss_status ss_encoder_add_weights(ss_encoder *encoder,
                                             const struct ss_weights *weights, ss_err *err);

#endif
