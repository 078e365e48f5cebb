/* Reading the tensors of a form into the canonical SAE. Shapes follow from width and number of
 * features; what a kind does not use is checked all the same.
 *
 * Weights of large SAEs are read once and not kept twice: where nothing needs the floats,
 * the encoder goes from the mapped file into the packed matrix, and its pages are let go.
 * Floats are kept only for a conversion, a rule that multiplies with the decoder, or norms
 * and factors that are taken into the weights. f16 and bf16 are widened to f32
 * (docs/numerics.md, "SAEs"). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "sae/sae_format.h"

#define UNIT_NORM_TOLERANCE 1.001e-5 /* of torch.allclose: 1e-5 of 1, and 1e-8 */

struct full_name {
    char text[SS_SAE_NAME_BYTES];
};

/* The name as it stands in the file. A struct, so that it can be used in an expression. */
static struct full_name full_name(const struct ss_sae_checkpoint *from, const char *name)
{
    struct full_name full;
    (void)snprintf(full.text, sizeof full.text, "%s%s", from->prefix, name);
    return full;
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

ss_status ss_sae_set_model_name(struct ss_sae_parts *sae, const struct ss__json *config,
                                const char *key, ss_err *err)
{
    const char *name = config == NULL ? NULL : ss__json_string(ss__json_get(config, key));
    sae->provenance.model_name = ss__strdup(name == NULL ? "" : name);
    return sae->provenance.model_name == NULL
               ? ss__fail_nomem(err, "the name of an SAE's encoder")
               : SS_OK;
}

ss_status ss_sae_check_top_k(const struct ss_sae_parts *sae, const char *file, const char *key,
                             ss_err *err)
{
    if (sae->rule.top_k > 0 && sae->rule.top_k <= sae->parameters.n_features) {
        return SS_OK;
    }
    const ss_status status =
        ss__fail_file(err, file, sae->rule.top_k == 0 ? SS_E_DATA : SS_E_SHAPE,
                      "%s is %zu, expected a number from 1 to the number of features, %zu", key,
                      sae->rule.top_k, sae->parameters.n_features);
    ss__err_about(err, key);
    return status;
}

ss_status ss_sae_check_input(const struct ss_sae_parts *sae, const char *file, const char *key,
                             ss_err *err)
{
    if (sae->parameters.input != SS_SAE_INPUT_LAYER_NORM || sae->parameters.width > 1) {
        return SS_OK;
    }
    const ss_status status =
        ss__fail_file(err, file, SS_E_SHAPE,
                      "%s has no meaning for inputs of width 1, which have no spread", key);
    ss__err_about(err, key);
    return status;
}

void ss_sae_compare_dtype(const struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                          const char *file, const struct ss__json *config)
{
    const char *named = ss__json_string(ss__json_get(config, "dtype"));
    const char *plain = named != NULL && strncmp(named, "torch.", 6) == 0 ? named + 6 : named;
    if (plain != NULL && strcmp(plain, sae->provenance.dtype) != 0) {
        ss__log(from->log, SS_LEVEL_NOTICE,
                "%s: dtype says '%.40s', but the weights are stored as %s; they are used as "
                "stored",
                file, named, sae->provenance.dtype);
    }
}

/* ---- small tensors ---- */

ss_status ss_sae_need_vector(const struct ss_sae_checkpoint *from, const char *name, size_t n,
                             float **out, ss_err *err)
{
    const uint64_t shape[1] = {n};
    return ss_weights_need_f32(from->weights, full_name(from, name).text, 1, shape, out, err);
}

/* Some files keep a number as [], some as [1]. */
ss_status ss_sae_need_scalar(const struct ss_sae_checkpoint *from, const char *name,
                             double *out, ss_err *err)
{
    const struct ss_weights_tensor *tensor = ss_sae_tensor(from, name);
    const uint64_t shape[1] = {1};
    float *value = NULL;
    const size_t n_dims = tensor != NULL && tensor->n_dims == 1 ? 1 : 0;
    const ss_status status = ss_weights_need_f32(from->weights, full_name(from, name).text,
                                                 n_dims, shape, &value, err);
    if (status == SS_OK) {
        *out = (double)*value;
    }
    ss__free(value);
    return status;
}

ss_status ss_sae_set_shape(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                           const char *name, ss_tensor_layout layout, ss_err *err)
{
    ss_status status = SS_OK;
    const char *file = ss_weights_path(from->weights);
    const struct ss_weights_tensor *tensor = ss_sae_tensor(from, name);
    if (tensor == NULL) {
        return ss_weights_fail_missing(from->weights, full_name(from, name).text, err);
    }
    if (tensor->n_dims != 2 || tensor->shape[0] == 0 || tensor->shape[1] == 0 ||
        tensor->shape[0] > INT32_MAX || tensor->shape[1] > INT32_MAX) {
        SS_FAIL_FILE(file, SS_E_SHAPE,
                     "tensor '%s' has %zu dimensions or an impossible size, expected a matrix",
                     tensor->name, tensor->n_dims);
    }
    sae->parameters.n_features = (size_t)tensor->shape[layout == SS_TENSOR_OUT_BY_IN ? 0 : 1];
    sae->parameters.width = (size_t)tensor->shape[layout == SS_TENSOR_OUT_BY_IN ? 1 : 0];
out:
    if (status != SS_OK) {
        ss__err_about(err, name);
    }
    return status;
}

/* Read a vector and keep it only if it is used. */
static ss_status read_vector(const struct ss_sae_checkpoint *from, const char *name, size_t n,
                             bool is_used, float **kept, ss_err *err)
{
    float *values = NULL;
    if (name == NULL) {
        return SS_OK;
    }
    const ss_status status = ss_sae_need_vector(from, name, n, &values, err);
    if (is_used) {
        *kept = values;
    } else {
        ss__free(values);
    }
    return status;
}

/* ---- thresholds ---- */

/* One threshold of all features may be a tensor or a plain value. One that is not above 0 is
 * what a file has before training set it; one that is not finite is none. */
static ss_status read_threshold(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                                const struct ss_sae_form *form, ss_err *err)
{
    if (form->threshold_form == SS_SAE_NO_THRESHOLD) {
        return SS_OK;
    }
    if (form->threshold_form == SS_SAE_THRESHOLD_ALL) {
        bool is_there = false;
        if (!ss_sae_has_tensor(from, form->threshold)) {
            SS_RETURN_IF_ERROR(ss_sae_value_number(
                from, form->threshold, &sae->rule.stored_threshold, &is_there, err));
        }
        if (!is_there) {
            SS_RETURN_IF_ERROR(
                ss_sae_need_scalar(from, form->threshold, &sae->rule.stored_threshold, err));
        }
        if (sae->rule.stored_threshold <= 0) {
            ss__log(from->log, SS_LEVEL_WARNING,
                    "%s: '%s' is %g, as before any training: every positive activation is kept",
                    ss_weights_path(from->weights), form->threshold,
                    sae->rule.stored_threshold);
        }
        sae->rule.has_stored_threshold = isfinite(sae->rule.stored_threshold);
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss_sae_need_vector(from, form->threshold, sae->parameters.n_features,
                                          &sae->parameters.thresholds, err));
    for (size_t f = 0;
         form->threshold_form == SS_SAE_THRESHOLD_EACH_LOG && f < sae->parameters.n_features;
         f++) {
        sae->parameters.thresholds[f] = (float)exp((double)sae->parameters.thresholds[f]);
    }
    return SS_OK;
}

/* ---- gates ---- */

ss_status ss_sae_read_gains(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                            const char *name, ss_err *err)
{
    const size_t n = sae->parameters.n_features;
    SS_RETURN_IF_ERROR(ss_sae_need_vector(from, name, n, &sae->parameters.log_gains, err));
    SS_ALLOC_OR_RETURN(sae->parameters.gains, n);
    for (size_t f = 0; f < n; f++) {
        sae->parameters.gains[f] = (float)exp((double)sae->parameters.log_gains[f]);
        if (!isfinite(sae->parameters.gains[f])) {
            return ss__fail_file(err, ss_weights_path(from->weights), SS_E_NONFINITE,
                                 "exp of tensor '%s' is beyond float32 at index %zu", name, f);
        }
    }
    return SS_OK;
}

/* A gated SAE fires by one line of h and has its value by another: gate_bias is that of the
 * first, gains and shifts those of the second (sae_priv.h). */
static ss_status read_gates(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                            const struct ss_sae_form *form, ss_err *err)
{
    const size_t n = sae->parameters.n_features;
    if (form->kind != SS_SAE_GATED) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(
        ss_sae_need_vector(from, form->labels->gate_bias, n, &sae->parameters.gate_bias, err));
    SS_RETURN_IF_ERROR(
        ss_sae_need_vector(from, form->labels->shift, n, &sae->parameters.shifts, err));
    return ss_sae_read_gains(sae, from, form->labels->log_gain, err);
}

/* ---- matrices ---- */

void ss_sae_transpose_into(const float *rows, size_t n, size_t m, float *out)
{
    for (size_t r = 0; r < n; r++) {
        for (size_t c = 0; c < m; c++) {
            out[c * n + r] = rows[r * m + c];
        }
    }
}

ss_status ss_sae_need_rows(const struct ss_sae_checkpoint *from, const char *name,
                           ss_tensor_layout layout, const size_t size[2], float **out,
                           ss_err *err)
{
    ss_status status = SS_OK;
    const bool transposed = layout == SS_TENSOR_IN_BY_OUT;
    const uint64_t shape[2] = {size[transposed], size[!transposed]};
    const float *values = NULL;
    float *owned = NULL;
    *out = NULL;
    SS_TRY(ss_weights_view_f32(from->weights, full_name(from, name).text, 2, shape, &values,
                               &owned, err));
    SS_ALLOC_ALIGNED(*out, size[0] * size[1]);
    if (transposed) {
        ss_sae_transpose_into(values, size[1], size[0], *out);
    } else {
        memcpy(*out, values, size[0] * size[1] * sizeof **out);
    }
out:
    ss__free(owned);
    return status;
}

/* Rules that multiply with it, and whoever asked for all weights. */
static bool keeps_decoder(const struct ss_sae_parts *sae)
{
    return sae->parameters.keeps_all || sae->rule.kind == SS_SAE_PURSUIT ||
           sae->rule.kind == SS_SAE_LISTA;
}

/* The decoder as [L, O], kept if something needs it; else its shape and numbers are checked. */
static ss_status read_decoder(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                              const struct ss_sae_form *form, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_sae_names *names = form->names;
    const bool transposed = names->decoder_layout == SS_TENSOR_OUT_BY_IN;
    const size_t size[2] = {sae->parameters.n_features, sae->parameters.width_out};
    if (names->decoder == NULL) {
        return SS_OK;
    }
    if (keeps_decoder(sae) || form->folds_norms) {
        return ss_sae_need_rows(from, names->decoder,
                                transposed ? SS_TENSOR_IN_BY_OUT : SS_TENSOR_OUT_BY_IN, size,
                                &sae->parameters.decoder, err);
    }
    const uint64_t shape[2] = {size[transposed], size[!transposed]};
    const float *values = NULL;
    float *owned = NULL;
    SS_TRY(ss_weights_view_f32(from->weights, full_name(from, names->decoder).text, 2, shape,
                               &values, &owned, err));
    /* only its shape and numbers were checked */
    ss_weights_release_pages(from->weights, ss_sae_tensor(from, names->decoder));
out:
    ss__free(owned);
    return status;
}

/* A sum in double, rounded once (docs/numerics.md, "SAEs"). */
static float norm_of(const float *row, size_t n)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        squares += (double)row[i] * (double)row[i];
    }
    return (float)sqrt(squares);
}

/* Whether all rows are of length 1, but for rounding: then some projects leave them alone. */
static bool has_unit_norms(const struct ss_sae_parts *sae)
{
    for (size_t f = 0; f < sae->parameters.n_features; f++) {
        const float norm = norm_of(sae->parameters.decoder + f * sae->parameters.width_out,
                                   sae->parameters.width_out);
        if (fabs((double)norm - 1) > UNIT_NORM_TOLERANCE) {
            return false;
        }
    }
    return true;
}

/* Take the decoder's norms into the encoder: h counts in their units, and the rows of the
 * decoder become of length 1. A feature whose decoder is 0 has an encoder of 0 then, and never
 * fires. */
static void fold_norms(struct ss_sae_parts *sae)
{
    for (size_t f = 0; f < sae->parameters.n_features; f++) {
        float *decoder = sae->parameters.decoder + f * sae->parameters.width_out;
        const float norm = norm_of(decoder, sae->parameters.width_out);
        for (size_t i = 0; i < sae->parameters.width; i++) {
            sae->parameters.encoder_rows[f * sae->parameters.width + i] *= norm;
        }
        for (size_t i = 0; norm > 0 && i < sae->parameters.width_out; i++) {
            decoder[i] /= norm;
        }
        if (sae->parameters.bias != NULL) {
            sae->parameters.bias[f] *= norm;
        }
    }
}

/* Take a factor of the inputs into the weights, as the project that writes them does at the end
 * of a training: (f x - b) W is (x - b / f) f W. */
static void fold_factor(struct ss_sae_parts *sae, double factor)
{
    const float by = (float)factor;
    for (size_t i = 0; i < sae->parameters.n_features * sae->parameters.width; i++) {
        sae->parameters.encoder_rows[i] *= by;
    }
    for (size_t i = 0; sae->parameters.subtracted != NULL && i < sae->parameters.width; i++) {
        sae->parameters.subtracted[i] /= by;
    }
    for (size_t i = 0; sae->parameters.decoder_bias != NULL && i < sae->parameters.width_out;
         i++) {
        sae->parameters.decoder_bias[i] /= by;
    }
    for (size_t i = 0; sae->parameters.decoder != NULL &&
                       i < sae->parameters.n_features * sae->parameters.width_out;
         i++) {
        sae->parameters.decoder[i] /= by;
    }
}

/* The encoder without a copy of its own where nothing needs one. Its shape is checked before
 * there is memory for as many features as a config claims. */
static ss_status read_encoder_directly(struct ss_sae_parts *sae,
                                       const struct ss_sae_checkpoint *from,
                                       const struct ss_sae_names *names, ss_err *err)
{
    ss_status status = SS_OK;
    const bool transposed = names->encoder_layout == SS_TENSOR_IN_BY_OUT;
    const uint64_t shape[2] = {transposed ? sae->parameters.width : sae->parameters.n_features,
                               transposed ? sae->parameters.n_features : sae->parameters.width};
    const float *values = NULL;
    float *owned = NULL;
    SS_TRY(ss_weights_view_f32(from->weights, full_name(from, names->encoder).text, 2, shape,
                               &values, &owned, err));
    SS_TRY(ss_tensor_matrix_new(sae->parameters.n_features, sae->parameters.width,
                                SS_PRECISION_HIGHEST, &sae->parameters.encoder, err));
    ss_tensor_matrix_fill(&sae->parameters.encoder, 0, sae->parameters.n_features, values,
                          names->encoder_layout);
    ss_weights_release_pages(from->weights, ss_sae_tensor(from, names->encoder));
out:
    ss__free(owned);
    return status;
}

static ss_status read_encoder(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                              const struct ss_sae_form *form, ss_err *err)
{
    const size_t size[2] = {sae->parameters.n_features, sae->parameters.width};
    if (!sae->parameters.keeps_all && !form->folds_norms && form->input_factor == 0) {
        SS_RETURN_IF_ERROR(read_encoder_directly(sae, from, form->names, err));
    } else {
        SS_RETURN_IF_ERROR(ss_sae_need_rows(from, form->names->encoder,
                                            form->names->encoder_layout, size,
                                            &sae->parameters.encoder_rows, err));
        if (form->folds_norms && !(form->keeps_unit_norms && has_unit_norms(sae))) {
            fold_norms(sae);
            ss_sae_add_note(sae, "the norms of the rows of %s are taken into %s",
                            form->labels->decoder, form->labels->encoder);
        }
        if (form->input_factor != 0) {
            fold_factor(sae, form->input_factor);
        }
        SS_RETURN_IF_ERROR(ss_tensor_matrix_new(sae->parameters.n_features,
                                                sae->parameters.width, SS_PRECISION_HIGHEST,
                                                &sae->parameters.encoder, err));
        ss_tensor_matrix_fill(&sae->parameters.encoder, 0, sae->parameters.n_features,
                              sae->parameters.encoder_rows, SS_TENSOR_OUT_BY_IN);
    }
    sae->provenance.dtype =
        ss_weights_dtype_name(ss_sae_tensor(from, form->names->encoder)->dtype);
    return SS_OK;
}

static ss_status read_skip(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                           ss_err *err)
{
    const size_t size[2] = {sae->parameters.width_out, sae->parameters.width};
    return sae->parameters.has_skip && sae->parameters.keeps_all
               ? ss_sae_need_rows(from, "W_skip", SS_TENSOR_OUT_BY_IN, size,
                                  &sae->parameters.skip, err)
               : SS_OK;
}

/* A tied decoder is the encoder again, which writers and reconstruction expect as an array of
 * its own. */
static ss_status copy_tied(struct ss_sae_parts *sae, ss_err *err)
{
    if (sae->parameters.keeps_all && sae->parameters.decoder == NULL) {
        const size_t n = sae->parameters.n_features * sae->parameters.width;
        SS_ALLOC_ALIGNED_OR_RETURN(sae->parameters.decoder, n);
        memcpy(sae->parameters.decoder, sae->parameters.encoder_rows,
               n * sizeof *sae->parameters.decoder);
    }
    return SS_OK;
}

/* The decoder's bias is read in any case: what is subtracted from inputs is a copy of it, which
 * stays, and the bias itself stays for writers only. */
static ss_status read_biases(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                             const struct ss_sae_form *form, ss_err *err)
{
    const struct ss_sae_names *names = form->names;
    SS_RETURN_IF_ERROR(read_vector(from, names->bias, sae->parameters.n_features,
                                   form->adds_bias, &sae->parameters.bias, err));
    SS_RETURN_IF_ERROR(read_vector(from, names->decoder_bias, sae->parameters.width_out, true,
                                   &sae->parameters.decoder_bias, err));
    if (form->subtracts_bias) {
        SS_ALLOC_OR_RETURN(sae->parameters.subtracted, sae->parameters.width);
        memcpy(sae->parameters.subtracted, sae->parameters.decoder_bias,
               sae->parameters.width * sizeof *sae->parameters.subtracted);
    }
    if (!sae->parameters.keeps_all) {
        ss__free(sae->parameters.decoder_bias);
        sae->parameters.decoder_bias = NULL;
    }
    return SS_OK;
}

ss_status ss_sae_read_form(struct ss_sae_parts *sae, const struct ss_sae_checkpoint *from,
                           const struct ss_sae_form *form, ss_err *err)
{
    sae->rule.kind = form->kind;
    sae->provenance.variant = form->variant;
    sae->provenance.labels = form->labels;
    sae->parameters.width_out =
        sae->parameters.width_out == 0 ? sae->parameters.width : sae->parameters.width_out;
    if (form->subtracts_bias && sae->parameters.width_out != sae->parameters.width) {
        return ss__fail_file(
            err, ss_weights_path(from->weights), SS_E_SHAPE,
            "'%s' has the width of the output, %zu, and cannot be subtracted from an "
            "input of width %zu",
            form->names->decoder_bias, sae->parameters.width_out, sae->parameters.width);
    }
    SS_RETURN_IF_ERROR(read_biases(sae, from, form, err));
    SS_RETURN_IF_ERROR(read_threshold(sae, from, form, err));
    SS_RETURN_IF_ERROR(read_gates(sae, from, form, err));
    SS_RETURN_IF_ERROR(read_decoder(sae, from, form, err));
    SS_RETURN_IF_ERROR(read_encoder(sae, from, form, err));
    SS_RETURN_IF_ERROR(copy_tied(sae, err));
    SS_RETURN_IF_ERROR(read_skip(sae, from, err));
    if (!sae->parameters.keeps_all) {
        ss__free(sae->parameters.encoder_rows);
        sae->parameters.encoder_rows = NULL;
    }
    if (!keeps_decoder(sae)) {
        ss__free(sae->parameters.decoder);
        sae->parameters.decoder = NULL;
    }
    return SS_OK;
}
