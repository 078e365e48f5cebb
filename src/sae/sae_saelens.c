/* SAELens, a folder with
 *
 *   cfg.json                 architecture, d_in, d_sae, apply_b_dec_to_input,
 *                            normalize_activations, reshape_activations, k, ...; before version
 *                            6 also hook_point, activation_fn_str, activation_fn_kwargs
 *   sae_weights.safetensors  W_enc [D, L], W_dec [L, O], b_enc [L], b_dec [O], and by
 *                            architecture threshold or log_threshold [L], topk_threshold [],
 *                            b_gate, b_mag, r_mag [L]; matching pursuit has W_dec and b_dec
 *                            only
 *   activation_scaler.json   of a checkpoint whose inputs are scaled (sae_scaler.c)
 *
 * Reference: the encode methods of SAELens 6 and what its loading makes of older files.
 * Statistics of training beside the weights, and the connection of skip transcoders, say
 * nothing about activations and are passed over. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "sae/sae_format.h"

enum {
    FIRST_NEW_VERSION = 6,
    MAX_STEPS = 10000 /* of a pursuit: products with all features, for every row */
};

static const char *const weights_names[] = {"sae_weights.safetensors", NULL};

static const struct ss_sae_names plain_names = {.encoder = "W_enc",
                                                .encoder_layout = SS_TENSOR_IN_BY_OUT,
                                                .decoder = "W_dec",
                                                .decoder_layout = SS_TENSOR_IN_BY_OUT,
                                                .bias = "b_enc",
                                                .decoder_bias = "b_dec"};
static const struct ss_sae_names gated_names = {.encoder = "W_enc",
                                                .encoder_layout = SS_TENSOR_IN_BY_OUT,
                                                .decoder = "W_dec",
                                                .decoder_layout = SS_TENSOR_IN_BY_OUT,
                                                .decoder_bias = "b_dec"};
static const struct ss_sae_names tied_names = {.encoder = "W_dec",
                                               .encoder_layout = SS_TENSOR_OUT_BY_IN,
                                               .decoder = "W_dec",
                                               .decoder_layout = SS_TENSOR_IN_BY_OUT,
                                               .decoder_bias = "b_dec"};

static const struct ss_sae_labels plain_labels = {.encoder = "W_enc",
                                                  .decoder = "W_dec",
                                                  .subtracted = "b_dec",
                                                  .bias = "b_enc",
                                                  .threshold = "threshold"};
static const struct ss_sae_labels batch_labels = {.encoder = "W_enc",
                                                  .decoder = "W_dec",
                                                  .subtracted = "b_dec",
                                                  .bias = "b_enc",
                                                  .threshold = "topk_threshold"};
static const struct ss_sae_labels gated_labels = {.encoder = "W_enc",
                                                  .decoder = "W_dec",
                                                  .subtracted = "b_dec",
                                                  .gate_bias = "b_gate",
                                                  .log_gain = "r_mag",
                                                  .shift = "b_mag"};
static const struct ss_sae_labels tied_labels = {
    .encoder = "W_dec^T", .decoder = "W_dec", .subtracted = "b_dec"};

#define PLAIN .names = &plain_names, .labels = &plain_labels, .adds_bias = true

/* A row for each architecture of the project; `form` is completed from the config
 * (read_config). Matryoshka SAEs are batch-top-k ones at inference, transcoders the SAE of
 * their encoder. */
static const struct architecture {
    struct ss_sae_form form;
    bool has_k, is_transcoder;
} architectures[] = {
    {.form = {.variant = "standard", .kind = SS_SAE_VANILLA, PLAIN}},
    {.form = {.variant = "topk", .kind = SS_SAE_TOPK, PLAIN}, .has_k = true},
    {.form = {.variant = "jumprelu",
              .kind = SS_SAE_JUMPRELU,
              PLAIN,
              .threshold_form = SS_SAE_THRESHOLD_EACH,
              .threshold = "threshold"}},
    {.form = {.variant = "gated",
              .kind = SS_SAE_GATED,
              .names = &gated_names,
              .labels = &gated_labels}},
    {.form = {.variant = "batchtopk",
              .kind = SS_SAE_BATCHTOPK,
              .names = &plain_names,
              .labels = &batch_labels,
              .adds_bias = true,
              .threshold_form = SS_SAE_THRESHOLD_ALL,
              .threshold = "topk_threshold"},
     .has_k = true},
    {.form = {.variant = "matryoshka_batchtopk",
              .kind = SS_SAE_BATCHTOPK,
              .names = &plain_names,
              .labels = &batch_labels,
              .adds_bias = true,
              .threshold_form = SS_SAE_THRESHOLD_ALL,
              .threshold = "topk_threshold"},
     .has_k = true},
    {.form = {.variant = "matching_pursuit",
              .kind = SS_SAE_PURSUIT,
              .names = &tied_names,
              .labels = &tied_labels}},
    {.form = {.variant = "transcoder", .kind = SS_SAE_VANILLA, PLAIN}, .is_transcoder = true},
    {.form = {.variant = "skip_transcoder", .kind = SS_SAE_VANILLA, PLAIN},
     .is_transcoder = true},
    {.form = {.variant = "jumprelu_transcoder",
              .kind = SS_SAE_JUMPRELU,
              PLAIN,
              .threshold_form = SS_SAE_THRESHOLD_EACH,
              .threshold = "threshold"},
     .is_transcoder = true},
    {.form = {.variant = "jumprelu_skip_transcoder",
              .kind = SS_SAE_JUMPRELU,
              PLAIN,
              .threshold_form = SS_SAE_THRESHOLD_EACH,
              .threshold = "threshold"},
     .is_transcoder = true},
};
enum { N_ARCHITECTURES = sizeof architectures / sizeof architectures[0] };

static const struct {
    const char *name, *reason;
} refusals[] = {
    {"temporal", "it reads the tokens of a sequence together, and an embedding has none"},
    {"abstopk", "its activations have either sign, and a feature here fires above 0"},
};

static const char *const tensors[] = {"W_enc",
                                      "W_dec",
                                      "b_enc",
                                      "b_dec",
                                      "threshold",
                                      "log_threshold",
                                      "topk_threshold",
                                      "b_gate",
                                      "b_mag",
                                      "r_mag",
                                      "W_skip",
                                      "scaling_factor",
                                      "finetuning_scaling_factor",
                                      NULL};

/* Keys of versions 3 to 6; which of them count is for is_new to say. */
static const char *const read_keys[] = {"architecture",
                                        "d_in",
                                        "d_sae",
                                        "d_out",
                                        "dtype",
                                        "apply_b_dec_to_input",
                                        "normalize_activations",
                                        "reshape_activations",
                                        "metadata",
                                        "k",
                                        "rescale_acts_by_decoder_norm",
                                        "residual_threshold",
                                        "max_iterations",
                                        "stop_on_duplicate_support",
                                        "sae_lens_version",
                                        "model_name",
                                        "hook_name",
                                        "hook_point",
                                        "activation_fn",
                                        "activation_fn_str",
                                        "activation_fn_kwargs",
                                        "finetuning_scaling_factor",
                                        NULL};
/* Where activations come from, how the SAE was trained, and the settings of old runners. */
static const char *const unused_keys[] = {"device",
                                          "use_error_term",
                                          "hook_layer",
                                          "hook_head_index",
                                          "hook_point_layer",
                                          "hook_point_head_index",
                                          "hook_name_out",
                                          "hook_layer_out",
                                          "hook_head_index_out",
                                          "hf_hook_name",
                                          "hf_hook_name_out",
                                          "model_class_name",
                                          "model_from_pretrained_kwargs",
                                          "model_kwargs",
                                          "prepend_bos",
                                          "exclude_special_tokens",
                                          "neuronpedia_id",
                                          "context_size",
                                          "seqpos_slice",
                                          "dataset_path",
                                          "dataset_trust_remote_code",
                                          "sae_lens_training_version",
                                          "decoder_init_norm",
                                          "l1_coefficient",
                                          "lp_norm",
                                          "l1_warm_up_steps",
                                          "topk_threshold_lr",
                                          "jumprelu_init_threshold",
                                          "jumprelu_bandwidth",
                                          "jumprelu_sparsity_loss_mode",
                                          "l0_coefficient",
                                          "l0_warm_up_steps",
                                          "pre_act_loss_coefficient",
                                          "jumprelu_tanh_scale",
                                          "jumprelu_ste_to_input",
                                          "target_l0",
                                          "matryoshka_widths",
                                          "use_matryoshka_aux_loss",
                                          "use_sparse_activations",
                                          "aux_loss_coefficient",
                                          "use_ghost_grads",
                                          "normalize_sae_decoder",
                                          "noise_standard_deviation",
                                          "decoder_orthogonal_init",
                                          "mse_loss_normalization",
                                          "decoder_heuristic_init",
                                          "decoder_heuristic_init_norm",
                                          "init_encoder_as_decoder_transpose",
                                          "scale_sparsity_penalty_by_decoder_norm",
                                          "is_dataset_tokenized",
                                          "streaming",
                                          "use_cached_activations",
                                          "cached_activations_path",
                                          "expansion_factor",
                                          "from_pretrained_path",
                                          "b_dec_init_method",
                                          "n_batches_in_buffer",
                                          "training_tokens",
                                          "finetuning_tokens",
                                          "finetuning_method",
                                          "store_batch_size_prompts",
                                          "train_batch_size_tokens",
                                          "train_batch_size",
                                          "store_batch_size",
                                          "act_store_device",
                                          "seed",
                                          "autocast",
                                          "autocast_lm",
                                          "compile_llm",
                                          "llm_compilation_mode",
                                          "compile_sae",
                                          "sae_compilation_mode",
                                          "adam_beta1",
                                          "adam_beta2",
                                          "lr",
                                          "lr_scheduler_name",
                                          "lr_warm_up_steps",
                                          "lr_end",
                                          "lr_decay_steps",
                                          "n_restart_cycles",
                                          "feature_sampling_window",
                                          "dead_feature_window",
                                          "dead_feature_threshold",
                                          "n_eval_batches",
                                          "eval_batch_size_prompts",
                                          "log_to_wandb",
                                          "log_activations_store_to_wandb",
                                          "log_optimizer_state_to_wandb",
                                          "wandb_project",
                                          "wandb_id",
                                          "run_name",
                                          "wandb_entity",
                                          "wandb_log_frequency",
                                          "eval_every_n_wandb_logs",
                                          "resume",
                                          "n_checkpoints",
                                          "checkpoint_path",
                                          "verbose",
                                          "prefetch_batches",
                                          "max_grad_norm",
                                          NULL};
static const struct ss_sae_keys keys = {.read = read_keys, .unused = unused_keys};

static const char *const kwargs_read[] = {"k", NULL};
static const char *const kwargs_unused[] = {"use_sparse_activations", NULL};
/* Of a top-k activation that keeps values by their size. */
static const struct ss_sae_off_key kwargs_off[] = {
    {"signed", "which keeps activations of either sign, and a feature here fires above 0"},
    {NULL, NULL}};
static const struct ss_sae_keys kwargs_keys = {
    .read = kwargs_read, .unused = kwargs_unused, .off = kwargs_off};

/* Weights of this project without the document beside them are its own, too, so that the
 * message says which document is missing. */
static bool claims_config(const struct ss_sae_checkpoint *from)
{
    return ss__json_get(from->cfg, "d_sae") != NULL ||
           (from->file == NULL && from->cfg == NULL &&
            ss_sae_checkpoint_has_file(from, weights_names[0]));
}

/* ---- config ---- */

/* A key that is null is absent, as Python's get makes it for the project's own reader. */
static const struct ss__json *cfg_get(const struct ss_sae_checkpoint *from, const char *key)
{
    const struct ss__json *value = ss__json_get(from->cfg, key);
    return ss__json_is_null(value) ? NULL : value;
}

/* Version 6 moved what describes the model into `metadata`, and made `architecture` say all. */
static bool is_new(const struct ss_sae_checkpoint *from)
{
    const char *version = ss__json_string(cfg_get(from, "sae_lens_version"));
    if (version == NULL) {
        version = ss__json_string(ss__json_get(cfg_get(from, "metadata"), "sae_lens_version"));
    }
    return version != NULL && strtol(version, NULL, 10) >= FIRST_NEW_VERSION;
}

static ss_status get_text(const struct ss_sae_checkpoint *from, const char *key,
                          const char **out, ss_err *err)
{
    return ss__json_text(from->cfg_path, from->cfg, key, out, err);
}

/* The architecture's name; in old files a top-k activation makes any of them a topk. */
static ss_status find_name(const struct ss_sae_checkpoint *from, const char **name, ss_err *err)
{
    const char *activation = "relu";
    *name = "standard";
    if (is_new(from)) {
        SS_RETURN_IF_ERROR(ss__json_need(from->cfg_path, from->cfg, "architecture", err));
        return get_text(from, "architecture", name, err);
    }
    SS_RETURN_IF_ERROR(get_text(from, "architecture", name, err));
    SS_RETURN_IF_ERROR(get_text(from, "activation_fn", &activation, err));
    SS_RETURN_IF_ERROR(get_text(from, "activation_fn_str", &activation, err));
    if (strcmp(activation, "topk") == 0) {
        *name = "topk";
    } else if (strcmp(activation, "relu") != 0) {
        return ss__fail_file(err, from->cfg_path, SS_E_UNSUPPORTED,
                             "activation_fn '%.80s' is not known; known are relu and topk",
                             activation);
    }
    return SS_OK;
}

static ss_status find_architecture(const struct ss_sae_checkpoint *from,
                                   const struct architecture **found, ss_err *err)
{
    ss_status status = SS_OK;
    const char *name = NULL;
    SS_TRY(find_name(from, &name, err));
    for (size_t i = 0; i < N_ARCHITECTURES; i++) {
        if (strcmp(name, architectures[i].form.variant) == 0) {
            *found = &architectures[i];
            return SS_OK;
        }
    }
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (strcmp(name, refusals[i].name) == 0) {
            SS_FAIL_FILE(from->cfg_path, SS_E_UNSUPPORTED, "architecture '%s' is not read: %s",
                         name, refusals[i].reason);
        }
    }
    SS_FAIL_FILE(
        from->cfg_path, SS_E_UNSUPPORTED,
        "architecture '%.80s' is not known; known are standard, topk, jumprelu, gated, "
        "batchtopk, matryoshka_batchtopk, matching_pursuit and transcoders",
        name);
out:
    if (status != SS_OK) {
        ss__err_about(err, "architecture");
    }
    return status;
}

/* Training may take a batch-top-k's k as a mean, which need not be whole. */
static ss_status read_k(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                        ss_err *err)
{
    const struct ss__json *kwargs = cfg_get(from, "activation_fn_kwargs");
    const bool is_old = !is_new(from) && ss__json_get(kwargs, "k") != NULL;
    double k = 0;
    SS_RETURN_IF_ERROR(ss__json_need(from->cfg_path, is_old ? kwargs : from->cfg, "k", err));
    SS_RETURN_IF_ERROR(
        ss__json_number(from->cfg_path, is_old ? kwargs : from->cfg, "k", &k, err));
    if (!(k >= 1 && k <= INT32_MAX)) {
        return ss__fail_file(err, from->cfg_path, SS_E_DATA,
                             "k is %g, expected a number from 1 to %d", k, INT32_MAX);
    }
    sae->rule.top_k = (size_t)k;
    return ss_sae_check_top_k(sae, from->cfg_path, "k", err);
}

/* Without a document that says that the factor is in the weights, nothing does. */
static void warn_of_scale(const struct ss_sae_checkpoint *from)
{
    if (!ss_sae_checkpoint_has_file(from, "activation_scaler.json")) {
        ss__log(from->log, SS_LEVEL_WARNING,
                "%s: normalize_activations is expected_average_only_in, and nothing tells "
                "whether the factor of the training is in the weights; if it is not, "
                "activations are wrong (the project writes it to activation_scaler.json)",
                from->cfg_path);
    }
}

static ss_status read_input(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                            const struct ss_sae_form *form, ss_err *err)
{
    static const struct {
        const char *name;
        ss_sae_input input;
        const char *note;
    } inputs[] = {
        {"none", SS_SAE_INPUT_PLAIN, NULL},
        {"layer_norm", SS_SAE_INPUT_LAYER_NORM, NULL},
        {"constant_norm_rescale", SS_SAE_INPUT_ROOT_WIDTH, NULL},
        {"expected_average_only_in", SS_SAE_INPUT_PLAIN,
         "expected_average_only_in is not applied, its factor must be in the weights"},
    };
    ss_status status = SS_OK;
    const char *key = "normalize_activations";
    const char *name = "none";
    const struct ss__json *value = cfg_get(from, key);
    /* before version 3, true meant the only normalisation that there was */
    if (ss__json_is_boolean(value)) {
        name = ss__json_is_true(value) ? "expected_average_only_in" : "none";
    } else {
        SS_TRY(get_text(from, key, &name, err));
    }
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        if (strcmp(name, inputs[i].name) == 0) {
            sae->parameters.input = inputs[i].input;
            if (inputs[i].note != NULL && form->input_factor == 0) {
                ss_sae_add_note(sae, "%s", inputs[i].note);
                warn_of_scale(from);
            }
            return ss_sae_check_input(sae, from->cfg_path, key, err);
        }
    }
    status = ss__fail_file(err, from->cfg_path, SS_E_UNSUPPORTED,
                           "normalize_activations '%.80s' is not known; known are none, "
                           "layer_norm, constant_norm_rescale and expected_average_only_in",
                           name);
    ss__err_about(err, key);
out:
    return status;
}

/* The factor that a checkpoint of a training still multiplies its inputs by. */
static ss_status check_factor(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                              const struct ss_sae_form *form, ss_err *err)
{
    if (form->input_factor == 0) {
        return SS_OK;
    }
    if (sae->parameters.is_transcoder || form->kind == SS_SAE_PURSUIT ||
        sae->parameters.input != SS_SAE_INPUT_PLAIN) {
        return ss__fail_file(err, from->cfg_path, SS_E_UNSUPPORTED,
                             "activation_scaler.json beside it has the scaling_factor %g, "
                             "which is not taken into the weights of a %s with "
                             "normalize_activations as here; use the SAE at the end of the "
                             "training",
                             form->input_factor, form->variant);
    }
    ss_sae_add_note(sae,
                    "the scaling_factor %.9g of activation_scaler.json is taken into the "
                    "weights",
                    form->input_factor);
    return SS_OK;
}

/* Old files of the heads of an attention say so only in the name of their place. */
static ss_status check_reshape(const struct ss_sae_checkpoint *from, ss_err *err)
{
    const char *name = "none", *hook = "";
    if (!is_new(from)) {
        SS_RETURN_IF_ERROR(get_text(from, "hook_point", &hook, err));
        SS_RETURN_IF_ERROR(get_text(from, "hook_name", &hook, err));
        name = strstr(hook, "hook_z") != NULL ? "hook_z" : "none";
    }
    SS_RETURN_IF_ERROR(get_text(from, "reshape_activations", &name, err));
    if (strcmp(name, "none") != 0) {
        return ss__fail_file(
            err, from->cfg_path, SS_E_UNSUPPORTED,
            "reshape_activations '%.80s' joins the heads of an attention, and an "
            "embedding has none",
            name);
    }
    return SS_OK;
}

/* Defaults are those of the project's config class; max_iterations is the width unless it is
 * there. */
static ss_status read_pursuit(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                              ss_err *err)
{
    sae->rule.residual_threshold = 1e-2;
    sae->rule.stops_on_same_support = true;
    sae->rule.n_steps = sae->parameters.width;
    SS_RETURN_IF_ERROR(ss__json_number(from->cfg_path, from->cfg, "residual_threshold",
                                       &sae->rule.residual_threshold, err));
    SS_RETURN_IF_ERROR(ss__json_bool(from->cfg_path, from->cfg, "stop_on_duplicate_support",
                                     &sae->rule.stops_on_same_support, err));
    SS_RETURN_IF_ERROR(
        ss__json_size(from->cfg_path, from->cfg, "max_iterations", &sae->rule.n_steps, err));
    if (sae->rule.n_steps > MAX_STEPS) {
        return ss__fail_file(err, from->cfg_path, SS_E_LIMIT,
                             "max_iterations is %zu, more than %d", sae->rule.n_steps,
                             MAX_STEPS);
    }
    return SS_OK;
}

static ss_status read_config(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from,
                             const struct architecture *architecture, struct ss_sae_form *form,
                             ss_err *err)
{
    const char *file = from->cfg_path;
    bool subtracts = !architecture->is_transcoder;
    SS_RETURN_IF_ERROR(ss_sae_need_size(file, from->cfg, "d_in", &sae->parameters.width, err));
    SS_RETURN_IF_ERROR(
        ss_sae_need_size(file, from->cfg, "d_sae", &sae->parameters.n_features, err));
    if (architecture->is_transcoder) {
        SS_RETURN_IF_ERROR(
            ss_sae_need_size(file, from->cfg, "d_out", &sae->parameters.width_out, err));
    }
    SS_RETURN_IF_ERROR(ss__json_bool(file, from->cfg, "apply_b_dec_to_input", &subtracts, err));
    if (subtracts && architecture->is_transcoder) {
        return ss__fail_file(
            err, file, SS_E_DATA,
            "apply_b_dec_to_input is true, but a %s does not subtract b_dec, which has "
            "the width of its output",
            form->variant);
    }
    form->subtracts_bias = subtracts;
    sae->parameters.is_transcoder = architecture->is_transcoder;
    sae->parameters.has_skip = strstr(form->variant, "skip") != NULL;
    if (architecture->has_k) {
        SS_RETURN_IF_ERROR(read_k(sae, from, err));
        SS_RETURN_IF_ERROR(ss__json_bool(file, from->cfg, "rescale_acts_by_decoder_norm",
                                         &form->folds_norms, err));
    }
    if (form->kind == SS_SAE_PURSUIT) {
        SS_RETURN_IF_ERROR(read_pursuit(sae, from, err));
    }
    SS_RETURN_IF_ERROR(ss_sae_read_scaler(sae, from, &form->input_factor, err));
    SS_RETURN_IF_ERROR(read_input(sae, from, form, err));
    SS_RETURN_IF_ERROR(check_factor(sae, from, form, err));
    SS_RETURN_IF_ERROR(check_reshape(from, err));
    const struct ss__json *owner = is_new(from) ? cfg_get(from, "metadata") : from->cfg;
    return ss_sae_set_model_name(sae, owner, "model_name", err);
}

/* A fine-tuned SAE multiplies activations on their way to the decoder; a factor that is not 1
 * without saying so is refused by the original, too. */
static ss_status check_scaling(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                               ss_err *err)
{
    ss_status status = SS_OK;
    bool is_finetuned = false, is_one = true;
    float *factors = NULL;
    const char *name = "scaling_factor";
    SS_TRY(ss__json_bool(from->cfg_path, from->cfg, "finetuning_scaling_factor", &is_finetuned,
                         err));
    if (!ss_sae_has_tensor(from, name)) {
        name = "finetuning_scaling_factor";
    }
    if (ss_sae_has_tensor(from, name)) {
        SS_TRY(ss_sae_need_vector(from, name, sae->parameters.n_features, &factors, err));
        for (size_t f = 0; f < sae->parameters.n_features; f++) {
            is_one = is_one && fabs((double)factors[f] - 1) <= 1.001e-5; /* torch.allclose */
        }
    }
    if (!is_one && !is_finetuned) {
        SS_FAIL_FILE(ss_weights_path(from->weights), SS_E_DATA,
                     "tensor '%s' is not 1, but finetuning_scaling_factor in cfg.json is not "
                     "true; what activations are is not clear",
                     name);
    }
    if (!is_one) {
        ss_sae_add_note(sae, "activations are without '%s', which the decoder alone applies",
                        name);
    }
out:
    ss__free(factors);
    return status;
}

static ss_status saelens_read(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from,
                              ss_err *err)
{
    const struct architecture *architecture = NULL;
    if (from->cfg == NULL) {
        return ss__fail_file(
            err, from->cfg_path, SS_E_NOINPUT,
            "this file is missing; it says how the weights beside it are used");
    }
    SS_RETURN_IF_ERROR(find_architecture(from, &architecture, err));
    SS_RETURN_IF_ERROR(ss_sae_check_keys(from, from->cfg_path, from->cfg, &keys, err));
    SS_RETURN_IF_ERROR(ss_sae_check_keys(
        from, from->cfg_path, cfg_get(from, "activation_fn_kwargs"), &kwargs_keys, err));
    struct ss_sae_form form = architecture->form;
    SS_RETURN_IF_ERROR(read_config(sae, from, architecture, &form, err));
    SS_RETURN_IF_ERROR(
        ss_sae_checkpoint_open_weights(from, weights_names, "sae_weights.safetensors", err));
    if (form.threshold_form == SS_SAE_THRESHOLD_EACH && !ss_sae_has_tensor(from, "threshold") &&
        ss_sae_has_tensor(from, "log_threshold")) {
        form.threshold_form = SS_SAE_THRESHOLD_EACH_LOG;
        form.threshold = "log_threshold";
    }
    SS_RETURN_IF_ERROR(ss_sae_read_form(sae, from, &form, err));
    SS_RETURN_IF_ERROR(check_scaling(sae, from, err));
    ss_sae_compare_dtype(sae, from, from->cfg_path, from->cfg);
    return ss_sae_add_files(&sae->provenance, from, from->cfg_path, from->cfg, err);
}

const struct ss_sae_format ss_sae_saelens_format = {
    .name = "saelens",
    .files = "cfg.json and sae_weights.safetensors",
    .claims_config = claims_config,
    .read = saelens_read,
    .tensors = tensors,
};
