/* What the configuration of a model says: tables of keys, the families and config.json
 * (docs/spec/encoders.md). What holds for every function of the room: encoder_priv.h. */
#ifndef SS_ENCODER_CONFIG_PRIV_H
#define SS_ENCODER_CONFIG_PRIV_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "tensor/tensor.h"
#include "weights/weights.h"

struct ss__json;

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

/* The activation that transformers calls so (ACT2FN). False: another one. */
bool ss_encoder_config_find_activation(const char *name, ss_tensor_activation *out);
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

#endif
