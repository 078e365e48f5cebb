/* What writers of other formats share: which kind an SAE is once its rule is chosen, messages
 * of refusal, documents. A writer says only what its target can say exactly; anything else is
 * refused, since a file that quietly computes other activations is worse than none. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "sae/sae_priv.h"

ss_status ss_sae_refuse_target(const struct ss_sae *sae, const char *target, ss_err *err,
                               const char *format, ...)
{
    char reason[512];
    va_list arguments;
    va_start(arguments, format);
    (void)ss__vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return ss__fail_file(err, sae->provenance.path, SS_E_UNSUPPORTED,
                         "the format %s cannot say what this SAE does: %s", target, reason);
}

static ss_status effective_batchtopk(const struct ss_sae *sae, const char *target,
                                     ss_sae_kind *kind, double *threshold, ss_err *err)
{
    const struct ss_sae_rule *rule = &sae->activation.rule;
    switch (rule->batchtopk) {
    case SS_BATCHTOPK_ROW_TOPK:
        *kind = SS_SAE_TOPK;
        return SS_OK;
    case SS_BATCHTOPK_THRESHOLD:
        *threshold = rule->batchtopk_threshold;
        *kind = SS_SAE_JUMPRELU;
        return isfinite(*threshold)
                   ? SS_OK
                   : ss_sae_refuse_target(sae, target, err,
                                          "the threshold is to be calibrated on rows; give it "
                                          "(`batchtopk_threshold`)");
    case SS_BATCHTOPK_BATCH:
        return ss_sae_refuse_target(sae, target, err, "a row's features depend on its batch");
    case SS_BATCHTOPK_REFUSE:
        break;
    }
    if (rule->has_stored_threshold) {
        /* One that fires itself is one float higher than one that does not. */
        *threshold = rule->includes_threshold && rule->stored_threshold > 0
                         ? (double)nextafterf((float)rule->stored_threshold, 0)
                         : rule->stored_threshold;
        *kind = SS_SAE_JUMPRELU;
    }
    return SS_OK; /* without a threshold it stays what it is, for targets that can say that */
}

ss_status ss_sae_effective_kind(const struct ss_sae *sae, const char *target, ss_sae_kind *kind,
                                double *threshold, ss_err *err)
{
    const struct ss_sae_rule *rule = &sae->activation.rule;
    *kind = rule->kind;
    *threshold = NAN;
    if (rule->caps_rows && rule->top_k < sae->parameters.n_features) {
        return ss_sae_refuse_target(
            sae, target, err,
            "of what passes the threshold at most %zu features of a row are kept", rule->top_k);
    }
    return rule->kind == SS_SAE_BATCHTOPK
               ? effective_batchtopk(sae, target, kind, threshold, err)
               : SS_OK;
}

bool ss_sae_is_zero(const float *numbers, size_t n)
{
    for (size_t i = 0; numbers != NULL && i < n; i++) {
        if (numbers[i] != 0) {
            return false;
        }
    }
    return true;
}

ss_status ss_sae_transpose(const float *rows, size_t n, size_t m, float **out, ss_err *err)
{
    SS_ALLOC_ALIGNED_OR_RETURN(*out, n * m);
    ss_sae_transpose_into(rows, n, m, *out);
    return SS_OK;
}

ss_status ss_sae_write_json(const char *folder, const char *name,
                            struct ss__json_writer *document, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = ss__path_join(folder, name);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__buf_check(&document->buf, err));
    SS_TRY(ss__file_write(path, document->buf.data, document->buf.n_bytes, err));
out:
    ss__buf_release(&document->buf);
    ss__free(path);
    return status;
}
