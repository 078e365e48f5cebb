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
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "sae/sae_priv.h"
#include "weights/weights.h"

static const char config_name[] = "config.json";
static const char *const weights_names[] = {"sae.pt", "sae.safetensors"};
enum { N_WEIGHTS_NAMES = sizeof weights_names / sizeof weights_names[0] };

/* What a kind does with the stored tensors. */
static const struct {
    bool subtracts_b_dec, adds_b_enc, has_threshold, has_top_k;
} conventions[SS__N_SAE_KINDS] = {
    [SS__SAE_JUMPRELU] = {.adds_b_enc = true, .has_threshold = true},
    [SS__SAE_TOPK] = {.subtracts_b_dec = true, .has_top_k = true},
    [SS__SAE_BATCHTOPK] = {.subtracts_b_dec = true, .has_top_k = true},
    [SS__SAE_VANILLA] = {.subtracts_b_dec = true, .adds_b_enc = true},
};

static bool is_file_in(const char *folder, const char *name)
{
    char *path = ss__path_join(folder, name);
    const bool is_file = path != NULL && ss__path_look(path) == SS__PATH_FILE;
    ss__free(path);
    return is_file;
}

static bool has_seed_config(const char *folder)
{
    json_t *config = NULL;
    char *path = ss__path_join(folder, config_name);
    const bool is_seed = path != NULL && ss__json_load_optional(path, &config, NULL) == SS_OK &&
                         json_object_get(config, "sae_type") != NULL;
    json_decref(config);
    ss__free(path);
    return is_seed;
}

static bool seed_is_at(const struct ss__sae_place *place)
{
    for (size_t i = 0; i < N_WEIGHTS_NAMES; i++) {
        if (is_file_in(place->folder, weights_names[i])) {
            return true;
        }
    }
    return has_seed_config(place->folder);
}

/* ---- config ---- */

static ss_status read_kind(struct ss_sae *sae, const char *file, ss_err *err)
{
    ss_status status = SS_OK;
    const char *name = "";
    SS_TRY(ss__json_need(file, sae->config, "sae_type", err));
    SS_TRY(ss__json_text(file, sae->config, "sae_type", &name, err));
    for (ss__sae_kind kind = 0; kind < SS__N_SAE_KINDS; kind++) {
        if (strcmp(name, ss__sae_kind_name(kind)) == 0) {
            sae->kind = kind;
            goto out;
        }
    }
    status = ss__fail_file(err, file, SS_E_UNSUPPORTED,
                           "sae_type '%.80s' is not known; known are jumprelu, topk, batchtopk "
                           "and vanilla",
                           name);
    ss__err_about(err, "sae_type");
out:
    return status;
}

static ss_status need_size(struct ss_sae *sae, const char *file, const char *key, size_t *value,
                           ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(ss__json_need(file, sae->config, key, err));
    SS_TRY(ss__json_size(file, sae->config, key, value, err));
    if (*value == 0 || *value > INT32_MAX) {
        status =
            ss__fail_file(err, file, SS_E_DATA, "%s is %zu, expected a number from 1 to %d",
                          key, *value, INT32_MAX);
        ss__err_about(err, key);
    }
out:
    return status;
}

static ss_status read_config(struct ss_sae *sae, const char *file, ss_err *err)
{
    ss_status status = SS_OK;
    const char *model_name = "";
    SS_TRY(ss__json_load(file, &sae->config, err));
    if (!json_is_object(sae->config)) {
        SS_FAIL_FILE(file, SS_E_DATA, "expected an object with the SAE's configuration");
    }
    SS_TRY(read_kind(sae, file, err));
    SS_TRY(need_size(sae, file, "act_size", &sae->width, err));
    SS_TRY(need_size(sae, file, "dict_size", &sae->n_features, err));
    if (conventions[sae->kind].has_top_k) {
        SS_TRY(need_size(sae, file, "top_k", &sae->top_k, err));
        if (sae->top_k > sae->n_features) {
            SS_FAIL_FILE(file, SS_E_SHAPE,
                         "top_k is %zu, but there are only %zu features (dict_size)",
                         sae->top_k, sae->n_features);
        }
    }
    SS_TRY(ss__json_bool(file, sae->config, "input_unit_norm", &sae->normalizes_input, err));
    SS_TRY(ss__json_text(file, sae->config, "model_name", &model_name, err));
    if (sae->normalizes_input && sae->width == 1) {
        SS_FAIL_FILE(file, SS_E_SHAPE,
                     "input_unit_norm has no meaning for inputs of width 1 (act_size)");
    }
    const json_t *num_examples = json_object_get(sae->config, "num_examples");
    if (json_is_integer(num_examples) && json_integer_value(num_examples) > 0) {
        sae->config_num_examples = (uint64_t)json_integer_value(num_examples);
    }
    sae->model_name = ss__strdup(model_name);
    if (sae->model_name == NULL) {
        status = ss__fail_nomem(err, "the name of an SAE's encoder");
    }
out:
    return status;
}

/* ---- tensors ---- */

/* Check a tensor's shape and numbers, and copy it if `kept` is given. */
static ss_status read_vector(const struct ss__weights *weights, const char *name, size_t n,
                             float **kept, ss_err *err)
{
    const uint64_t shape[1] = {n};
    float *values = NULL;
    const ss_status status = ss__weights_need_f32(weights, name, 1, shape, &values, err);
    if (kept != NULL) {
        *kept = values;
    } else {
        ss__free(values);
    }
    return status;
}

static ss_status read_matrices(struct ss_sae *sae, const struct ss__weights *weights,
                               ss_err *err)
{
    ss_status status = SS_OK;
    const uint64_t encoder_shape[2] = {sae->width, sae->n_features};
    const uint64_t decoder_shape[2] = {sae->n_features, sae->width};
    const float *values = NULL;
    float *owned = NULL;
    SS_TRY(ss__weights_view_f32(weights, "W_dec", 2, decoder_shape, &values, &owned, err));
    ss__free(owned);
    owned = NULL;
    SS_TRY(ss__weights_view_f32(weights, "W_enc", 2, encoder_shape, &values, &owned, err));
    SS_TRY(ss__matrix_new(sae->n_features, sae->width, &sae->encoder, err));
    ss__matrix_fill(&sae->encoder, 0, sae->n_features, values, SS__IN_BY_OUT);
    sae->dtype = ss__dtype_name(ss__weights_find(weights, "W_enc")->dtype);
out:
    ss__free(owned);
    return status;
}

static ss_status read_tensors(struct ss_sae *sae, const struct ss__weights *weights,
                              ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n = sae->n_features;
    SS_TRY(read_vector(weights, "b_dec", sae->width,
                       conventions[sae->kind].subtracts_b_dec ? &sae->subtracted : NULL, err));
    SS_TRY(read_vector(weights, "b_enc", n,
                       conventions[sae->kind].adds_b_enc ? &sae->bias : NULL, err));
    if (conventions[sae->kind].has_threshold) {
        SS_TRY(read_vector(weights, "jumprelu.log_threshold", n, &sae->thresholds, err));
        for (size_t f = 0; f < n; f++) {
            sae->thresholds[f] = (float)exp((double)sae->thresholds[f]);
        }
    }
    SS_TRY(read_matrices(sae, weights, err));
out:
    return status;
}

static ss_status find_weights(const struct ss__sae_place *place, char **path, ss_err *err)
{
    size_t i = 0;
    while (place->weights == NULL && i < N_WEIGHTS_NAMES &&
           !is_file_in(place->folder, weights_names[i])) {
        i++;
    }
    if (i == N_WEIGHTS_NAMES) {
        return ss__fail_file(err, place->folder, SS_E_NOINPUT,
                             "no weights in this folder: expected sae.pt or sae.safetensors");
    }
    *path = place->weights != NULL ? ss__strdup(place->weights)
                                   : ss__path_join(place->folder, weights_names[i]);
    return *path == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
}

static void compare_dtype(const struct ss_sae *sae, const char *file, const struct ss_log *log)
{
    const char *named = json_string_value(json_object_get(sae->config, "dtype"));
    const char *plain = named != NULL && strncmp(named, "torch.", 6) == 0 ? named + 6 : named;
    if (plain != NULL && strcmp(plain, sae->dtype) != 0) {
        ss__log(log, SS_LEVEL_NOTICE,
                "%s: dtype says '%.40s', but the weights are stored as %s; they are used as "
                "stored",
                file, named, sae->dtype);
    }
}

static ss_status seed_read(struct ss_sae *sae, const struct ss__sae_place *place,
                           const struct ss_log *log, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__weights *weights = NULL;
    char *config_path = ss__path_join(place->folder, config_name);
    char *weights_path = NULL;
    if (config_path == NULL) {
        status = ss__fail_nomem(err, "a path");
        goto out;
    }
    SS_TRY(read_config(sae, config_path, err));
    SS_TRY(find_weights(place, &weights_path, err));
    SS_TRY(ss__weights_open(weights_path, &weights, err));
    SS_TRY(read_tensors(sae, weights, err));
    compare_dtype(sae, config_path, log);
    SS_TRY(ss__sae_add_file(sae, config_path, err));
    SS_TRY(ss__sae_add_file(sae, weights_path, err));
out:
    if (status != SS_OK && weights != NULL) {
        ss__err_in_file(err, weights_path);
    }
    ss__weights_close(weights);
    ss__free(config_path);
    ss__free(weights_path);
    return status;
}

const struct ss__sae_format ss__sae_seed_format = {"saes-for-sbert", seed_is_at, seed_read};
