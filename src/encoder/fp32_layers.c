/* The encoder with fp32 layers, to re-embed ambiguous rows: texts whose active features may
 * change within the error of the encoder's own precision (docs/numerics.md, "Fire sets at
 * `high`"). Only the layers depend on the precision; embedding tables, pooling and modules are
 * shared with the encoder that it is made from. */
#include "base/mem.h"
#include "encoder/encoder_priv.h"

double ss_encoder_error(const ss_encoder *encoder)
{
    return ss_tensor_precision_error(encoder->config.precision);
}

/* The struct is copied and its layers replaced: every other pointer in it is borrowed, and
 * ss_encoder_fp32_free must not free it. */
ss_status ss_encoder_fp32(const ss_encoder *encoder, ss_work *work, ss_encoder **out,
                          ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_encoder_binder binder = {0};
    ss_encoder *fp32 = NULL;
    *out = NULL;
    SS_ALLOC(fp32, 1);
    *fp32 = *encoder;
    fp32->transformer.layers = NULL;
    fp32->config.precision = SS_PRECISION_HIGHEST;
    SS_TRY(ss_encoder_binder_init(&binder, fp32->weights, fp32->config.family->prefixes, err));
    binder.pool = ss_tensor_work_pool(work);
    SS_TRY(ss_encoder_binder_adapt(&binder, fp32->adapter, ss_encoder_family_ignores, err));
    SS_TRY(ss_encoder_layers_bind(&fp32->transformer, &fp32->config, &binder, err));
    SS_TRY(ss_weights_check(fp32->weights, err));
    *out = fp32;
    fp32 = NULL;
out:
    status = ss_weights_explain(encoder->weights, status, err);
    ss_encoder_binder_release(&binder);
    ss_encoder_fp32_free(fp32);
    return status;
}

void ss_encoder_fp32_free(ss_encoder *fp32)
{
    if (fp32 != NULL) {
        ss_encoder_layers_release(fp32->transformer.layers, fp32->config.n_layers);
        ss__free(fp32);
    }
}
