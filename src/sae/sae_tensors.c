/* Reading the tensors of a form into the canonical SAE. Shapes follow from width and number of
 * features; what a kind does not use is checked all the same. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "sae/sae_format.h"

#define UNIT_NORM_TOLERANCE 1.001e-5 /* of torch.allclose: 1e-5 of 1, and 1e-8 */

struct whole_name {
    char text[SS_SAE_NAME_BYTES];
};

static struct whole_name whole(const struct ss_sae_place *place, const char *name)
{
    struct whole_name whole;
    (void)snprintf(whole.text, sizeof whole.text, "%s%s", place->prefix, name);
    return whole;
}

/* ---- configs ---- */

ss_status ss_sae_need_size(const char *file, const struct ss__json *config, const char *key,
                           size_t *value, ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(ss__json_need(file, config, key, err));
    SS_TRY(ss__json_size(file, config, key, value, err));
    if (*value == 0 || *value > INT32_MAX) {
        status =
            ss__fail_file(err, file, SS_E_DATA, "%s is %zu, expected a number from 1 to %d",
                          key, *value, INT32_MAX);
        ss__err_about(err, key);
    }
out:
    return status;
}

ss_status ss_sae_set_model_name(struct ss_sae *sae, const struct ss__json *config,
                                const char *key, ss_err *err)
{
    const char *name = config == NULL ? NULL : ss__json_string(ss__json_get(config, key));
    sae->model_name = ss__strdup(name == NULL ? "" : name);
    return sae->model_name == NULL ? ss__fail_nomem(err, "the name of an SAE's encoder")
                                   : SS_OK;
}

ss_status ss_sae_check_top_k(const struct ss_sae *sae, const char *file, const char *key,
                             ss_err *err)
{
    if (sae->top_k > 0 && sae->top_k <= sae->n_features) {
        return SS_OK;
    }
    const ss_status status =
        ss__fail_file(err, file, sae->top_k == 0 ? SS_E_DATA : SS_E_SHAPE,
                      "%s is %zu, expected a number from 1 to the number of features, %zu", key,
                      sae->top_k, sae->n_features);
    ss__err_about(err, key);
    return status;
}

ss_status ss_sae_check_input(const struct ss_sae *sae, const char *file, const char *key,
                             ss_err *err)
{
    if (sae->input != SS_SAE_INPUT_LAYER_NORM || sae->width > 1) {
        return SS_OK;
    }
    const ss_status status =
        ss__fail_file(err, file, SS_E_SHAPE,
                      "%s has no meaning for inputs of width 1, which have no spread", key);
    ss__err_about(err, key);
    return status;
}

void ss_sae_compare_dtype(const struct ss_sae *sae, const struct ss_sae_place *place,
                          const char *file, const struct ss__json *config)
{
    const char *named = ss__json_string(ss__json_get(config, "dtype"));
    const char *plain = named != NULL && strncmp(named, "torch.", 6) == 0 ? named + 6 : named;
    if (plain != NULL && strcmp(plain, sae->dtype) != 0) {
        ss__log(place->log, SS_LEVEL_NOTICE,
                "%s: dtype says '%.40s', but the weights are stored as %s; they are used as "
                "stored",
                file, named, sae->dtype);
    }
}

/* ---- small tensors ---- */

ss_status ss_sae_need_vector(const struct ss_sae_place *place, const char *name, size_t n,
                             float **out, ss_err *err)
{
    const uint64_t shape[1] = {n};
    return ss_weights_need_f32(place->weights, whole(place, name).text, 1, shape, out, err);
}

/* Some files keep a number as [], some as [1]. */
ss_status ss_sae_need_scalar(const struct ss_sae_place *place, const char *name, double *out,
                             ss_err *err)
{
    const struct ss_weights_tensor *tensor = ss_sae_tensor(place, name);
    const uint64_t shape[1] = {1};
    float *value = NULL;
    const size_t n_dims = tensor != NULL && tensor->n_dims == 1 ? 1 : 0;
    const ss_status status = ss_weights_need_f32(place->weights, whole(place, name).text,
                                                 n_dims, shape, &value, err);
    if (status == SS_OK) {
        *out = (double)*value;
    }
    ss__free(value);
    return status;
}

ss_status ss_sae_set_shape(struct ss_sae *sae, const struct ss_sae_place *place,
                           const char *name, ss_tensor_layout layout, ss_err *err)
{
    ss_status status = SS_OK;
    const char *file = ss_weights_path(place->weights);
    const struct ss_weights_tensor *tensor = ss_sae_tensor(place, name);
    if (tensor == NULL) {
        return ss_weights_fail_missing(place->weights, whole(place, name).text, err);
    }
    if (tensor->n_dims != 2 || tensor->shape[0] == 0 || tensor->shape[1] == 0 ||
        tensor->shape[0] > INT32_MAX || tensor->shape[1] > INT32_MAX) {
        SS_FAIL_FILE(file, SS_E_SHAPE,
                     "tensor '%s' has %zu dimensions or an impossible size, expected a matrix",
                     tensor->name, tensor->n_dims);
    }
    sae->n_features = (size_t)tensor->shape[layout == SS_TENSOR_OUT_BY_IN ? 0 : 1];
    sae->width = (size_t)tensor->shape[layout == SS_TENSOR_OUT_BY_IN ? 1 : 0];
out:
    if (status != SS_OK) {
        ss__err_about(err, name);
    }
    return status;
}

/* Read a vector and keep it only if it is used. */
static ss_status read_vector(const struct ss_sae_place *place, const char *name, size_t n,
                             bool is_used, float **kept, ss_err *err)
{
    float *values = NULL;
    if (name == NULL) {
        return SS_OK;
    }
    const ss_status status = ss_sae_need_vector(place, name, n, &values, err);
    if (is_used) {
        *kept = values;
    } else {
        ss__free(values);
    }
    return status;
}

/* ---- thresholds ---- */

static ss_status read_threshold(struct ss_sae *sae, const struct ss_sae_place *place,
                                const struct ss_sae_form *form, ss_err *err)
{
    sae->threshold = NAN;
    if (form->threshold_form == SS_SAE_NO_THRESHOLD) {
        return SS_OK;
    }
    if (form->threshold_form == SS_SAE_THRESHOLD_ALL) {
        bool is_there = false;
        if (ss_sae_tensor(place, form->threshold) == NULL) {
            SS_RETURN_IF_ERROR(
                ss_sae_value_number(place, form->threshold, &sae->threshold, &is_there, err));
        }
        if (!is_there) {
            SS_RETURN_IF_ERROR(
                ss_sae_need_scalar(place, form->threshold, &sae->threshold, err));
        }
        if (sae->threshold <= 0) {
            ss__log(place->log, SS_LEVEL_WARNING,
                    "%s: '%s' is %g, as before any training: every positive activation is kept",
                    ss_weights_path(place->weights), form->threshold, sae->threshold);
        }
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(
        ss_sae_need_vector(place, form->threshold, sae->n_features, &sae->thresholds, err));
    for (size_t f = 0; form->threshold_form == SS_SAE_THRESHOLD_EACH_LOG && f < sae->n_features;
         f++) {
        sae->thresholds[f] = (float)exp((double)sae->thresholds[f]);
    }
    return SS_OK;
}

/* ---- gates ---- */

ss_status ss_sae_read_gains(struct ss_sae *sae, const struct ss_sae_place *place,
                            const char *name, ss_err *err)
{
    const size_t n = sae->n_features;
    SS_RETURN_IF_ERROR(ss_sae_need_vector(place, name, n, &sae->log_gains, err));
    SS_ALLOC_OR_RETURN(sae->gains, n);
    for (size_t f = 0; f < n; f++) {
        sae->gains[f] = (float)exp((double)sae->log_gains[f]);
        if (!isfinite(sae->gains[f])) {
            return ss__fail_file(err, ss_weights_path(place->weights), SS_E_NONFINITE,
                                 "exp of tensor '%s' is beyond float32 at index %zu", name, f);
        }
    }
    return SS_OK;
}

static ss_status read_gates(struct ss_sae *sae, const struct ss_sae_place *place,
                            const struct ss_sae_form *form, ss_err *err)
{
    const size_t n = sae->n_features;
    if (form->kind != SS_SAE_GATED) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(
        ss_sae_need_vector(place, form->words->gate_bias, n, &sae->gate_bias, err));
    SS_RETURN_IF_ERROR(ss_sae_need_vector(place, form->words->shift, n, &sae->shifts, err));
    return ss_sae_read_gains(sae, place, form->words->log_gain, err);
}

/* ---- matrices ---- */

static void transpose(const float *from, size_t n_rows, size_t n_columns, float *to)
{
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t c = 0; c < n_columns; c++) {
            to[c * n_rows + r] = from[r * n_columns + c];
        }
    }
}

ss_status ss_sae_need_rows(const struct ss_sae_place *place, const char *name,
                           ss_tensor_layout layout, const size_t size[2], float **out,
                           ss_err *err)
{
    ss_status status = SS_OK;
    const bool turned = layout == SS_TENSOR_IN_BY_OUT;
    const uint64_t shape[2] = {size[turned], size[!turned]};
    const float *values = NULL;
    float *owned = NULL;
    *out = NULL;
    SS_TRY(ss_weights_view_f32(place->weights, whole(place, name).text, 2, shape, &values,
                               &owned, err));
    SS_ALLOC_ALIGNED(*out, size[0] * size[1]);
    if (turned) {
        transpose(values, size[1], size[0], *out);
    } else {
        memcpy(*out, values, size[0] * size[1] * sizeof **out);
    }
out:
    ss__free(owned);
    return status;
}

static bool keeps_decoder(const struct ss_sae *sae)
{
    return sae->keeps_parts || sae->kind == SS_SAE_PURSUIT || sae->kind == SS_SAE_LISTA;
}

/* The decoder as [L, O], kept if something needs it; else its shape and numbers are checked. */
static ss_status read_decoder(struct ss_sae *sae, const struct ss_sae_place *place,
                              const struct ss_sae_form *form, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_sae_names *names = form->names;
    const bool turned = names->decoder_layout == SS_TENSOR_OUT_BY_IN;
    const size_t size[2] = {sae->n_features, sae->width_out};
    if (names->decoder == NULL) {
        return SS_OK;
    }
    if (keeps_decoder(sae) || form->folds_norms) {
        return ss_sae_need_rows(place, names->decoder,
                                turned ? SS_TENSOR_IN_BY_OUT : SS_TENSOR_OUT_BY_IN, size,
                                &sae->decoder, err);
    }
    const uint64_t shape[2] = {size[turned], size[!turned]};
    const float *values = NULL;
    float *owned = NULL;
    SS_TRY(ss_weights_view_f32(place->weights, whole(place, names->decoder).text, 2, shape,
                               &values, &owned, err));
    ss_weights_forget(place->weights, ss_sae_tensor(place, names->decoder));
out:
    ss__free(owned);
    return status;
}

static float norm_of(const float *row, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        squares += (double)row[i] * (double)row[i];
    }
    return (float)sqrt(squares);
}

/* Whether all rows are of length 1, but for rounding: then some projects leave them alone. */
static bool has_unit_norms(const struct ss_sae *sae)
{
    for (size_t f = 0; f < sae->n_features; f++) {
        const float norm = norm_of(sae->decoder + f * sae->width_out, sae->width_out);
        if (fabs((double)norm - 1) > UNIT_NORM_TOLERANCE) {
            return false;
        }
    }
    return true;
}

/* Take the decoder's norms into the encoder: h counts in their units, and the rows of the
 * decoder become of length 1. */
static void fold_norms(struct ss_sae *sae)
{
    for (size_t f = 0; f < sae->n_features; f++) {
        float *decoder = sae->decoder + f * sae->width_out;
        const float norm = norm_of(decoder, sae->width_out);
        for (size_t i = 0; i < sae->width; i++) {
            sae->encoder_rows[f * sae->width + i] *= norm;
        }
        for (size_t i = 0; norm > 0 && i < sae->width_out; i++) {
            decoder[i] /= norm;
        }
        if (sae->bias != NULL) {
            sae->bias[f] *= norm;
        }
    }
}

/* Take a factor of the inputs into the weights, as the project that writes them does at the end
 * of a training: (f x - b) W is (x - b / f) f W. */
static void fold_factor(struct ss_sae *sae, double factor)
{
    const float by = (float)factor;
    for (size_t i = 0; i < sae->n_features * sae->width; i++) {
        sae->encoder_rows[i] *= by;
    }
    for (size_t i = 0; sae->subtracted != NULL && i < sae->width; i++) {
        sae->subtracted[i] /= by;
    }
    for (size_t i = 0; sae->decoder_bias != NULL && i < sae->width_out; i++) {
        sae->decoder_bias[i] /= by;
    }
    for (size_t i = 0; sae->decoder != NULL && i < sae->n_features * sae->width_out; i++) {
        sae->decoder[i] /= by;
    }
}

/* The encoder without a copy of its own where nothing needs one. Its shape is checked before
 * there is memory for as many features as a config claims. */
static ss_status read_encoder_directly(struct ss_sae *sae, const struct ss_sae_place *place,
                                       const struct ss_sae_names *names, ss_err *err)
{
    ss_status status = SS_OK;
    const bool turned = names->encoder_layout == SS_TENSOR_IN_BY_OUT;
    const uint64_t shape[2] = {turned ? sae->width : sae->n_features,
                               turned ? sae->n_features : sae->width};
    const float *values = NULL;
    float *owned = NULL;
    SS_TRY(ss_weights_view_f32(place->weights, whole(place, names->encoder).text, 2, shape,
                               &values, &owned, err));
    SS_TRY(ss_tensor_matrix_new(sae->n_features, sae->width, SS_PRECISION_HIGHEST,
                                &sae->encoder, err));
    ss_tensor_matrix_fill(&sae->encoder, 0, sae->n_features, values, names->encoder_layout);
    ss_weights_forget(place->weights, ss_sae_tensor(place, names->encoder));
out:
    ss__free(owned);
    return status;
}

static ss_status read_encoder(struct ss_sae *sae, const struct ss_sae_place *place,
                              const struct ss_sae_form *form, ss_err *err)
{
    const size_t size[2] = {sae->n_features, sae->width};
    if (!sae->keeps_parts && !form->folds_norms && form->input_factor == 0) {
        SS_RETURN_IF_ERROR(read_encoder_directly(sae, place, form->names, err));
    } else {
        SS_RETURN_IF_ERROR(ss_sae_need_rows(place, form->names->encoder,
                                            form->names->encoder_layout, size,
                                            &sae->encoder_rows, err));
        if (form->folds_norms && !(form->keeps_unit_norms && has_unit_norms(sae))) {
            fold_norms(sae);
            ss_sae_note(sae, "the norms of the rows of %s are taken into %s",
                        form->words->decoder, form->words->encoder);
        }
        if (form->input_factor != 0) {
            fold_factor(sae, form->input_factor);
        }
        SS_RETURN_IF_ERROR(ss_tensor_matrix_new(sae->n_features, sae->width,
                                                SS_PRECISION_HIGHEST, &sae->encoder, err));
        ss_tensor_matrix_fill(&sae->encoder, 0, sae->n_features, sae->encoder_rows,
                              SS_TENSOR_OUT_BY_IN);
    }
    sae->dtype = ss_weights_dtype_name(ss_sae_tensor(place, form->names->encoder)->dtype);
    return SS_OK;
}

static ss_status read_skip(struct ss_sae *sae, const struct ss_sae_place *place, ss_err *err)
{
    const size_t size[2] = {sae->width_out, sae->width};
    return sae->has_skip && sae->keeps_parts
               ? ss_sae_need_rows(place, "W_skip", SS_TENSOR_OUT_BY_IN, size, &sae->skip, err)
               : SS_OK;
}

/* A tied decoder is the encoder again. */
static ss_status copy_tied(struct ss_sae *sae, ss_err *err)
{
    if (sae->keeps_parts && sae->decoder == NULL) {
        const size_t n = sae->n_features * sae->width;
        SS_ALLOC_ALIGNED_OR_RETURN(sae->decoder, n);
        memcpy(sae->decoder, sae->encoder_rows, n * sizeof *sae->decoder);
    }
    return SS_OK;
}

static ss_status read_biases(struct ss_sae *sae, const struct ss_sae_place *place,
                             const struct ss_sae_form *form, ss_err *err)
{
    const struct ss_sae_names *names = form->names;
    SS_RETURN_IF_ERROR(
        read_vector(place, names->bias, sae->n_features, form->adds_bias, &sae->bias, err));
    SS_RETURN_IF_ERROR(
        read_vector(place, names->decoder_bias, sae->width_out, true, &sae->decoder_bias, err));
    if (form->subtracts_bias) {
        SS_ALLOC_OR_RETURN(sae->subtracted, sae->width);
        memcpy(sae->subtracted, sae->decoder_bias, sae->width * sizeof *sae->subtracted);
    }
    if (!sae->keeps_parts) {
        ss__free(sae->decoder_bias);
        sae->decoder_bias = NULL;
    }
    return SS_OK;
}

ss_status ss_sae_read_form(struct ss_sae *sae, const struct ss_sae_place *place,
                           const struct ss_sae_form *form, ss_err *err)
{
    sae->kind = form->kind;
    sae->variant = form->variant;
    sae->words = form->words;
    sae->width_out = sae->width_out == 0 ? sae->width : sae->width_out;
    if (form->subtracts_bias && sae->width_out != sae->width) {
        return ss__fail_file(
            err, ss_weights_path(place->weights), SS_E_SHAPE,
            "'%s' has the width of the output, %zu, and cannot be subtracted from an "
            "input of width %zu",
            form->names->decoder_bias, sae->width_out, sae->width);
    }
    SS_RETURN_IF_ERROR(read_biases(sae, place, form, err));
    SS_RETURN_IF_ERROR(read_threshold(sae, place, form, err));
    SS_RETURN_IF_ERROR(read_gates(sae, place, form, err));
    SS_RETURN_IF_ERROR(read_decoder(sae, place, form, err));
    SS_RETURN_IF_ERROR(read_encoder(sae, place, form, err));
    SS_RETURN_IF_ERROR(copy_tied(sae, err));
    SS_RETURN_IF_ERROR(read_skip(sae, place, err));
    if (!sae->keeps_parts) {
        ss__free(sae->encoder_rows);
        sae->encoder_rows = NULL;
    }
    if (!keeps_decoder(sae)) {
        ss__free(sae->decoder);
        sae->decoder = NULL;
    }
    return SS_OK;
}
