/* dictionary_learning, a folder of one trainer with
 *
 *   config.json  trainer {dict_class, activation_dim, dict_size, k, lm_name, ...}
 *   ae.pt        or checkpoints/ae_STEP.pt below it: a state dict, in back-ups under `ae`
 *
 *   AutoEncoder             bias [D], encoder.weight [L, D], encoder.bias [L],
 *                           decoder.weight [D, L]
 *   AutoEncoderNew          encoder.*, decoder.weight, decoder.bias [D]
 *   GatedAutoEncoder        decoder_bias [D], encoder.weight, gate_bias, mag_bias, r_mag [L],
 *                           decoder.weight
 *   JumpReluAutoEncoder     W_enc [D, L], b_enc, W_dec [L, D], b_dec, threshold [L]
 *   AutoEncoderTopK         k [], threshold [], encoder.*, decoder.weight, b_dec
 *   BatchTopKSAE            the same
 *   MatryoshkaBatchTopKSAE  k, threshold, group_sizes [G], W_enc, b_enc, W_dec, b_dec
 *
 * Files of 2024 have no k, which is then in the config, and no threshold; the first Matryoshka
 * dictionaries were called MatroyshkaBatchTopKSAE and have group_indices [G + 1], the groups'
 * bounds.
 *
 * Reference: the encode methods of dictionary_learning 0.1. JumpReluAutoEncoder and
 * AutoEncoderNew subtract no bias. AutoEncoder is used after the project's own loading, which
 * takes the decoder's norms into the encoder. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "sae/sae_format.h"

static const char *const weights_names[] = {"ae.pt", NULL};

/* nn.Linear layers, and plain matrices; they differ in the name of the decoder's bias. */
#define LINEAR                                                                                 \
    .encoder = "encoder.weight", .encoder_layout = SS_TENSOR_OUT_BY_IN,                        \
    .decoder = "decoder.weight", .decoder_layout = SS_TENSOR_OUT_BY_IN
#define LINEAR_LABELS .encoder = "encoder.weight^T", .decoder = "decoder.weight^T"

static const struct ss_sae_names standard_names = {LINEAR, .bias = "encoder.bias",
                                                   .decoder_bias = "bias"};
static const struct ss_sae_names new_names = {LINEAR, .bias = "encoder.bias",
                                              .decoder_bias = "decoder.bias"};
static const struct ss_sae_names topk_names = {LINEAR, .bias = "encoder.bias",
                                               .decoder_bias = "b_dec"};
static const struct ss_sae_names gated_names = {LINEAR, .decoder_bias = "decoder_bias"};
static const struct ss_sae_names plain_names = {.encoder = "W_enc",
                                                .encoder_layout = SS_TENSOR_IN_BY_OUT,
                                                .decoder = "W_dec",
                                                .decoder_layout = SS_TENSOR_IN_BY_OUT,
                                                .bias = "b_enc",
                                                .decoder_bias = "b_dec"};

static const struct ss_sae_labels standard_labels = {LINEAR_LABELS, .subtracted = "bias",
                                                     .bias = "encoder.bias"};
static const struct ss_sae_labels new_labels = {LINEAR_LABELS, .subtracted = "decoder.bias",
                                                .bias = "encoder.bias"};
static const struct ss_sae_labels topk_labels = {
    LINEAR_LABELS, .subtracted = "b_dec", .bias = "encoder.bias", .threshold = "threshold"};
static const struct ss_sae_labels gated_labels = {LINEAR_LABELS, .subtracted = "decoder_bias",
                                                  .gate_bias = "gate_bias", .log_gain = "r_mag",
                                                  .shift = "mag_bias"};
static const struct ss_sae_labels plain_labels = {.encoder = "W_enc",
                                                  .decoder = "W_dec",
                                                  .subtracted = "b_dec",
                                                  .bias = "b_enc",
                                                  .threshold = "threshold"};

/* What the files of a class may hold. */
#define LAYERS "encoder.weight", "decoder.weight"
#define BUFFERS "k", "threshold"
static const char *const standard_tensors[] = {LAYERS, "encoder.bias", "bias", NULL};
static const char *const new_tensors[] = {LAYERS, "encoder.bias", "decoder.bias", NULL};
static const char *const gated_tensors[] = {LAYERS,     "decoder_bias", "gate_bias",
                                            "mag_bias", "r_mag",        NULL};
static const char *const plain_tensors[] = {"W_enc", "W_dec",     "b_enc",
                                            "b_dec", "threshold", NULL};
static const char *const topk_tensors[] = {LAYERS, "encoder.bias", "b_dec", BUFFERS, NULL};
static const char *const group_tensors[] = {"W_enc", "W_dec",       "b_enc",         "b_dec",
                                            BUFFERS, "group_sizes", "group_indices", NULL};

/* A row for each class: its tensors, its rule in the canonical form, and what tells it where
 * there is no config. The rules are those of docs/spec/sae-formats.md, §2. */
static const struct dict_class {
    struct ss_sae_form form;
    const char *const *tensors;
    const char *marker; /* a tensor that only this class has; NULL: none is */
    bool has_k;
    const char *old_name; /* of the class; NULL: none */
} classes[] = {
    {.tensors = standard_tensors,
     .form = {.variant = "AutoEncoder",
              .kind = SS_SAE_VANILLA,
              .names = &standard_names,
              .labels = &standard_labels,
              .subtracts_bias = true,
              .adds_bias = true,
              .folds_norms = true,
              .keeps_unit_norms = true},
     .marker = "bias"},
    {.tensors = new_tensors,
     .form = {.variant = "AutoEncoderNew",
              .kind = SS_SAE_VANILLA,
              .names = &new_names,
              .labels = &new_labels,
              .adds_bias = true},
     .marker = "decoder.bias"},
    {.tensors = gated_tensors,
     .form = {.variant = "GatedAutoEncoder",
              .kind = SS_SAE_GATED,
              .names = &gated_names,
              .labels = &gated_labels,
              .subtracts_bias = true},
     .marker = "gate_bias"},
    {.tensors = plain_tensors,
     .form = {.variant = "JumpReluAutoEncoder",
              .kind = SS_SAE_JUMPRELU,
              .names = &plain_names,
              .labels = &plain_labels,
              .adds_bias = true,
              .threshold_form = SS_SAE_THRESHOLD_EACH,
              .threshold = "threshold"}},
    {.tensors = topk_tensors,
     .form = {.variant = "AutoEncoderTopK",
              .kind = SS_SAE_TOPK,
              .names = &topk_names,
              .labels = &topk_labels,
              .subtracts_bias = true,
              .adds_bias = true},
     .has_k = true},
    {.tensors = topk_tensors,
     .form = {.variant = "BatchTopKSAE",
              .kind = SS_SAE_BATCHTOPK,
              .names = &topk_names,
              .labels = &topk_labels,
              .subtracts_bias = true,
              .adds_bias = true,
              .threshold_form = SS_SAE_THRESHOLD_ALL,
              .threshold = "threshold"},
     .has_k = true},
    {.tensors = group_tensors,
     .form = {.variant = "MatryoshkaBatchTopKSAE",
              .kind = SS_SAE_BATCHTOPK,
              .names = &plain_names,
              .labels = &plain_labels,
              .subtracts_bias = true,
              .adds_bias = true,
              .threshold_form = SS_SAE_THRESHOLD_ALL,
              .threshold = "threshold"},
     .marker = "group_sizes",
     .has_k = true,
     .old_name = "MatroyshkaBatchTopKSAE"},
};
enum { N_CLASSES = sizeof classes / sizeof classes[0] };

/* `buffer` tells how activations were gathered for the training. */
static const char *const top_keys[] = {"trainer", "buffer", NULL};
static const struct ss_sae_keys config_keys = {.read = top_keys};

static const char *const read_keys[] = {"dict_class", "activation_dim", "dict_size",
                                        "k",          "lm_name",        NULL};
/* Schedules and losses of the training, which say nothing about activations. */
static const char *const unused_keys[] = {"trainer_class",
                                          "layer",
                                          "submodule_name",
                                          "wandb_name",
                                          "device",
                                          "seed",
                                          "steps",
                                          "lr",
                                          "warmup_steps",
                                          "resample_steps",
                                          "decay_start",
                                          "auxk_alpha",
                                          "top_k_aux",
                                          "threshold_beta",
                                          "threshold_start_step",
                                          "bandwidth",
                                          "sparsity_penalty",
                                          "sparsity_warmup_steps",
                                          "target_l0",
                                          "group_fractions",
                                          "group_weights",
                                          "group_sizes",
                                          "l1_penalty",
                                          "initial_sparsity_penalty",
                                          "sparsity_function",
                                          "sparsity_queue_length",
                                          "p_start",
                                          "p_end",
                                          "anneal_start",
                                          "anneal_end",
                                          "n_sparsity_updates",
                                          "norm_factor",
                                          NULL};
/* A fork of the project has this key; with it the rule is another one. */
static const struct ss_sae_off_key off_keys[] = {
    {"apply_b_dec_to_input", "which this project's classes do not do"}, {NULL, NULL}};
static const struct ss_sae_keys trainer_keys = {
    .read = read_keys, .unused = unused_keys, .off = off_keys};

static const struct ss__json *trainer_of(const struct ss_sae_checkpoint *from)
{
    return ss__json_get(from->config, "trainer");
}

static bool claims_config(const struct ss_sae_checkpoint *from)
{
    return ss__json_get(trainer_of(from), "dict_class") != NULL;
}

/* Without a config: the names of layers, and of buffers that only this project has. */
static bool claims_tensors(const struct ss_sae_checkpoint *from)
{
    const bool is_linear =
        ss_sae_has_tensor(from, "encoder.weight") && ss_sae_has_tensor(from, "decoder.weight");
    const struct ss_weights_tensor *threshold = ss_sae_tensor(from, "threshold");
    /* Gemma Scope has the same names in arrays of numpy */
    if (strcmp(ss_weights_format(from->weights), "npz") == 0) {
        return false;
    }
    return (is_linear &&
            (ss_sae_has_tensor(from, "gate_bias") ||
             (ss_sae_has_tensor(from, "encoder.bias") &&
              (ss_sae_has_tensor(from, "bias") || ss_sae_has_tensor(from, "b_dec") ||
               ss_sae_has_tensor(from, "decoder.bias"))))) ||
           (ss_sae_has_tensor(from, "W_enc") &&
            (ss_sae_has_tensor(from, "group_sizes") ||
             ss_sae_has_tensor(from, "group_indices") ||
             (threshold != NULL && threshold->n_dims == 1)));
}

/* ---- which class ---- */

static ss_status find_by_name(const struct ss_sae_checkpoint *from,
                              const struct dict_class **found, ss_err *err)
{
    ss_status status = SS_OK;
    const char *name = "";
    SS_TRY(ss__json_need(from->config_path, trainer_of(from), "dict_class", err));
    SS_TRY(ss__json_text(from->config_path, trainer_of(from), "dict_class", &name, err));
    for (size_t i = 0; i < N_CLASSES; i++) {
        const char *old_name = classes[i].old_name;
        if (strcmp(name, classes[i].form.variant) == 0 ||
            (old_name != NULL && strcmp(name, old_name) == 0)) {
            *found = &classes[i];
            return SS_OK;
        }
    }
    status = ss__fail_file(err, from->config_path, SS_E_UNSUPPORTED,
                           "dict_class '%.80s' is not known; known are AutoEncoder, "
                           "AutoEncoderNew, GatedAutoEncoder, JumpReluAutoEncoder, "
                           "AutoEncoderTopK, BatchTopKSAE and MatryoshkaBatchTopKSAE",
                           name);
    ss__err_about(err, "dict_class");
out:
    return status;
}

/* Groups are told by either of two tensors, by the version that wrote them. */
static bool has_marker(const struct ss_sae_checkpoint *from, const struct dict_class *class)
{
    const char *marker = class->marker;
    return marker != NULL &&
           (ss_sae_has_tensor(from, marker) ||
            (strcmp(marker, "group_sizes") == 0 && ss_sae_has_tensor(from, "group_indices")));
}

/* Whether a class that was told by its tensors is sure. The names of AutoEncoderNew are those
 * of any two linear layers, and what other projects do with theirs differs; and whoever has a
 * tensor more does something with it. Saying the format takes the guess as it is. */
static ss_status check_guess(const struct ss_sae_checkpoint *from,
                             const struct dict_class *class, ss_err *err)
{
    size_t index = 0;
    const char *unknown = ss_sae_unknown_tensor(from, class->tensors, &index);
    if (from->options->format != NULL) {
        return SS_OK;
    }
    if (unknown != NULL) {
        return ss__fail_file(err, from->path, SS_E_DATA,
                             "its tensors are those of %s of dictionary_learning but for '%s', "
                             "so that the rule is not sure; put the config.json of its "
                             "training beside it, or say that the format is this one "
                             "(`sae_format` dictionary_learning)",
                             class->form.variant, unknown);
    }
    if (strcmp(class->marker, "decoder.bias") == 0) {
        return ss__fail_file(err, from->path, SS_E_DATA,
                             "its tensors are those of any two linear layers and do not tell "
                             "the rule: AutoEncoderNew of dictionary_learning does not "
                             "subtract decoder.bias from the input, as others do, and knows no "
                             "k; put the config.json of its training beside it, or say that "
                             "it is that one (`sae_format` dictionary_learning)");
    }
    return SS_OK;
}

/* The one class whose marker is among the tensors. Top-k and batch-top-k store the same ones
 * and differ in their rule, so neither has a marker: they need a config. */
static ss_status find_by_tensors(const struct ss_sae_checkpoint *from,
                                 const struct dict_class **found, ss_err *err)
{
    for (size_t i = 0; i < N_CLASSES; i++) {
        if (!has_marker(from, &classes[i])) {
            continue;
        }
        if (*found != NULL) {
            return ss__fail_file(
                err, from->path, SS_E_DATA,
                "its tensors are those of %s and of %s of dictionary_learning; put "
                "the config.json of its training beside it",
                (*found)->form.variant, classes[i].form.variant);
        }
        *found = &classes[i];
    }
    if (*found == NULL) {
        return ss__fail_file(
            err, from->path, SS_E_DATA,
            "its tensors do not tell the class of this dictionary (AutoEncoderTopK "
            "and BatchTopKSAE store the same ones, JumpReluAutoEncoder those of "
            "other projects); put the config.json of its training beside it");
    }
    return check_guess(from, *found, err);
}

/* ---- reading ---- */

/* The k of the weights, as a tensor or as a plain value of a torch file, which the config must
 * not contradict; or that of the config, of files older than the buffer. */
static ss_status read_k(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                        ss_err *err)
{
    ss_status status = SS_OK;
    size_t named = 0;
    double k = 0;
    SS_TRY(ss__json_size(from->config_path, trainer_of(from), "k", &named, err));
    if (ss_sae_has_tensor(from, "k")) {
        SS_TRY(ss_sae_need_scalar(from, "k", &k, err));
        /* 0 is refused below, with the range */
        sae->rule.top_k = k >= 1 && k <= INT32_MAX ? (size_t)k : 0;
    } else if (ss_sae_has_value(from, "k")) {
        SS_TRY(ss_sae_value_size(from, "k", &sae->rule.top_k, err));
    } else {
        SS_TRY(ss__json_need(from->config_path, trainer_of(from), "k", err));
        sae->rule.top_k = named;
        return ss_sae_check_top_k(sae, from->config_path, "k", err);
    }
    SS_TRY(ss_sae_check_top_k(sae, ss_weights_path(from->weights), "k", err));
    if (named != 0 && named != sae->rule.top_k) {
        status = ss__fail_file(err, from->config_path, SS_E_DATA,
                               "k is %zu, but the tensor 'k' of the weights says %zu", named,
                               sae->rule.top_k);
        ss__err_about(err, "k");
    }
out:
    return status;
}

/* The bounds of groups, from 0 to the number of features. */
static ss_status check_bounds(const struct ss_sae_parts *sae,
                              const struct ss_sae_checkpoint *from, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_weights_tensor *tensor = ss_sae_tensor(from, "group_indices");
    const size_t n = tensor->n_dims != 1 ? 0 : (size_t)tensor->shape[0];
    float *bounds = NULL;
    SS_TRY(ss_sae_need_vector(from, "group_indices", n, &bounds, err));
    bool is_right =
        n >= 2 && bounds[0] == 0 && (double)bounds[n - 1] == (double)sae->parameters.n_features;
    for (size_t i = 1; i < n; i++) {
        is_right = is_right && bounds[i] >= bounds[i - 1];
    }
    if (!is_right) {
        SS_FAIL_FILE(ss_weights_path(from->weights), SS_E_DATA,
                     "tensor 'group_indices' does not hold bounds that rise from 0 to the "
                     "number of features, %zu",
                     sae->parameters.n_features);
    }
out:
    ss__free(bounds);
    return status;
}

/* Groups matter to training alone: at inference all features compete together. They are
 * checked, since sizes that do not make the number of features mean that the file is not what
 * it says. */
static ss_status check_groups(const struct ss_sae_parts *sae,
                              const struct ss_sae_checkpoint *from, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_weights_tensor *tensor = ss_sae_tensor(from, "group_sizes");
    if (tensor == NULL && ss_sae_has_tensor(from, "group_indices")) {
        return check_bounds(sae, from, err);
    }
    const size_t n = tensor == NULL || tensor->n_dims != 1 ? 0 : (size_t)tensor->shape[0];
    float *sizes = NULL;
    double sum = 0;
    SS_TRY(ss_sae_need_vector(from, "group_sizes", n, &sizes, err));
    for (size_t i = 0; i < n; i++) {
        sum += (double)sizes[i];
    }
    if (sum != (double)sae->parameters.n_features) {
        SS_FAIL_FILE(ss_weights_path(from->weights), SS_E_DATA,
                     "the sizes in tensor 'group_sizes' make %.0f features, expected %zu", sum,
                     sae->parameters.n_features);
    }
out:
    ss__free(sizes);
    return status;
}

/* Sizes are those of the encoder's matrix, overridden by the config: where the two differ,
 * reading the tensors refuses by the shape that the config demands. */
static ss_status read_shape(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                            const struct ss_sae_form *form, ss_err *err)
{
    const struct ss__json *trainer = trainer_of(from);
    SS_RETURN_IF_ERROR(
        ss_sae_set_shape(sae, from, form->names->encoder, form->names->encoder_layout, err));
    if (ss__json_get(trainer, "activation_dim") != NULL) {
        SS_RETURN_IF_ERROR(ss_sae_need_size(from->config_path, trainer, "activation_dim",
                                            &sae->parameters.width, err));
    }
    if (ss__json_get(trainer, "dict_size") != NULL) {
        SS_RETURN_IF_ERROR(ss_sae_need_size(from->config_path, trainer, "dict_size",
                                            &sae->parameters.n_features, err));
    }
    return SS_OK;
}

/* Back-ups during a training are in units of normalised inputs until they are scaled back. */
static ss_status check_backup(const struct ss_sae_checkpoint *from, ss_err *err)
{
    double factor = 1;
    bool is_there = false;
    SS_RETURN_IF_ERROR(ss_sae_value_number(from, "norm_factor", &factor, &is_there, err));
    if (is_there && factor != 1.0) {
        return ss__fail_file(
            err, ss_weights_path(from->weights), SS_E_UNSUPPORTED,
            "this is a back-up whose biases count in inputs divided by norm_factor, "
            "%.9g; use the ae.pt at the end of the training",
            factor);
    }
    return SS_OK;
}

/* Older files have none, and a buffer that was never set is not saved. */
static struct ss_sae_form form_of(const struct dict_class *class,
                                  const struct ss_sae_checkpoint *from)
{
    struct ss_sae_form form = class->form;
    if (form.threshold_form == SS_SAE_THRESHOLD_ALL &&
        !ss_sae_has_tensor(from, form.threshold) && !ss_sae_has_value(from, form.threshold)) {
        form.threshold_form = SS_SAE_NO_THRESHOLD;
    }
    return form;
}

/* The config's class decides if there is one, so that a misnamed class is told before the
 * weights are opened; what the config must not contradict is read from the weights. */
static ss_status dictionary_read(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from,
                                 ss_err *err)
{
    const struct dict_class *class = NULL;
    if (trainer_of(from) != NULL) {
        SS_RETURN_IF_ERROR(find_by_name(from, &class, err));
        SS_RETURN_IF_ERROR(
            ss_sae_check_keys(from, from->config_path, from->config, &config_keys, err));
        SS_RETURN_IF_ERROR(
            ss_sae_check_keys(from, from->config_path, trainer_of(from), &trainer_keys, err));
    }
    SS_RETURN_IF_ERROR(ss_sae_checkpoint_open_weights(from, weights_names, "ae.pt", err));
    if (class == NULL) {
        SS_RETURN_IF_ERROR(find_by_tensors(from, &class, err));
    }
    SS_RETURN_IF_ERROR(check_backup(from, err));
    const struct ss_sae_form form = form_of(class, from);
    SS_RETURN_IF_ERROR(read_shape(sae, from, &form, err));
    if (class->has_k) {
        SS_RETURN_IF_ERROR(read_k(sae, from, err));
    }
    SS_RETURN_IF_ERROR(ss_sae_read_form(sae, from, &form, err));
    SS_RETURN_IF_ERROR(ss_sae_check_tensors(from, class->tensors, err));
    if (class->marker != NULL && strcmp(class->marker, "group_sizes") == 0) {
        SS_RETURN_IF_ERROR(check_groups(sae, from, err));
    }
    SS_RETURN_IF_ERROR(ss_sae_set_model_name(sae, trainer_of(from), "lm_name", err));
    const bool has_config = trainer_of(from) != NULL;
    return ss_sae_add_files(&sae->provenance, from, from->config_path,
                            has_config ? from->config : NULL, err);
}

const struct ss_sae_format ss_sae_dictionary_format = {
    .name = "dictionary_learning",
    .files = "config.json and ae.pt",
    .claims_config = claims_config,
    .claims_tensors = claims_tensors,
    .read = dictionary_read,
};
