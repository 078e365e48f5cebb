/* Gemma Scope, a file with the tensors of a jumprelu SAE, whose b_dec is not subtracted:
 *
 *   params.npz           W_enc [D, L], W_dec [L, O], b_enc [L], b_dec [O], threshold [L]; some
 *                        files write w_enc and w_dec
 *   params.safetensors   the same in small letters, of Gemma Scope 2, with config.json
 *                        {architecture: jump_relu, width, affine_connection, ...}
 *
 * Reference: the loaders of SAELens 6.54 for both, and for their transcoders, whose output may
 * be as wide as it likes. SAEs of the embedding layer count in inputs divided by sqrt(D). */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "sae/sae_format.h"

static const char *const weights_names[] = {"params.npz", "params.safetensors", NULL};
static const char *const tensors[] = {"W_enc",     "W_dec",          "w_enc",
                                      "w_dec",     "b_enc",          "b_dec",
                                      "threshold", "scaling_factor", "affine_skip_connection",
                                      NULL};

static const char *const read_keys[] = {"architecture", "width", NULL};
static const char *const unused_keys[] = {
    "l0",   "model_name", "hf_hook_point_in", "hf_hook_point_out", "affine_connection",
    "type", NULL};
static const struct ss_sae_keys keys = {.read = read_keys, .unused = unused_keys};

#define NAMES(w)                                                                               \
    .encoder = w "_enc", .encoder_layout = SS_TENSOR_IN_BY_OUT, .decoder = w "_dec",           \
    .decoder_layout = SS_TENSOR_IN_BY_OUT, .bias = "b_enc", .decoder_bias = "b_dec"
#define LABELS(w)                                                                              \
    .encoder = w "_enc", .decoder = w "_dec", .subtracted = "b_dec", .bias = "b_enc",          \
    .threshold = "threshold"

static const struct ss_sae_names large_names = {NAMES("W")}, small_names = {NAMES("w")};
static const struct ss_sae_labels large_labels = {LABELS("W")}, small_labels = {LABELS("w")};

/* The same names in another container may be those of other projects. */
static bool gemma_claims(const struct ss_sae_checkpoint *from)
{
    const bool is_npz = strcmp(ss_weights_format(from->weights), "npz") == 0;
    return ss_sae_has_tensor(from, "threshold") &&
           (ss_sae_has_tensor(from, "w_enc") || (is_npz && ss_sae_has_tensor(from, "W_enc")));
}

/* Gemma Scope 2 has a config; the files before it had none, and what lies beside them is not
 * theirs. */
static ss_status check_config(struct ss_sae_checkpoint *from, ss_err *err)
{
    const char *architecture = "jump_relu";
    if (ss__json_get(from->config, "architecture") == NULL) {
        return SS_OK; /* of another thing, or none */
    }
    SS_RETURN_IF_ERROR(
        ss__json_text(from->config_path, from->config, "architecture", &architecture, err));
    if (strcmp(architecture, "jump_relu") != 0) {
        return ss__fail_file(err, from->config_path, SS_E_UNSUPPORTED,
                             "architecture '%.80s' is not known; known is jump_relu",
                             architecture);
    }
    return ss_sae_check_keys(from, from->config_path, from->config, &keys, err);
}

/* The original refuses a factor that is not 1, within the tolerance of torch.allclose. */
static ss_status check_scaling(const struct ss_sae_parts *sae,
                               const struct ss_sae_checkpoint *from, ss_err *err)
{
    ss_status status = SS_OK;
    float *factors = NULL;
    if (!ss_sae_has_tensor(from, "scaling_factor")) {
        return SS_OK;
    }
    SS_TRY(
        ss_sae_need_vector(from, "scaling_factor", sae->parameters.n_features, &factors, err));
    for (size_t f = 0; f < sae->parameters.n_features; f++) {
        if (!(fabs((double)factors[f] - 1) <= 1.001e-5)) { /* torch.allclose */
            SS_FAIL_FILE(ss_weights_path(from->weights), SS_E_UNSUPPORTED,
                         "array 'scaling_factor' is not 1, and nothing says what it scales");
        }
    }
out:
    ss__free(factors);
    return status;
}

/* Nothing in the files of the embedding layer tells that they count in other inputs; their path
 * does. */
static ss_status check_layer(const struct ss_sae_checkpoint *from, ss_err *err)
{
    return strstr(ss_weights_path(from->weights), "/embedding/width_") == NULL
               ? SS_OK
               : ss__fail_file(err, ss_weights_path(from->weights), SS_E_UNSUPPORTED,
                               "an SAE of the embedding layer (folder 'embedding') counts in "
                               "inputs divided by the root of their width, which is not done "
                               "here");
}

static ss_status gemma_read(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from,
                            ss_err *err)
{
    struct ss_sae_form form = {.variant = "jumprelu",
                               .kind = SS_SAE_JUMPRELU,
                               .adds_bias = true,
                               .threshold_form = SS_SAE_THRESHOLD_EACH,
                               .threshold = "threshold"};
    SS_RETURN_IF_ERROR(ss_sae_checkpoint_open_weights(from, weights_names,
                                                      "params.npz or params.safetensors", err));
    const bool is_small = ss_sae_has_tensor(from, "w_enc");
    form.names = is_small ? &small_names : &large_names;
    form.labels = is_small ? &small_labels : &large_labels;
    SS_RETURN_IF_ERROR(check_config(from, err));
    SS_RETURN_IF_ERROR(check_layer(from, err));
    SS_RETURN_IF_ERROR(
        ss_sae_set_shape(sae, from, form.names->encoder, SS_TENSOR_IN_BY_OUT, err));
    /* a decoder that is no matrix is refused when it is read */
    const struct ss_weights_tensor *decoder = ss_sae_tensor(from, form.names->decoder);
    if (decoder != NULL && decoder->n_dims == 2 && decoder->shape[1] <= INT32_MAX) {
        sae->parameters.width_out = (size_t)decoder->shape[1];
        sae->parameters.is_transcoder = sae->parameters.width_out != sae->parameters.width;
    }
    SS_RETURN_IF_ERROR(check_scaling(sae, from, err));
    SS_RETURN_IF_ERROR(ss_sae_set_model_name(sae, from->config, "model_name", err));
    SS_RETURN_IF_ERROR(ss_sae_read_form(sae, from, &form, err));
    return ss_sae_add_files(&sae->provenance, from, NULL, NULL, err);
}

const struct ss_sae_format ss_sae_gemma_format = {
    .name = "gemma-scope",
    .files = "params.npz",
    .claims_tensors = gemma_claims,
    .read = gemma_read,
    .tensors = tensors,
};
