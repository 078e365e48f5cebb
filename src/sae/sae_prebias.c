/* The family of the scaled top-k SAEs, whose tensors are
 *
 *   pre_bias [D], encoder.weight [L, D], latent_bias [L], decoder.weight [D, L]
 *
 *   saerch    one file K_N_AUXK_auxk…_epoch_E.pth or DOMAIN_K_N_BATCH.pth: k stands nowhere
 *             but in its name
 *   openai    one file LAYER.pt, with statistics, `activation` (a class) and, for TopK,
 *             `activation_state_dict` {k, postact_fn} as plain values; TopK implies layer norm;
 *             tied files have decoder.linear.weight [L, D] as well
 *   csr       SparseAutoEncoder of sentence-transformers: N_SparseAutoEncoder/ with config.json
 *             {input_dim, hidden_dim, k, normalize, ...} and model.safetensors or
 *             pytorch_model.bin, the encoder tied and stored as decoder.linear.weight
 *
 * u = (input(x) - pre_bias) encoder.weight^T + latent_bias; the k largest, then relu.
 * Reference: the forward methods of saerch of December 2024, sparse_autoencoder of June 2024,
 * sentence-transformers 6.2. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "sae/sae_format.h"

static const struct ss_sae_names free_names = {.encoder = "encoder.weight",
                                               .encoder_layout = SS_TENSOR_OUT_BY_IN,
                                               .decoder = "decoder.weight",
                                               .decoder_layout = SS_TENSOR_OUT_BY_IN,
                                               .bias = "latent_bias",
                                               .decoder_bias = "pre_bias"};
static const struct ss_sae_names tied_names = {.encoder = "encoder.weight",
                                               .encoder_layout = SS_TENSOR_OUT_BY_IN,
                                               .bias = "latent_bias",
                                               .decoder_bias = "pre_bias"};
static const struct ss_sae_names saved_once_names = {.encoder = "decoder.linear.weight",
                                                     .encoder_layout = SS_TENSOR_OUT_BY_IN,
                                                     .bias = "latent_bias",
                                                     .decoder_bias = "pre_bias"};
static const struct ss_sae_labels labels = {.encoder = "encoder.weight^T",
                                            .decoder = "decoder.weight^T",
                                            .subtracted = "pre_bias",
                                            .bias = "latent_bias"};

#define COMMON .labels = &labels, .subtracts_bias = true, .adds_bias = true

static const char *const saerch_tensors[] = {"pre_bias", "latent_bias", "encoder.weight",
                                             "decoder.weight", NULL};
static const char *const openai_tensors[] = {"pre_bias",
                                             "latent_bias",
                                             "encoder.weight",
                                             "decoder.weight",
                                             "decoder.linear.weight",
                                             "stats_last_nonzero",
                                             "latents_activation_frequency",
                                             "latents_mean_square",
                                             NULL};
static const char *const csr_tensors[] = {"pre_bias",           "latent_bias",
                                          "encoder.weight",     "decoder.linear.weight",
                                          "stats_last_nonzero", NULL};

static const char *const openai_read_keys[] = {"k", "postact_fn", NULL};
static const struct ss_sae_keys openai_keys = {.read = openai_read_keys};

static const char *const csr_read_keys[] = {"input_dim", "hidden_dim", "k", "normalize", NULL};
static const char *const csr_unused_keys[] = {"k_aux", "dead_threshold", NULL};
static const struct ss_sae_keys csr_keys = {.read = csr_read_keys, .unused = csr_unused_keys};

static bool has_biases(const struct ss_sae_checkpoint *from)
{
    return ss_sae_has_tensor(from, "pre_bias") && ss_sae_has_tensor(from, "latent_bias");
}

/* saerch has the same tensors; what only openai's files hold is the class of the activation,
 * and statistics of the training. */
static bool is_openai(const struct ss_sae_checkpoint *from)
{
    return has_biases(from) && (ss_sae_has_value(from, "activation") ||
                                ss_sae_has_tensor(from, "latents_mean_square"));
}

/* ---- saerch ---- */

static bool is_saerch(const struct ss_sae_checkpoint *from)
{
    return has_biases(from) && ss_sae_has_tensor(from, "decoder.weight") && !is_openai(from) &&
           !ss_sae_has_tensor(from, "stats_last_nonzero");
}

/* Two numbers K_N in a file's name, at its start or behind its first word. At most nine digits
 * each, so that nothing overflows. */
static bool read_name(const char *path, size_t *k, size_t *n)
{
    const char *name = ss__path_name(path);
    for (size_t skipped = 0; skipped < 2; skipped++) {
        if (sscanf(name, "%9zu_%9zu_", k, n) == 2) {
            return true;
        }
        const char *next = strchr(name, '_');
        name = next == NULL ? name : next + 1;
    }
    return false;
}

/* What the user says goes before the name; a name counts only if its N is the number of
 * features, since a renamed file must not give a k by chance. Where k came from is told with
 * the rule. */
static ss_status find_k(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                        ss_err *err)
{
    const char *file = ss_weights_path(from->weights);
    size_t k = 0, n = 0;
    const bool is_named = read_name(file, &k, &n) && n == sae->parameters.n_features;
    if (from->options->top_k != 0) {
        sae->rule.top_k = from->options->top_k;
        ss_sae_add_note(sae, "k is as given");
    } else if (is_named) {
        sae->rule.top_k = k;
        ss_sae_add_note(sae, "k is the one in the file's name");
    } else {
        return ss__fail_file(
            err, file, SS_E_USAGE,
            "this format stores k in its file's name only (K_N_…, with N = %zu "
            "features); give it (`sae_top_k`)",
            sae->parameters.n_features);
    }
    return ss_sae_check_top_k(sae, file, "k", err);
}

static ss_status saerch_read(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from,
                             ss_err *err)
{
    static const struct ss_sae_form form = {
        .variant = "FastAutoencoder", .kind = SS_SAE_TOPK, .names = &free_names, COMMON};
    SS_RETURN_IF_ERROR(ss_sae_checkpoint_open_weights(from, NULL, "a .pth file", err));
    SS_RETURN_IF_ERROR(ss_sae_set_shape(sae, from, "encoder.weight", SS_TENSOR_OUT_BY_IN, err));
    SS_RETURN_IF_ERROR(find_k(sae, from, err));
    SS_RETURN_IF_ERROR(ss_sae_set_model_name(sae, NULL, "", err));
    SS_RETURN_IF_ERROR(ss_sae_read_form(sae, from, &form, err));
    return ss_sae_add_files(&sae->provenance, from, NULL, NULL, err);
}

const struct ss_sae_format ss_sae_saerch_format = {
    .name = "saerch",
    .files = "a .pth file",
    .claims_tensors = is_saerch,
    .read = saerch_read,
    .tensors = saerch_tensors,
};

/* ---- openai ---- */

static ss_status read_topk(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                           ss_err *err)
{
    const char *file = ss_weights_path(from->weights);
    const char *after = NULL;
    SS_RETURN_IF_ERROR(
        ss_sae_value_size(from, "activation_state_dict/k", &sae->rule.top_k, err));
    SS_RETURN_IF_ERROR(
        ss_sae_value_text(from, "activation_state_dict/postact_fn", &after, err));
    if (after != NULL && strcmp(after, "ReLU") != 0 && strcmp(after, "Identity") != 0) {
        return ss__fail_file(err, file, SS_E_UNSUPPORTED,
                             "postact_fn '%.80s' is not known; known are ReLU and Identity",
                             after);
    }
    if (after != NULL && strcmp(after, "Identity") == 0) {
        ss_sae_add_note(sae,
                        "negative values among the k largest, which the original keeps, are "
                        "no activations here");
    }
    SS_RETURN_IF_ERROR(ss_sae_check_top_k(sae, file, "k in activation_state_dict", err));
    sae->parameters.input = SS_SAE_INPUT_LAYER_NORM;
    return ss_sae_check_input(sae, file, "layer norm (activation is TopK)", err);
}

static ss_status openai_read(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from,
                             ss_err *err)
{
    struct ss_sae_form form = {.variant = "ReLU", .kind = SS_SAE_VANILLA, COMMON};
    const char *activation = NULL;
    SS_RETURN_IF_ERROR(ss_sae_checkpoint_open_weights(from, NULL, "a .pt file", err));
    SS_RETURN_IF_ERROR(ss_sae_value_text(from, "activation", &activation, err));
    SS_RETURN_IF_ERROR(ss_sae_check_values(from, "activation_state_dict/", &openai_keys, err));
    SS_RETURN_IF_ERROR(ss_sae_set_shape(sae, from, "encoder.weight", SS_TENSOR_OUT_BY_IN, err));
    if (activation != NULL && strcmp(activation, "TopK") == 0) {
        form.variant = "TopK";
        form.kind = SS_SAE_TOPK;
        SS_RETURN_IF_ERROR(read_topk(sae, from, err));
    } else if (activation != NULL && strcmp(activation, "ReLU") != 0) {
        return ss__fail_file(err, ss_weights_path(from->weights), SS_E_UNSUPPORTED,
                             "activation '%.80s' is not known; known are ReLU and TopK",
                             activation);
    }
    form.names = ss_sae_has_tensor(from, "decoder.weight") ? &free_names : &tied_names;
    SS_RETURN_IF_ERROR(ss_sae_set_model_name(sae, NULL, "", err));
    SS_RETURN_IF_ERROR(ss_sae_read_form(sae, from, &form, err));
    return ss_sae_add_files(&sae->provenance, from, NULL, NULL, err);
}

const struct ss_sae_format ss_sae_openai_format = {
    .name = "openai",
    .files = "a .pt file",
    .claims_tensors = is_openai,
    .read = openai_read,
    .tensors = openai_tensors,
};

/* ---- sentence-transformers ---- */

/* Three keys together: each alone is found in configs of other kinds. */
static bool claims_csr(const struct ss_sae_checkpoint *from)
{
    return ss__json_get(from->config, "input_dim") != NULL &&
           ss__json_get(from->config, "hidden_dim") != NULL &&
           ss__json_get(from->config, "k") != NULL;
}

static ss_status read_csr_config(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from,
                                 ss_err *err)
{
    const char *file = from->config_path;
    bool normalizes = false;
    if (from->config == NULL) {
        return ss__fail_file(
            err, file, SS_E_NOINPUT,
            "this file is missing; it says how the weights beside it are used");
    }
    SS_RETURN_IF_ERROR(ss_sae_check_keys(from, file, from->config, &csr_keys, err));
    SS_RETURN_IF_ERROR(
        ss_sae_need_size(file, from->config, "input_dim", &sae->parameters.width, err));
    SS_RETURN_IF_ERROR(
        ss_sae_need_size(file, from->config, "hidden_dim", &sae->parameters.n_features, err));
    SS_RETURN_IF_ERROR(ss_sae_need_size(file, from->config, "k", &sae->rule.top_k, err));
    SS_RETURN_IF_ERROR(ss_sae_check_top_k(sae, file, "k", err));
    SS_RETURN_IF_ERROR(ss__json_bool(file, from->config, "normalize", &normalizes, err));
    sae->parameters.input = normalizes ? SS_SAE_INPUT_LAYER_NORM : SS_SAE_INPUT_PLAIN;
    SS_RETURN_IF_ERROR(ss_sae_check_input(sae, file, "normalize", err));
    return ss_sae_set_model_name(sae, NULL, "", err);
}

static ss_status csr_read(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from, ss_err *err)
{
    static const char *const names[] = {"model.safetensors", "pytorch_model.bin", NULL};
    struct ss_sae_form form = {.variant = "SparseAutoEncoder", .kind = SS_SAE_TOPK, COMMON};
    SS_RETURN_IF_ERROR(read_csr_config(sae, from, err));
    SS_RETURN_IF_ERROR(ss_sae_checkpoint_open_weights(
        from, names, "model.safetensors or pytorch_model.bin", err));
    form.names = ss_sae_has_tensor(from, "encoder.weight") ? &tied_names : &saved_once_names;
    SS_RETURN_IF_ERROR(ss_sae_read_form(sae, from, &form, err));
    return ss_sae_add_files(&sae->provenance, from, from->config_path, from->config, err);
}

const struct ss_sae_format ss_sae_csr_format = {
    .name = "sentence-transformers",
    .files = "config.json and model.safetensors of a SparseAutoEncoder",
    .claims_config = claims_csr,
    .read = csr_read,
    .tensors = csr_tensors,
};
