/* Keys of ModernBERT's config.json, in the form of its first release (one layer in
 * `global_attn_every_n_layers` is global, two thetas) and in the later one (`layer_types`,
 * `rope_parameters`). Defaults are those of transformers. Of the keys that are read,
 * `classifier_activation`, `classifier_bias` and `decoder_bias` belong to the head for masks.
 *
 * Global layers attend to the whole text, local ones to `local_attention` / 2 tokens on either
 * side; the two kinds have a rotary base each. */
#include <string.h>

#include "base/json.h"
#include "encoder/config_priv.h"

enum { GLOBAL, LOCAL };

const char *const ss_encoder_config_modern_keys[SS_ENCODER_N_MODERN_KEYS] = {
    /* read */
    "norm_bias",
    "attention_bias",
    "mlp_bias",
    "classifier_bias",
    "decoder_bias",
    "classifier_activation",
    "layer_types",
    "global_attn_every_n_layers",
    "local_attention",
    "sliding_window",
    "global_rope_theta",
    "local_rope_theta",
    "rope_parameters",
    "rope_scaling",
    "partial_rotary_factor",
    /* without effect */
    "embedding_dropout",
    "mlp_dropout",
    "initializer_cutoff_factor",
    "classifier_pooling",
    "deterministic_flash_attn",
    "reference_compile",
    "repad_logits_with_grad",
    "sparse_prediction",
    "sparse_pred_ignore_index",
};

/* A kind of layer in the config. */
static const struct kind_keys {
    const char *name, *theta;
    double default_theta;
} kind_keys[SS_ENCODER_N_LAYER_KINDS] = {
    [GLOBAL] = {"full_attention", "global_rope_theta", 160000},
    [LOCAL] = {"sliding_attention", "local_rope_theta", 10000},
};

/* ---- which layers are local ---- */

static ss_status read_layer_types(const char *path, const struct ss__json *types,
                                  struct ss_encoder_config *config, ss_err *err)
{
    if (!ss__json_is_array(types) || ss__json_count(types) != config->n_layers) {
        return ss__fail_file(err, path, SS_E_DATA, "'layer_types' is not a list of %zu layers",
                             config->n_layers);
    }
    for (size_t i = 0; i < config->n_layers; i++) {
        const char *name = ss__json_string(ss__json_at(types, i));
        uint8_t kind = 0;
        while (kind < SS_ENCODER_N_LAYER_KINDS &&
               (name == NULL || strcmp(name, kind_keys[kind].name) != 0)) {
            kind++;
        }
        if (kind == SS_ENCODER_N_LAYER_KINDS) {
            return ss__fail_file(
                err, path, SS_E_UNSUPPORTED,
                "entry %zu of 'layer_types' is '%s'; read are full_attention and "
                "sliding_attention",
                i, name == NULL ? "(no text)" : name);
        }
        config->kind_of[i] = kind;
    }
    return SS_OK;
}

/* The window of the attention counts keys nearer than itself, so it is one more than the
 * distance that the config allows. */
static ss_status read_layer_kinds(const char *path, const struct ss__json *json,
                                  struct ss_encoder_config *config, ss_err *err)
{
    const struct ss__json *types = ss__json_get(json, "layer_types");
    size_t every = 3;
    size_t local = 128;
    SS_RETURN_IF_ERROR(ss__json_size(path, json, "local_attention", &local, err));
    size_t to_a_side = local / 2;
    SS_RETURN_IF_ERROR(ss__json_size(path, json, "sliding_window", &to_a_side,
                                     err)); /* the class' other way */
    config->kinds[LOCAL].window = to_a_side + 1;
    if (types != NULL && !ss__json_is_null(types)) {
        SS_RETURN_IF_ERROR(read_layer_types(path, types, config, err));
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss__json_size(path, json, "global_attn_every_n_layers", &every, err));
    if (every == 0) {
        return ss__fail_file(err, path, SS_E_DATA,
                             "'global_attn_every_n_layers' is 0, expected 1 or more");
    }
    for (size_t i = 0; i < config->n_layers; i++) {
        config->kind_of[i] = i % every == 0 ? GLOBAL : LOCAL;
    }
    return SS_OK;
}

/* ---- rotary positions ---- */

/* The theta of the first form; a null local one is the global one. */
static ss_status read_theta(const char *path, const struct ss__json *json, size_t kind,
                            struct ss_encoder_config *config, ss_err *err)
{
    const struct kind_keys *keys = &kind_keys[kind];
    const struct ss__json *stated = ss__json_get(json, keys->theta);
    const bool is_null = stated != NULL && ss__json_is_null(stated);
    double *theta = &config->kinds[kind].theta;
    *theta = is_null ? config->kinds[GLOBAL].theta : keys->default_theta;
    return ss__json_number(path, json, keys->theta, theta, err);
}

/* `rope_parameters` counts over the thetas; a config that has it as one object for all layers
 * is not of this class. */
static ss_status read_rope(const char *path, const struct ss__json *json,
                           struct ss_encoder_config *config, ss_err *err)
{
    const struct ss__json *all = ss__json_get(json, "rope_parameters");
    const struct ss__json *scaling = ss__json_get(json, "rope_scaling");
    const bool has_all = all != NULL && !ss__json_is_null(all);
    if (scaling != NULL && !ss__json_is_null(scaling)) {
        return ss__fail_file(
            err, path, SS_E_UNSUPPORTED,
            "'rope_scaling' is not read; the positions of this model are stretched");
    }
    if (!ss_encoder_json_is_empty(ss__json_get(json, "partial_rotary_factor"))) {
        return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                             "'partial_rotary_factor' is not read");
    }
    if (has_all && ss__json_get(all, kind_keys[GLOBAL].name) == NULL &&
        ss__json_get(all, kind_keys[LOCAL].name) == NULL) {
        return ss__fail_file(
            err, path, SS_E_DATA,
            "'rope_parameters' has neither 'full_attention' nor 'sliding_attention'");
    }
    for (size_t i = 0; i < SS_ENCODER_N_LAYER_KINDS; i++) {
        config->kinds[i].scaling_factor = 1;
        SS_RETURN_IF_ERROR(read_theta(path, json, i, config, err));
        SS_RETURN_IF_ERROR(ss_encoder_rope_read(path, ss__json_get(all, kind_keys[i].name),
                                                &config->kinds[i], err));
    }
    return ss_encoder_rope_check(path, 1, config, err);
}

/* ---- the encoder ---- */

/* Flags are in the body already, as the family has them: a key that is absent leaves them
 * so. */
ss_status ss_encoder_config_read_modern(const char *path, const struct ss__json *json,
                                        struct ss_encoder_config *config, ss_err *err)
{
    struct ss_encoder_body *body = &config->body;
    const struct {
        const char *key;
        bool *value;
    } flags[] = {
        {"norm_bias", &body->has_norm_bias},
        {"attention_bias", &body->has_attention_bias},
        {"mlp_bias", &body->has_inner_bias},
        {"mlp_bias", &body->has_outer_bias},
        {"classifier_bias", &body->has_head_dense_bias},
        {"decoder_bias", &body->has_head_bias},
    };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        SS_RETURN_IF_ERROR(ss__json_bool(path, json, flags[i].key, flags[i].value, err));
    }
    config->head_activation = SS_TENSOR_ACT_GELU;
    SS_RETURN_IF_ERROR(ss_encoder_config_activation(path, json, "classifier_activation",
                                                    &config->head_activation, err));
    SS_RETURN_IF_ERROR(read_layer_kinds(path, json, config, err));
    return read_rope(path, json, config, err);
}
