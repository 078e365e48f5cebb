/* sparsify, a folder of one hook point with
 *
 *   cfg.json         d_in, num_latents (0: d_in expansion_factor), k, activation topk |
 *                    groupmax, transcode, skip_connection; other keys are ignored
 *   sae.safetensors  encoder.weight [L, D], encoder.bias [L], W_dec [L, D], b_dec [D], and
 *                    W_skip [D, D], which says nothing about activations
 *
 * Reference: SparseCoder.encode of sparsify 1.3. Its first versions had a key `signed`, by
 * which values of either sign are kept. */
#include <string.h>

#include "base/json.h"
#include "sae/sae_format.h"

enum { DEFAULT_K = 32, DEFAULT_EXPANSION = 32 };

static const char *const weights_names[] = {"sae.safetensors", NULL};

static const struct ss_sae_names names = {.encoder = "encoder.weight",
                                          .encoder_layout = SS_TENSOR_OUT_BY_IN,
                                          .decoder = "W_dec",
                                          .decoder_layout = SS_TENSOR_IN_BY_OUT,
                                          .bias = "encoder.bias",
                                          .decoder_bias = "b_dec"};
static const struct ss_sae_labels labels = {.encoder = "encoder.weight^T",
                                            .decoder = "W_dec",
                                            .subtracted = "b_dec",
                                            .bias = "encoder.bias"};

static const struct ss_sae_form forms[] = {
    {.variant = "topk",
     .kind = SS_SAE_TOPK,
     .names = &names,
     .labels = &labels,
     .adds_bias = true},
    {.variant = "groupmax",
     .kind = SS_SAE_GROUPMAX,
     .names = &names,
     .labels = &labels,
     .adds_bias = true},
};
enum { N_FORMS = sizeof forms / sizeof forms[0] };

static const char *const tensors[] = {"encoder.weight", "encoder.bias", "W_dec",
                                      "b_dec",          "W_skip",       NULL};

static const char *const read_keys[] = {"d_in",       "num_latents", "expansion_factor", "k",
                                        "activation", "transcode",   "skip_connection",  NULL};
static const char *const unused_keys[] = {"normalize_decoder", "multi_topk", NULL};
static const struct ss_sae_off_key off_keys[] = {
    {"signed", "by which the k values of largest magnitude of either sign are kept, and a "
               "feature here fires above 0"},
    {NULL, NULL}};
static const struct ss_sae_keys keys = {
    .read = read_keys, .unused = unused_keys, .off = off_keys};

/* latent-sae and SAELens have d_in as well, and a key of their own beside it. */
static bool claims_config(const struct ss_sae_checkpoint *from)
{
    static const char *const others[] = {"d_sae", "sae_type", "matryoshka_sizes"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (ss__json_get(from->cfg, others[i]) != NULL) {
            return false;
        }
    }
    return ss__json_get(from->cfg, "d_in") != NULL;
}

static ss_status find_form(const struct ss_sae_checkpoint *from, struct ss_sae_form *form,
                           ss_err *err)
{
    ss_status status = SS_OK;
    const char *name = "topk";
    SS_TRY(ss__json_text(from->cfg_path, from->cfg, "activation", &name, err));
    for (size_t i = 0; i < N_FORMS; i++) {
        if (strcmp(name, forms[i].variant) == 0) {
            *form = forms[i];
            return SS_OK;
        }
    }
    status =
        ss__fail_file(err, from->cfg_path, SS_E_UNSUPPORTED,
                      "activation '%.80s' is not known; known are topk and groupmax", name);
    ss__err_about(err, "activation");
out:
    return status;
}

ss_status ss_sae_read_expansion(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                                ss_err *err)
{
    size_t expansion = DEFAULT_EXPANSION;
    sae->rule.top_k = DEFAULT_K;
    SS_RETURN_IF_ERROR(
        ss_sae_need_size(from->cfg_path, from->cfg, "d_in", &sae->parameters.width, err));
    SS_RETURN_IF_ERROR(ss__json_size(from->cfg_path, from->cfg, "num_latents",
                                     &sae->parameters.n_features, err));
    SS_RETURN_IF_ERROR(
        ss__json_size(from->cfg_path, from->cfg, "expansion_factor", &expansion, err));
    SS_RETURN_IF_ERROR(ss__json_size(from->cfg_path, from->cfg, "k", &sae->rule.top_k, err));
    if (sae->parameters.n_features == 0 && expansion <= INT32_MAX) {
        sae->parameters.n_features = sae->parameters.width * expansion; /* each below 2^31 */
    }
    if (sae->parameters.n_features == 0 || sae->parameters.n_features > INT32_MAX) {
        return ss__fail_file(
            err, from->cfg_path, SS_E_DATA,
            "num_latents is 0 or too large, and so is d_in times expansion_factor, "
            "%zu",
            expansion);
    }
    return ss_sae_check_top_k(sae, from->cfg_path, "k", err);
}

/* latent-sae writes the same two files; its tensors must not be read by the rules of here. */
static ss_status check_own(const struct ss_sae_checkpoint *from, ss_err *err)
{
    static const char *const others[] = {"W_gate.weight", "log_threshold",
                                         "batchtopk_threshold"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (ss_sae_has_tensor(from, others[i])) {
            return ss__fail_file(err, from->cfg_path, SS_E_DATA,
                                 "key 'sae_type' is missing, but there is a tensor '%s', which "
                                 "latent-sae writes by that key",
                                 others[i]);
        }
    }
    return SS_OK;
}

static ss_status sparsify_read(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from,
                               ss_err *err)
{
    struct ss_sae_form form = {0};
    bool transcodes = false;
    if (from->cfg == NULL) {
        return ss__fail_file(
            err, from->cfg_path, SS_E_NOINPUT,
            "this file is missing; it says how the weights beside it are used");
    }
    SS_RETURN_IF_ERROR(find_form(from, &form, err));
    SS_RETURN_IF_ERROR(ss_sae_check_keys(from, from->cfg_path, from->cfg, &keys, err));
    SS_RETURN_IF_ERROR(ss_sae_read_expansion(sae, from, err));
    SS_RETURN_IF_ERROR(ss__json_bool(from->cfg_path, from->cfg, "transcode", &transcodes, err));
    /* as SparseCoder.encode does: b_dec is taken from inputs of an autoencoder only */
    form.subtracts_bias = !transcodes;
    sae->parameters.is_transcoder = transcodes;
    SS_RETURN_IF_ERROR(ss__json_bool(from->cfg_path, from->cfg, "skip_connection",
                                     &sae->parameters.has_skip, err));
    if (form.kind == SS_SAE_GROUPMAX && sae->parameters.n_features % sae->rule.top_k != 0) {
        return ss__fail_file(
            err, from->cfg_path, SS_E_SHAPE,
            "%zu features make no %zu equal groups (k, with activation groupmax)",
            sae->parameters.n_features, sae->rule.top_k);
    }
    SS_RETURN_IF_ERROR(ss_sae_set_model_name(sae, NULL, "", err));
    SS_RETURN_IF_ERROR(
        ss_sae_checkpoint_open_weights(from, weights_names, "sae.safetensors", err));
    SS_RETURN_IF_ERROR(check_own(from, err));
    SS_RETURN_IF_ERROR(ss_sae_read_form(sae, from, &form, err));
    return ss_sae_add_files(&sae->provenance, from, from->cfg_path, from->cfg, err);
}

const struct ss_sae_format ss_sae_sparsify_format = {
    .name = "sparsify",
    .files = "cfg.json and sae.safetensors",
    .claims_config = claims_config,
    .read = sparsify_read,
    .tensors = tensors,
};
