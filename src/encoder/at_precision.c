/* An encoder at another precision: with fp32 layers it re-embeds ambiguous rows (texts whose
 * active features may change within the error of the encoder's own precision;
 * docs/numerics.md, "Fire sets at `high`"), with layers of 8
 * bits it compares phrases by the ten thousand, of which the best are embedded once more. Only
 * the layers depend on the precision; embedding tables, pooling and modules are shared with the
 * encoder that it is made from. */
#include "base/mem.h"
#include "encoder/encoder_priv.h"

double ss_encoder_error(const ss_encoder *encoder)
{
    return ss_tensor_precision_error(encoder->config.precision);
}

/* The struct is copied and its layers replaced: every other pointer in it is borrowed, and
 * ss_encoder_at_precision_free must not free it. */
ss_status ss_encoder_at_precision(const ss_encoder *encoder, ss_work *work,
                                  ss_precision precision, ss_encoder **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_encoder_binder binder = {0};
    ss_encoder *other = NULL;
    *out = NULL;
    SS_ALLOC(other, 1);
    *other = *encoder;
    other->transformer.layers = NULL;
    other->config.precision = precision;
    SS_TRY(
        ss_encoder_binder_init(&binder, other->weights, other->config.family->prefixes, err));
    binder.pool = ss_tensor_work_pool(work);
    SS_TRY(ss_encoder_binder_adapt(&binder, other->adapter, ss_encoder_family_ignores, err));
    SS_TRY(ss_encoder_layers_bind(&other->transformer, &other->config, &binder, err));
    SS_TRY(ss_encoder_smooth(other, &binder, work, err));
    SS_TRY(ss_weights_check(other->weights, err));
    *out = other;
    other = NULL;
out:
    status = ss_weights_explain(encoder->weights, status, err);
    ss_encoder_binder_release(&binder);
    ss_encoder_at_precision_free(other);
    return status;
}

void ss_encoder_at_precision_free(ss_encoder *other)
{
    if (other != NULL) {
        ss_encoder_layers_release(other->transformer.layers, other->config.n_layers);
        ss__free(other);
    }
}
