/* latent-sae, a folder with
 *
 *   cfg.json         sae_type (name of an enum; absent means topk), d_in, num_latents (0: d_in
 *                    expansion_factor), k, lista_eta, lista_steps, matryoshka_sizes and
 *                    matryoshka_ks as lists in a text
 *   sae.safetensors  encoder.weight [L, D], encoder.bias [L], W_dec [L, D], b_dec [D]; gated:
 *                    W_gate.weight, W_gate.bias, W_mag.weight, r_mag instead of the encoder;
 *                    jumprelu: log_threshold [L]; batchtopk: batchtopk_threshold []
 *
 * Reference: the encode methods of latent-sae of June 2026. b_dec is always subtracted;
 * jumprelu keeps at most 4 k of a row, batchtopk at most k of what reaches its threshold. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "sae/sae_format.h"

enum { MAX_STEPS = 1000, JUMPRELU_CAP_PER_K = 4 };

static const char *const weights_names[] = {"sae.safetensors", NULL};

static const struct ss_sae_names names = {.encoder = "encoder.weight",
                                          .encoder_layout = SS_TENSOR_OUT_BY_IN,
                                          .decoder = "W_dec",
                                          .decoder_layout = SS_TENSOR_IN_BY_OUT,
                                          .bias = "encoder.bias",
                                          .decoder_bias = "b_dec"};
static const struct ss_sae_names gated_names = {.encoder = "W_gate.weight",
                                                .encoder_layout = SS_TENSOR_OUT_BY_IN,
                                                .decoder = "W_dec",
                                                .decoder_layout = SS_TENSOR_IN_BY_OUT,
                                                .bias = "W_gate.bias",
                                                .decoder_bias = "b_dec"};
static const struct ss_sae_labels labels = {.encoder = "encoder.weight^T",
                                            .decoder = "W_dec",
                                            .subtracted = "b_dec",
                                            .bias = "encoder.bias",
                                            .threshold = "exp(log_threshold)"};
static const struct ss_sae_labels batch_labels = {.encoder = "encoder.weight^T",
                                                  .decoder = "W_dec",
                                                  .subtracted = "b_dec",
                                                  .bias = "encoder.bias",
                                                  .threshold = "batchtopk_threshold"};
static const struct ss_sae_labels gated_labels = {.encoder = "W_gate.weight^T",
                                                  .decoder = "W_dec",
                                                  .subtracted = "b_dec",
                                                  .bias = "W_gate.bias",
                                                  .log_gain = "r_mag",
                                                  .shift = "W_mag.weight^T"};

#define COMMON .names = &names, .subtracts_bias = true, .adds_bias = true

static const struct ss_sae_form forms[] = {
    {.variant = "topk", .kind = SS_SAE_TOPK, COMMON, .labels = &labels},
    {.variant = "matryoshka", .kind = SS_SAE_TOPK, COMMON, .labels = &labels},
    {.variant = "lista", .kind = SS_SAE_LISTA, COMMON, .labels = &labels},
    {.variant = "jumprelu",
     .kind = SS_SAE_JUMPRELU,
     COMMON,
     .labels = &labels,
     .threshold_form = SS_SAE_THRESHOLD_EACH_LOG,
     .threshold = "log_threshold"},
    {.variant = "batchtopk",
     .kind = SS_SAE_BATCHTOPK,
     COMMON,
     .labels = &batch_labels,
     .threshold_form = SS_SAE_THRESHOLD_ALL,
     .threshold = "batchtopk_threshold"},
    {.variant = "gated",
     .kind = SS_SAE_GATED_TOPK,
     .names = &gated_names,
     .labels = &gated_labels,
     .subtracts_bias = true,
     .adds_bias = true},
};
enum { N_FORMS = sizeof forms / sizeof forms[0] };

static const char *const tensors[] = {"encoder.weight",
                                      "encoder.bias",
                                      "W_dec",
                                      "b_dec",
                                      "W_gate.weight",
                                      "W_gate.bias",
                                      "W_mag.weight",
                                      "r_mag",
                                      "log_threshold",
                                      "batchtopk_threshold",
                                      NULL};

static const char *const read_keys[] = {
    "sae_type",  "d_in",        "num_latents",      "expansion_factor", "k",
    "lista_eta", "lista_steps", "matryoshka_sizes", "matryoshka_ks",    NULL};
static const char *const unused_keys[] = {"normalize_decoder", "multi_topk", NULL};
static const struct ss_sae_off_key off_keys[] = {
    {"signed", "by which values of either sign are kept, and a feature here fires above 0"},
    {"transcode", "which latent-sae does not do"},
    {"skip_connection", "which latent-sae does not have"},
    {NULL, NULL}};
static const struct ss_sae_keys keys = {
    .read = read_keys, .unused = unused_keys, .off = off_keys};

/* sparsify has the same file and keys, without these two; SAELens has d_sae. */
static bool claims_config(const struct ss_sae_checkpoint *from)
{
    return ss__json_get(from->cfg, "d_in") != NULL &&
           ss__json_get(from->cfg, "d_sae") == NULL &&
           (ss__json_get(from->cfg, "sae_type") != NULL ||
            ss__json_get(from->cfg, "matryoshka_sizes") != NULL);
}

static ss_status find_form(const struct ss_sae_checkpoint *from,
                           const struct ss_sae_form **form, ss_err *err)
{
    ss_status status = SS_OK;
    const char *name = "topk";
    SS_TRY(ss__json_text(from->cfg_path, from->cfg, "sae_type", &name, err));
    for (size_t i = 0; i < N_FORMS; i++) {
        /* names of an enum are in capitals, its values are not */
        if (ss__equal_ignoring_case(name, forms[i].variant)) {
            *form = &forms[i];
            return SS_OK;
        }
    }
    status = ss__fail_file(err, from->cfg_path, SS_E_UNSUPPORTED,
                           "sae_type '%.80s' is not known; known are TOPK, GATED, JUMPRELU, "
                           "LISTA, BATCHTOPK and MATRYOSHKA",
                           name);
    ss__err_about(err, "sae_type");
out:
    return status;
}

/* ---- matryoshka ---- */

/* "16, 32,64": how many numbers, and the last one. */
static ss_status read_list(const struct ss_sae_checkpoint *from, const char *key, size_t *n,
                           size_t *last, ss_err *err)
{
    ss_status status = SS_OK;
    const char *text = "";
    SS_TRY(ss__json_need(from->cfg_path, from->cfg, key, err));
    SS_TRY(ss__json_text(from->cfg_path, from->cfg, key, &text, err));
    *n = 0;
    while (*text != '\0') {
        char *end = NULL;
        const long value = strtol(text, &end, 10);
        end += strspn(end, " ");
        if (end == text || value <= 0 || value > INT32_MAX || (*end != ',' && *end != '\0')) {
            status = ss__fail_file(err, from->cfg_path, SS_E_DATA,
                                   "%s is no list of numbers above 0 with commas between", key);
            ss__err_about(err, key);
            goto out;
        }
        *last = (size_t)value;
        text = *end == ',' ? end + 1 : end;
        (*n)++;
    }
out:
    return status;
}

/* All levels together make the SAE, with the k of the last. */
static ss_status read_levels(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                             ss_err *err)
{
    size_t n_sizes = 0, n_ks = 0, size = 0;
    SS_RETURN_IF_ERROR(read_list(from, "matryoshka_sizes", &n_sizes, &size, err));
    SS_RETURN_IF_ERROR(read_list(from, "matryoshka_ks", &n_ks, &sae->rule.top_k, err));
    if (n_sizes != n_ks || size != sae->parameters.n_features) {
        return ss__fail_file(
            err, from->cfg_path, SS_E_DATA,
            "matryoshka_sizes has %zu numbers and ends with %zu, matryoshka_ks has "
            "%zu; expected as many, ending with the number of features, %zu",
            n_sizes, size, n_ks, sae->parameters.n_features);
    }
    return ss_sae_check_top_k(sae, from->cfg_path, "matryoshka_ks", err);
}

/* ---- others ---- */

/* Defaults are those of the project's config class. Bounds keep a hostile file from taking
 * forever or from making infinities. */
static ss_status read_lista(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                            ss_err *err)
{
    sae->rule.eta = 0.1;
    sae->rule.n_steps = 1;
    SS_RETURN_IF_ERROR(
        ss__json_number(from->cfg_path, from->cfg, "lista_eta", &sae->rule.eta, err));
    SS_RETURN_IF_ERROR(
        ss__json_size(from->cfg_path, from->cfg, "lista_steps", &sae->rule.n_steps, err));
    if (sae->rule.n_steps == 0 || sae->rule.n_steps > MAX_STEPS) {
        return ss__fail_file(err, from->cfg_path, SS_E_DATA,
                             "lista_steps is %zu, expected a number from 1 to %d",
                             sae->rule.n_steps, MAX_STEPS);
    }
    if (!(fabs(sae->rule.eta) <= 1e6)) {
        return ss__fail_file(err, from->cfg_path, SS_E_DATA,
                             "lista_eta is %g, which is impossible", sae->rule.eta);
    }
    return SS_OK;
}

/* The second encoder of a gated SAE, by which what the gates choose gets its size. */
static ss_status read_magnitudes(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                                 ss_err *err)
{
    const size_t size[2] = {sae->parameters.n_features, sae->parameters.width};
    SS_RETURN_IF_ERROR(ss_sae_need_rows(from, "W_mag.weight", SS_TENSOR_OUT_BY_IN, size,
                                        &sae->parameters.magnitudes, err));
    return ss_sae_read_gains(sae, from, "r_mag", err);
}

static ss_status read_config(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                             const struct ss_sae_form *form, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_sae_read_expansion(sae, from, err));
    if (strcmp(form->variant, "matryoshka") == 0) {
        SS_RETURN_IF_ERROR(read_levels(sae, from, err));
    }
    if (form->kind == SS_SAE_LISTA) {
        SS_RETURN_IF_ERROR(read_lista(sae, from, err));
    }
    if (form->kind == SS_SAE_JUMPRELU) {
        sae->rule.caps_rows = true;
        sae->rule.top_k =
            ss__min_size(sae->rule.top_k * JUMPRELU_CAP_PER_K, sae->parameters.n_features);
    }
    if (form->kind == SS_SAE_BATCHTOPK) {
        sae->rule.caps_rows = true;
        sae->rule.includes_threshold = true;
    }
    return ss_sae_set_model_name(sae, NULL, "", err);
}

static ss_status latent_read(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from,
                             ss_err *err)
{
    const struct ss_sae_form *form = NULL;
    if (from->cfg == NULL) {
        return ss__fail_file(
            err, from->cfg_path, SS_E_NOINPUT,
            "this file is missing; it says how the weights beside it are used");
    }
    SS_RETURN_IF_ERROR(find_form(from, &form, err));
    SS_RETURN_IF_ERROR(ss_sae_check_keys(from, from->cfg_path, from->cfg, &keys, err));
    SS_RETURN_IF_ERROR(read_config(sae, from, form, err));
    SS_RETURN_IF_ERROR(
        ss_sae_checkpoint_open_weights(from, weights_names, "sae.safetensors", err));
    SS_RETURN_IF_ERROR(ss_sae_read_form(sae, from, form, err));
    if (form->kind == SS_SAE_GATED_TOPK) {
        SS_RETURN_IF_ERROR(read_magnitudes(sae, from, err));
    }
    return ss_sae_add_files(&sae->provenance, from, from->cfg_path, from->cfg, err);
}

const struct ss_sae_format ss_sae_latent_format = {
    .name = "latent-sae",
    .files = "cfg.json and sae.safetensors",
    .claims_config = claims_config,
    .read = latent_read,
    .tensors = tensors,
};
