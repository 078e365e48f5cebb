/* The seed's format: a folder with
 *
 *   config.json   sae_type jumprelu | topk | batchtopk | vanilla, act_size D, dict_size L,
 *                 input_unit_norm, top_k, model_name, num_examples; other keys are recorded
 *   sae.pt or sae.safetensors
 *                 W_enc [D, L], W_dec [L, D], b_enc [L], b_dec [D], and for jumprelu
 *                 jumprelu.log_threshold [L]; f32, f16 or bf16
 *
 * Reference: the activation classes of the BatchTopK code family. topk and batchtopk store
 * b_enc and do not use it; jumprelu does not subtract b_dec. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "sae/sae_format.h"

static const char files[] = "config.json and sae.pt or sae.safetensors";
static const char *const weights_names[] = {"sae.pt", "sae.safetensors", NULL};

static const struct ss_sae_names names = {.encoder = "W_enc",
                                          .encoder_layout = SS_TENSOR_IN_BY_OUT,
                                          .decoder = "W_dec",
                                          .decoder_layout = SS_TENSOR_IN_BY_OUT,
                                          .bias = "b_enc",
                                          .decoder_bias = "b_dec"};
static const struct ss_sae_labels labels = {.encoder = "W_enc",
                                            .decoder = "W_dec",
                                            .subtracted = "b_dec",
                                            .bias = "b_enc",
                                            .threshold = "exp(log_threshold)"};

static const struct ss_sae_form forms[] = {
    {.variant = "jumprelu",
     .kind = SS_SAE_JUMPRELU,
     .names = &names,
     .labels = &labels,
     .adds_bias = true,
     .threshold_form = SS_SAE_THRESHOLD_EACH_LOG,
     .threshold = "jumprelu.log_threshold"},
    {.variant = "topk",
     .kind = SS_SAE_TOPK,
     .names = &names,
     .labels = &labels,
     .subtracts_bias = true},
    {.variant = "batchtopk",
     .kind = SS_SAE_BATCHTOPK,
     .names = &names,
     .labels = &labels,
     .subtracts_bias = true},
    {.variant = "vanilla",
     .kind = SS_SAE_VANILLA,
     .names = &names,
     .labels = &labels,
     .subtracts_bias = true,
     .adds_bias = true},
};
enum { N_FORMS = sizeof forms / sizeof forms[0] };

static const char *const tensors[] = {
    "W_enc", "W_dec", "b_enc", "b_dec", "jumprelu.log_threshold", NULL};

static const char *const read_keys[] = {"sae_type",        "act_size", "dict_size",
                                        "input_unit_norm", "top_k",    "model_name",
                                        "num_examples",    "dtype",    NULL};
/* Keys of the training's config class, and of the metadata that the project adds. */
static const char *const unused_keys[] = {"seed",
                                          "batch_size",
                                          "lr",
                                          "l1_coeff",
                                          "beta1",
                                          "beta2",
                                          "max_grad_norm",
                                          "seq_len",
                                          "site",
                                          "layer",
                                          "hook_point",
                                          "model_batch_size",
                                          "num_batches_in_buffer",
                                          "wandb_project",
                                          "perf_log_freq",
                                          "checkpoint_freq",
                                          "n_batches_to_dead",
                                          "top_k_aux",
                                          "aux_penalty",
                                          "bandwidth",
                                          "name",
                                          "device",
                                          "dataset_path",
                                          "num_tokens",
                                          "epochs",
                                          "figures",
                                          "training",
                                          NULL};
static const struct ss_sae_keys keys = {.read = read_keys, .unused = unused_keys};

/* A folder with this project's weights alone lacks its config.json; claiming it makes the
 * message say so. */
static bool lacks_config(const struct ss_sae_checkpoint *from)
{
    return from->file == NULL && from->cfg == NULL &&
           (from->config == NULL || ss__json_get(from->config, "dict_size") != NULL) &&
           (ss_sae_checkpoint_has_file(from, weights_names[0]) ||
            ss_sae_checkpoint_has_file(from, weights_names[1]));
}

static bool claims_config(const struct ss_sae_checkpoint *from)
{
    return ss__json_get(from->config, "sae_type") != NULL ||
           ss__json_get(from->config, "act_size") != NULL || lacks_config(from);
}

static ss_status find_form(const struct ss_sae_checkpoint *from,
                           const struct ss_sae_form **form, ss_err *err)
{
    ss_status status = SS_OK;
    const char *name = "";
    SS_TRY(ss__json_need(from->config_path, from->config, "sae_type", err));
    SS_TRY(ss__json_text(from->config_path, from->config, "sae_type", &name, err));
    for (size_t i = 0; i < N_FORMS; i++) {
        if (strcmp(name, forms[i].variant) == 0) {
            *form = &forms[i];
            return SS_OK;
        }
    }
    status = ss__fail_file(err, from->config_path, SS_E_UNSUPPORTED,
                           "sae_type '%.80s' is not known; known are jumprelu, topk, batchtopk "
                           "and vanilla",
                           name);
    ss__err_about(err, "sae_type");
out:
    return status;
}

static ss_status read_config(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                             const struct ss_sae_form *form, ss_err *err)
{
    const char *file = from->config_path;
    const struct ss__json *config = from->config;
    bool normalizes = false;
    SS_RETURN_IF_ERROR(ss_sae_need_size(file, config, "act_size", &sae->parameters.width, err));
    SS_RETURN_IF_ERROR(
        ss_sae_need_size(file, config, "dict_size", &sae->parameters.n_features, err));
    if (form->kind == SS_SAE_TOPK || form->kind == SS_SAE_BATCHTOPK) {
        SS_RETURN_IF_ERROR(ss_sae_need_size(file, config, "top_k", &sae->rule.top_k, err));
        SS_RETURN_IF_ERROR(ss_sae_check_top_k(sae, file, "top_k", err));
    }
    /* layer norm, whatever the key's name says */
    SS_RETURN_IF_ERROR(ss__json_bool(file, config, "input_unit_norm", &normalizes, err));
    sae->parameters.input = normalizes ? SS_SAE_INPUT_LAYER_NORM : SS_SAE_INPUT_PLAIN;
    SS_RETURN_IF_ERROR(ss_sae_check_input(sae, file, "input_unit_norm (act_size is 1)", err));
    const struct ss__json *num_examples = ss__json_get(config, "num_examples");
    if (ss__json_is_integer(num_examples) && ss__json_integer(num_examples) > 0) {
        sae->provenance.config_num_examples = (uint64_t)ss__json_integer(num_examples);
    }
    return ss_sae_set_model_name(sae, config, "model_name", err);
}

static ss_status seed_read(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from,
                           ss_err *err)
{
    const struct ss_sae_form *form = NULL;
    if (from->config == NULL) {
        return ss__fail_file(
            err, from->config_path, SS_E_NOINPUT,
            "this file is missing; it says how the weights beside it are used");
    }
    SS_RETURN_IF_ERROR(find_form(from, &form, err));
    SS_RETURN_IF_ERROR(ss_sae_check_keys(from, from->config_path, from->config, &keys, err));
    SS_RETURN_IF_ERROR(read_config(sae, from, form, err));
    SS_RETURN_IF_ERROR(
        ss_sae_checkpoint_open_weights(from, weights_names, "sae.pt or sae.safetensors", err));
    SS_RETURN_IF_ERROR(ss_sae_read_form(sae, from, form, err));
    ss_sae_compare_dtype(sae, from, from->config_path, from->config);
    return ss_sae_add_files(&sae->provenance, from, from->config_path, from->config, err);
}

const struct ss_sae_format ss_sae_seed_format = {
    .name = "saes-for-sbert",
    .files = files,
    .claims_config = claims_config,
    .read = seed_read,
    .tensors = tensors,
};
