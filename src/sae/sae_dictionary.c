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
 * Reference: the encode methods of dictionary_learning 0.1. JumpReluAutoEncoder and
 * AutoEncoderNew subtract no bias. AutoEncoder is used after the project's own loading, which
 * takes the decoder's norms into the encoder. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "sae/sae_format.h"

static const char *const weights_names[] = {"ae.pt", NULL};

/* nn.Linear layers, and plain matrices; they differ in the name of the decoder's bias. */
#define LINEAR                                                                                 \
    .encoder = "encoder.weight", .encoder_layout = SS__OUT_BY_IN, .decoder = "decoder.weight", \
    .decoder_layout = SS__OUT_BY_IN
#define LINEAR_WORDS .encoder = "encoder.weight^T", .decoder = "decoder.weight^T"

static const struct ss__sae_names standard_names = {LINEAR, .bias = "encoder.bias",
                                                    .decoder_bias = "bias"};
static const struct ss__sae_names new_names = {LINEAR, .bias = "encoder.bias",
                                               .decoder_bias = "decoder.bias"};
static const struct ss__sae_names topk_names = {LINEAR, .bias = "encoder.bias",
                                                .decoder_bias = "b_dec"};
static const struct ss__sae_names gated_names = {LINEAR, .decoder_bias = "decoder_bias"};
static const struct ss__sae_names plain_names = {.encoder = "W_enc",
                                                 .encoder_layout = SS__IN_BY_OUT,
                                                 .decoder = "W_dec",
                                                 .decoder_layout = SS__IN_BY_OUT,
                                                 .bias = "b_enc",
                                                 .decoder_bias = "b_dec"};

static const struct ss__sae_words standard_words = {LINEAR_WORDS, .subtracted = "bias",
                                                    .bias = "encoder.bias"};
static const struct ss__sae_words new_words = {LINEAR_WORDS, .subtracted = "decoder.bias",
                                               .bias = "encoder.bias"};
static const struct ss__sae_words topk_words = {
    LINEAR_WORDS, .subtracted = "b_dec", .bias = "encoder.bias", .threshold = "threshold"};
static const struct ss__sae_words gated_words = {LINEAR_WORDS, .subtracted = "decoder_bias",
                                                 .gate_bias = "gate_bias", .log_gain = "r_mag",
                                                 .shift = "mag_bias"};
static const struct ss__sae_words plain_words = {.encoder = "W_enc",
                                                 .decoder = "W_dec",
                                                 .subtracted = "b_dec",
                                                 .bias = "b_enc",
                                                 .threshold = "threshold"};

static const struct dict_class {
    struct ss__sae_form form;
    const char *marker; /* a tensor that only this class has; NULL: none is */
    bool has_k;
} classes[] = {
    {.form = {.variant = "AutoEncoder",
              .kind = SS__SAE_VANILLA,
              .names = &standard_names,
              .words = &standard_words,
              .subtracts_bias = true,
              .adds_bias = true,
              .folds_norms = true,
              .keeps_unit_norms = true},
     .marker = "bias"},
    {.form = {.variant = "AutoEncoderNew",
              .kind = SS__SAE_VANILLA,
              .names = &new_names,
              .words = &new_words,
              .adds_bias = true},
     .marker = "decoder.bias"},
    {.form = {.variant = "GatedAutoEncoder",
              .kind = SS__SAE_GATED,
              .names = &gated_names,
              .words = &gated_words,
              .subtracts_bias = true},
     .marker = "gate_bias"},
    {.form = {.variant = "JumpReluAutoEncoder",
              .kind = SS__SAE_JUMPRELU,
              .names = &plain_names,
              .words = &plain_words,
              .adds_bias = true,
              .threshold_form = SS__THRESHOLD_EACH,
              .threshold = "threshold"}},
    {.form = {.variant = "AutoEncoderTopK",
              .kind = SS__SAE_TOPK,
              .names = &topk_names,
              .words = &topk_words,
              .subtracts_bias = true,
              .adds_bias = true},
     .has_k = true},
    {.form = {.variant = "BatchTopKSAE",
              .kind = SS__SAE_BATCHTOPK,
              .names = &topk_names,
              .words = &topk_words,
              .subtracts_bias = true,
              .adds_bias = true,
              .threshold_form = SS__THRESHOLD_ALL,
              .threshold = "threshold"},
     .has_k = true},
    {.form = {.variant = "MatryoshkaBatchTopKSAE",
              .kind = SS__SAE_BATCHTOPK,
              .names = &plain_names,
              .words = &plain_words,
              .subtracts_bias = true,
              .adds_bias = true,
              .threshold_form = SS__THRESHOLD_ALL,
              .threshold = "threshold"},
     .marker = "group_sizes",
     .has_k = true},
};
enum { N_CLASSES = sizeof classes / sizeof classes[0] };

static const struct ss__json *trainer_of(const struct ss__sae_place *place)
{
    return ss__json_get(place->config, "trainer");
}

static bool claims_config(const struct ss__sae_place *place)
{
    return ss__json_get(trainer_of(place), "dict_class") != NULL;
}

static bool has(const struct ss__sae_place *place, const char *name)
{
    return ss__sae_tensor(place, name) != NULL;
}

/* Without a config: the names of layers, and of buffers that only this project has. */
static bool claims_tensors(const struct ss__sae_place *place)
{
    const bool is_linear = has(place, "encoder.weight") && has(place, "decoder.weight");
    const struct ss__tensor *threshold = ss__sae_tensor(place, "threshold");
    if (strcmp(ss__weights_format(place->weights), "npz") == 0) {
        return false;
    }
    return (is_linear && (has(place, "gate_bias") || (has(place, "encoder.bias") &&
                                                      (has(place, "bias") || has(place, "k") ||
                                                       has(place, "decoder.bias"))))) ||
           (has(place, "W_enc") &&
            (has(place, "group_sizes") || (threshold != NULL && threshold->n_dims == 1)));
}

/* ---- which class ---- */

static ss_status find_by_name(const struct ss__sae_place *place,
                              const struct dict_class **found, ss_err *err)
{
    ss_status status = SS_OK;
    const char *name = "";
    SS_TRY(ss__json_need(place->config_path, trainer_of(place), "dict_class", err));
    SS_TRY(ss__json_text(place->config_path, trainer_of(place), "dict_class", &name, err));
    for (size_t i = 0; i < N_CLASSES; i++) {
        if (strcmp(name, classes[i].form.variant) == 0) {
            *found = &classes[i];
            return SS_OK;
        }
    }
    status = ss__fail_file(err, place->config_path, SS_E_UNSUPPORTED,
                           "dict_class '%.80s' is not known; known are AutoEncoder, "
                           "AutoEncoderNew, GatedAutoEncoder, JumpReluAutoEncoder, "
                           "AutoEncoderTopK, BatchTopKSAE and MatryoshkaBatchTopKSAE",
                           name);
    ss__err_about(err, "dict_class");
out:
    return status;
}

static ss_status find_by_tensors(const struct ss__sae_place *place,
                                 const struct dict_class **found, ss_err *err)
{
    for (size_t i = 0; i < N_CLASSES; i++) {
        if (classes[i].marker != NULL && has(place, classes[i].marker)) {
            *found = &classes[i];
            return SS_OK;
        }
    }
    return ss__fail_file(
        err, place->path, SS_E_DATA,
        "its tensors do not tell the class of this dictionary (AutoEncoderTopK "
        "and BatchTopKSAE store the same ones, JumpReluAutoEncoder those of "
        "other projects); put the config.json of its training beside it");
}

/* ---- reading ---- */

/* The k of the tensor, which the config must not contradict. */
static ss_status read_k(struct ss_sae *sae, const struct ss__sae_place *place, ss_err *err)
{
    ss_status status = SS_OK;
    double k = 0;
    size_t named = 0;
    SS_TRY(ss__sae_need_scalar(place, "k", &k, err));
    SS_TRY(ss__json_size(place->config_path, trainer_of(place), "k", &named, err));
    sae->top_k = k >= 1 && k <= INT32_MAX ? (size_t)k : 0;
    SS_TRY(ss__sae_check_top_k(sae, ss__weights_path(place->weights), "k", err));
    if (named != 0 && named != sae->top_k) {
        status = ss__fail_file(err, place->config_path, SS_E_DATA,
                               "k is %zu, but the tensor 'k' of the weights says %zu", named,
                               sae->top_k);
        ss__err_about(err, "k");
    }
out:
    return status;
}

static ss_status check_groups(const struct ss_sae *sae, const struct ss__sae_place *place,
                              ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__tensor *tensor = ss__sae_tensor(place, "group_sizes");
    const size_t n = tensor == NULL || tensor->n_dims != 1 ? 0 : (size_t)tensor->shape[0];
    float *sizes = NULL;
    double sum = 0;
    SS_TRY(ss__sae_need_vector(place, "group_sizes", n, &sizes, err));
    for (size_t i = 0; i < n; i++) {
        sum += (double)sizes[i];
    }
    if (sum != (double)sae->n_features) {
        SS_FAIL_FILE(ss__weights_path(place->weights), SS_E_DATA,
                     "the sizes in tensor 'group_sizes' make %.0f features, expected %zu", sum,
                     sae->n_features);
    }
out:
    ss__free(sizes);
    return status;
}

static ss_status read_shape(struct ss_sae *sae, const struct ss__sae_place *place,
                            const struct ss__sae_form *form, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__json *trainer = trainer_of(place);
    SS_TRY(
        ss__sae_set_shape(sae, place, form->names->encoder, form->names->encoder_layout, err));
    if (ss__json_get(trainer, "activation_dim") != NULL) {
        SS_TRY(
            ss__sae_need_size(place->config_path, trainer, "activation_dim", &sae->width, err));
    }
    if (ss__json_get(trainer, "dict_size") != NULL) {
        SS_TRY(
            ss__sae_need_size(place->config_path, trainer, "dict_size", &sae->n_features, err));
    }
out:
    return status;
}

/* Back-ups during a training are in units of normalised inputs until they are scaled back. */
static ss_status check_backup(const struct ss__sae_place *place, ss_err *err)
{
    const char *factor = ss__sae_value(place, "norm_factor");
    if (factor == NULL || strtod(factor, NULL) == 1.0) {
        return SS_OK;
    }
    return ss__fail_file(err, ss__weights_path(place->weights), SS_E_UNSUPPORTED,
                         "this is a back-up whose biases count in inputs divided by "
                         "norm_factor, %.20s; use the ae.pt at the end of the training",
                         factor);
}

static ss_status dictionary_read(struct ss_sae *sae, struct ss__sae_place *place, ss_err *err)
{
    ss_status status = SS_OK;
    const struct dict_class *class = NULL;
    if (trainer_of(place) != NULL) {
        SS_TRY(find_by_name(place, &class, err));
    }
    SS_TRY(ss__sae_place_open(place, weights_names, "ae.pt", err));
    if (class == NULL) {
        SS_TRY(find_by_tensors(place, &class, err));
    }
    SS_TRY(check_backup(place, err));
    SS_TRY(read_shape(sae, place, &class->form, err));
    if (class->has_k) {
        SS_TRY(read_k(sae, place, err));
    }
    SS_TRY(ss__sae_read_form(sae, place, &class->form, err));
    if (class->marker != NULL && strcmp(class->marker, "group_sizes") == 0) {
        SS_TRY(check_groups(sae, place, err));
    }
    SS_TRY(ss__sae_set_model_name(sae, trainer_of(place), "lm_name", err));
    const bool has_config = trainer_of(place) != NULL;
    SS_TRY(ss__sae_add_files(sae, place, place->config_path, has_config ? place->config : NULL,
                             err));
out:
    return status;
}

const struct ss__sae_format ss__sae_dictionary_format = {
    .name = "dictionary_learning",
    .files = "config.json and ae.pt",
    .claims_config = claims_config,
    .claims_tensors = claims_tensors,
    .read = dictionary_read,
};
