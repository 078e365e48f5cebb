/* What a rule compares with its thresholds or ranks, of all features: h = u W + bias, as a
 * dense matrix, for the few rows of which somebody asks how near a feature came to firing. */
#include "base/mem.h"
#include "sae/sae_priv.h"

bool ss_sae_has_pre_activations(const ss_sae *sae)
{
    return sae->activation.rule.selection != SS_SAE_SELECT_BY_ROW;
}

ss_status ss_sae_pre_activations(const ss_sae *sae, ss_work *work, const float *x, size_t n,
                                 float *out, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_sae_parameters *parameters = &sae->parameters;
    float *prepared = NULL;
    size_t n_values = 0;
    const struct ss_tensor_epilogue end = {.bias = parameters->bias};
    if (ss_sae_changes_input(parameters)) {
        if (!ss__mul(n, parameters->width, &n_values)) {
            SS_TRY(ss__fail_nomem(err, "embeddings"));
        }
        SS_ALLOC_ALIGNED(prepared, n_values);
        (void)ss_sae_prepare_rows(parameters, x, n, prepared);
    }
    SS_TRY(ss_tensor_linear(work, &parameters->encoder, prepared == NULL ? x : prepared, n, out,
                            &end, err));
out:
    ss__free(prepared);
    return status;
}
