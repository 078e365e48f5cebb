/* The encoder and the SAE of the run, and what its texts are like to them. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sae/sae.h"
#include "web/viewer_priv.h"

/* ---- opening ---- */

/* Both are of one run, but nothing of a folder is believed. */
static ss_status check_width(const struct ss_web_api *api, ss_err *err)
{
    struct ss_sae_info info = {.struct_size = sizeof info};
    ss_sae_describe(api->models.sae, &info);
    return !api->source.has_evidence || api->source.evidence.width == info.width
               ? SS_OK
               : ss__fail_file(err, api->source.folder, SS_E_DATA,
                               "its embeddings have %zu numbers and its SAE takes %zu",
                               api->source.evidence.width, info.width);
}

static ss_status need(struct ss_web_api *api, bool no_encoder, ss_err *err)
{
    if (api->source.is_partial) {
        return ss__fail(err, SS_E_NOINPUT,
                        "the analysis is not done: it has the models in use");
    }
    struct ss_run_models_options options = {.no_encoder = no_encoder, .keeps_weights = true};
    if (api->models.sae == NULL || (!no_encoder && api->models.encoder == NULL)) {
        if (api->source.asking != NULL) {
            options.stop = api->source.asking->stop;
        }
        SS_RETURN_IF_ERROR(ss_run_models_open(api->source.folder, &options, &api->models, err));
    }
    return check_width(api, err);
}

ss_status ss_web_need_sae(struct ss_web_api *api, ss_err *err)
{
    return need(api, true, err);
}

ss_status ss_web_need_encoder(struct ss_web_api *api, ss_err *err)
{
    return need(api, false, err);
}

ss_status ss_web_need_texts(struct ss_web_api *api, ss_err *err)
{
    return api->source.has_evidence && api->source.evidence.n_texts > 0
               ? SS_OK
               : ss__fail(
                     err, SS_E_UNSUPPORTED,
                     "this run kept no texts, which analyses do unless `evidence` is none");
}

ss_status ss_web_need_cosines(struct ss_web_api *api, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_web_need_texts(api, err));
    return api->cosines.lengths != NULL
               ? SS_OK
               : ss_run_cosines_init(&api->cosines, &api->source.evidence, err);
}

/* ---- using ---- */

ss_status ss_web_encode_texts(struct ss_web_api *api, const struct ss_text *texts, size_t n,
                              float *x, ss_err *err)
{
    const struct ss_run_models *models = &api->models;
    SS_RETURN_IF_ERROR(ss_encoder_embed(models->encoder, models->work, texts, n, x, NULL, err));
    return ss_sae_encode(models->sae, models->work, x, n, &api->codes, err);
}

bool ss_web_can_decode(const struct ss_web_api *api)
{
    const struct ss_sparse none = {0};
    const struct ss_sae_reconstruction out = {0};
    return ss_sae_reconstruct(api->models.sae, NULL, &none, &out, NULL) == SS_OK;
}

ss_status ss_web_decode(const struct ss_web_api *api, const float *x,
                        const struct ss_sparse *codes, float *y, ss_err *err)
{
    struct ss_sae_info info = {.struct_size = sizeof info};
    float *normalised = NULL;
    ss_sae_describe(api->models.sae, &info);
    SS_ALLOC_ALIGNED_OR_RETURN(normalised, codes->n_rows * info.width);
    const struct ss_sae_reconstruction out = {
        .x_normalised = normalised, .y_normalised = normalised, .y = y};
    const ss_status status = ss_sae_reconstruct(api->models.sae, x, codes, &out, err);
    ss__free(normalised);
    return status;
}

double ss_web_cosine(const float *a, const float *b, size_t n)
{
    double dot = 0, square_a = 0, square_b = 0;
    for (size_t i = 0; i < n; i++) {
        dot += (double)a[i] * (double)b[i];
        square_a += (double)a[i] * (double)a[i];
        square_b += (double)b[i] * (double)b[i];
    }
    return square_a > 0 && square_b > 0 ? dot / (sqrt(square_a) * sqrt(square_b)) : 0;
}

struct ss_sparse ss_web_codes_of(const struct ss_folder_evidence *evidence, size_t first,
                                 size_t n)
{
    return (struct ss_sparse){.n_rows = n,
                              .offsets = evidence->codes.offsets + first,
                              .features = evidence->codes.features,
                              .values = evidence->codes.values};
}
