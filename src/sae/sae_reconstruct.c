/* What an SAE makes of embeddings: rows as it sees them, and their reconstruction.
 *
 * Sums are made in double, in the order of features, and rounded once. A norm that was taken
 * from the input is put back onto the output, so that both can be compared with the
 * embeddings. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "sae/sae_priv.h"

/* Rows are seen as (x - mean) / scale, and given back as y * back + mean. For layer norm the
 * two differ by the epsilon, as in the seed's format. */
struct row_scale {
    double mean, scale, back;
};

static struct row_scale measure_row(const struct ss_sae_parameters *p, const float *x)
{
    struct row_scale row = {0, 1, 1};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < p->width; i++) {
        sum += (double)x[i];
    }
    const double mean = p->input == SS_SAE_INPUT_LAYER_NORM ? sum / (double)p->width : 0;
    for (size_t i = 0; i < p->width; i++) {
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    }
    if (p->input == SS_SAE_INPUT_LAYER_NORM) {
        row.mean = mean;
        row.back = sqrt(squares / (double)(p->width - 1));
        row.scale = row.back + 1e-5;
    } else if (p->input == SS_SAE_INPUT_ROOT_WIDTH) {
        row.back = row.scale = sqrt(squares / (double)p->width);
    }
    return row;
}

static void reconstruct_row(const struct ss_sae_parameters *p, const struct ss_sparse *a,
                            size_t r, double *sums)
{
    for (size_t i = 0; i < p->width; i++) {
        sums[i] = (double)p->decoder_bias[i];
    }
    for (size_t at = a->offsets[r]; at < a->offsets[r + 1]; at++) {
        const float *direction = p->decoder + (size_t)a->features[at] * p->width;
        for (size_t i = 0; i < p->width; i++) {
            sums[i] += (double)a->values[at] * (double)direction[i];
        }
    }
}

ss_status ss_sae_reconstruct(const ss_sae *sae, const float *x, const struct ss_sparse *a,
                             const struct ss_sae_reconstruction *out, ss_err *err)
{
    const struct ss_sae_parameters *p = &sae->parameters;
    double *sums = NULL;
    if (p->is_transcoder || p->has_skip) {
        return ss__fail_file(err, sae->provenance.path, SS_E_UNSUPPORTED,
                             "this is a transcoder, whose output is not its input again");
    }
    if (!p->keeps_all || p->decoder == NULL || p->decoder_bias == NULL ||
        p->encoder_rows == NULL) {
        return ss__fail_file(err, sae->provenance.path, SS_E_UNSUPPORTED,
                             "this SAE has no decoder to reconstruct rows with");
    }
    SS_ALLOC_OR_RETURN(sums, p->width);
    for (size_t r = 0; r < a->n_rows; r++) {
        const struct row_scale row = measure_row(p, x + r * p->width);
        reconstruct_row(p, a, r, sums);
        for (size_t i = 0; i < p->width; i++) {
            const size_t at = r * p->width + i;
            out->x_normalised[at] = (float)(((double)x[at] - row.mean) / row.scale);
            out->y_normalised[at] = (float)sums[i];
            out->y[at] = (float)(sums[i] * row.back + row.mean);
        }
    }
    ss__free(sums);
    return SS_OK;
}

const float *ss_sae_decoder(const ss_sae *sae)
{
    return sae->parameters.decoder;
}

const float *ss_sae_encoder_rows(const ss_sae *sae)
{
    return sae->parameters.encoder_rows;
}
