/* Keys of Nomic-BERT's config.json: as it was published with its own code (GPT-2's names, many
 * switches), and as transformers 5 reads it. Defaults are those of the two. */
#include <string.h>

#include "base/json.h"
#include "encoder/config_priv.h"

enum { MAX_TYPES = 1 << 16 };

const char *const ss_encoder_config_nomic_keys[SS_ENCODER_N_NOMIC_KEYS] = {
    /* read */
    "activation_function",
    "prenorm",
    "parallel_block",
    "use_rms_norm",
    "causal",
    "scale_attn_by_inverse_layer_idx",
    "scale_attn_weights",
    "num_experts",
    "moe_every_n_layers",
    "num_heads_kv",
    "rotary_scaling_factor",
    "max_trained_positions",
    "rotary_emb_scale_base",
    "rotary_emb_base",
    "rotary_emb_interleaved",
    "rotary_emb_fraction",
    "qkv_proj_bias",
    "mlp_fc1_bias",
    "mlp_fc2_bias",
    "type_vocab_size",
    "head_dim",
    "rope_theta",
    "rope_parameters",
    "rope_scaling",
    /* without effect */
    "partial_rotary_factor",
    "attn_pdrop",
    "embd_pdrop",
    "resid_pdrop",
    "fused_bias_fc",
    "fused_dropout_add_ln",
    "use_xentropy",
    "dense_seq_output",
    "pad_vocab_size_multiple",
    "parallel_block_tied_norm",
    "expert_choice_router",
    "ffn_div",
    "moe_impl",
    "moe_normalize_expert_weights",
    "moe_resid_pdrop",
    "moe_top_k",
    "num_shared_experts",
    "router_aux_loss_coef",
};

/* ---- as published ---- */

/* The gated activations: what is applied to the gate's half. */
static const struct {
    const char *name;
    ss_tensor_activation activation;
} gates[] = {
    {"swiglu", SS_TENSOR_ACT_SILU},
    {"geglu", SS_TENSOR_ACT_GELU},
    {"glu", SS_TENSOR_ACT_SIGMOID},
};

/* The published class makes the head's activation of the same key: SiLU for swiglu, GELU
 * else. */
static ss_status read_gate(const char *path, const struct ss__json *json,
                           struct ss_encoder_config *config, ss_err *err)
{
    const char *name = "";
    SS_RETURN_IF_ERROR(ss__json_need(path, json, "activation_function", err));
    SS_RETURN_IF_ERROR(ss__json_text(path, json, "activation_function", &name, err));
    for (size_t i = 0; i < sizeof gates / sizeof gates[0]; i++) {
        if (strcmp(name, gates[i].name) == 0) {
            config->activation = gates[i].activation;
            config->head_activation = config->activation == SS_TENSOR_ACT_SILU
                                          ? SS_TENSOR_ACT_SILU
                                          : SS_TENSOR_ACT_GELU;
            return SS_OK;
        }
    }
    return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                         "'activation_function' is '%s'; read are swiglu, geglu and glu", name);
}

/* Switches of the published code that published models leave off. Each would be another
 * formula. */
static ss_status refuse_switches(const char *path, const struct ss__json *json,
                                 const struct ss_encoder_config *config, ss_err *err)
{
    static const struct ss_encoder_refused_key switches[] = {
        {"prenorm", "norms before attention are not read in this architecture"},
        {"parallel_block", "attention and feed-forward side by side are not read"},
        {"use_rms_norm", "only LayerNorm is read"},
        {"causal", "only encoders without causal masks are read"},
        {"scale_attn_by_inverse_layer_idx", "scores are scaled alike in all layers"},
    };
    bool scales = true;
    size_t n_experts = 0;
    size_t every = 0;
    size_t n_key_heads = config->n_heads;
    SS_RETURN_IF_ERROR(ss_encoder_config_refuse(path, json, switches,
                                                sizeof switches / sizeof switches[0], err));
    SS_RETURN_IF_ERROR(ss__json_bool(path, json, "scale_attn_weights", &scales, err));
    if (!scales) {
        return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                             "'scale_attn_weights' is false; scores are always scaled");
    }
    SS_RETURN_IF_ERROR(ss__json_size(path, json, "num_experts", &n_experts, err));
    SS_RETURN_IF_ERROR(ss__json_size(path, json, "moe_every_n_layers", &every, err));
    if (n_experts > 0 && every > 0) {
        return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                             "'num_experts' is %zu; mixtures of experts are not read",
                             n_experts);
    }
    SS_RETURN_IF_ERROR(ss__json_size(path, json, "num_heads_kv", &n_key_heads, err));
    if (n_key_heads != config->n_heads) {
        return ss__fail_file(
            err, path, SS_E_UNSUPPORTED,
            "'num_heads_kv' is %zu, 'n_head' %zu; heads that share keys are not read",
            n_key_heads, config->n_heads);
    }
    return SS_OK;
}

/* Beyond the trained positions the published code stretches all of them by the longest text of
 * a batch, so that a result would depend on its company: texts are cut to the trained ones. */
static ss_status read_scaling_factor(const char *path, const struct ss__json *json,
                                     struct ss_encoder_config *config, ss_err *err)
{
    double scaling_factor = 0;
    size_t n_trained = 2048;
    const struct ss__json *scale_base = ss__json_get(json, "rotary_emb_scale_base");
    SS_RETURN_IF_ERROR(
        ss__json_number(path, json, "rotary_scaling_factor", &scaling_factor, err));
    SS_RETURN_IF_ERROR(ss__json_size(path, json, "max_trained_positions", &n_trained, err));
    if (scale_base != NULL && !ss__json_is_null(scale_base)) {
        return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                             "'rotary_emb_scale_base' is not read");
    }
    if (scaling_factor != 0 && n_trained < config->n_positions) {
        config->n_positions = n_trained;
    }
    return SS_OK;
}

/* Defaults are those of GPT-2's config class and of the code beside it: biases everywhere, two
 * token types, and no rotation, which ss_encoder_rope_check then refuses. */
static ss_status read_published(const char *path, const struct ss__json *json,
                                struct ss_encoder_config *config, ss_err *err)
{
    struct ss_encoder_body *body = &config->body;
    struct ss_encoder_layer_kind *kind = &config->kinds[0];
    double fraction = 0;
    body->has_attention_bias = body->has_inner_bias = body->has_outer_bias = true;
    config->n_types = 2;
    kind->theta = 10000;
    SS_RETURN_IF_ERROR(refuse_switches(path, json, config, err));
    SS_RETURN_IF_ERROR(read_gate(path, json, config, err));
    SS_RETURN_IF_ERROR(
        ss__json_bool(path, json, "qkv_proj_bias", &body->has_attention_bias, err));
    SS_RETURN_IF_ERROR(ss__json_bool(path, json, "mlp_fc1_bias", &body->has_inner_bias, err));
    SS_RETURN_IF_ERROR(ss__json_bool(path, json, "mlp_fc2_bias", &body->has_outer_bias, err));
    SS_RETURN_IF_ERROR(ss__json_size(path, json, "type_vocab_size", &config->n_types, err));
    if (config->n_types > MAX_TYPES) {
        return ss__fail_file(err, path, SS_E_DATA,
                             "'type_vocab_size' is %zu, expected at most %d", config->n_types,
                             MAX_TYPES);
    }
    SS_RETURN_IF_ERROR(ss__json_number(path, json, "rotary_emb_base", &kind->theta, err));
    SS_RETURN_IF_ERROR(
        ss__json_bool(path, json, "rotary_emb_interleaved", &config->has_neighbour_pairs, err));
    SS_RETURN_IF_ERROR(read_scaling_factor(path, json, config, err));
    SS_RETURN_IF_ERROR(ss__json_number(path, json, "rotary_emb_fraction", &fraction, err));
    return ss_encoder_rope_check(path, fraction, config, err);
}

/* ---- as transformers reads it ---- */

/* Biases, types and activation are the family's and the common keys' matter here. */
static ss_status read_native(const char *path, const struct ss__json *json,
                             struct ss_encoder_config *config, ss_err *err)
{
    const size_t expected = config->width / config->n_heads;
    size_t head_width = expected;
    /* of the two, the older name takes the place of the other as a whole */
    const bool is_empty = ss_encoder_json_is_empty(ss__json_get(json, "rope_scaling"));
    config->kinds[0].theta = 1000;
    SS_RETURN_IF_ERROR(ss__json_size(path, json, "head_dim", &head_width, err));
    if (head_width != expected) {
        return ss__fail_file(
            err, path, SS_E_UNSUPPORTED,
            "'head_dim' is %zu; only heads that share out the width, here %zu, are "
            "read",
            head_width, expected);
    }
    SS_RETURN_IF_ERROR(ss__json_number(path, json, "rope_theta", &config->kinds[0].theta, err));
    SS_RETURN_IF_ERROR(ss_encoder_rope_read(
        path, ss__json_get(json, is_empty ? "rope_parameters" : "rope_scaling"),
        &config->kinds[0], err));
    return ss_encoder_rope_check(path, 1, config, err);
}

ss_status ss_encoder_config_read_nomic(const char *path, const struct ss__json *json,
                                       struct ss_encoder_config *config, ss_err *err)
{
    const bool is_published = strcmp(config->keys.width, "n_embd") == 0;
    config->kinds[0].scaling_factor = 1;
    return (is_published ? read_published : read_native)(path, json, config, err);
}
