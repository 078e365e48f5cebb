/* What writers of other formats share: which kind an SAE is once its rule is chosen, sentences
 * of refusal, documents. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"
#include "sae/sae_priv.h"

ss_status ss_sae_cannot(const struct ss_sae *sae, const char *target, ss_err *err,
                        const char *format, ...)
{
    char reason[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return ss__fail_file(err, sae->path, SS_E_UNSUPPORTED,
                         "the format %s cannot say what this SAE does: %s", target, reason);
}

/* A threshold that counts itself is one float higher than one that does not. */
static double strict_threshold(const struct ss_sae *sae, double threshold)
{
    return sae->includes_threshold && threshold > 0 ? (double)nextafterf((float)threshold, 0)
                                                    : threshold;
}

static ss_status settle_batch(const struct ss_sae *sae, const char *target, ss_sae_kind *kind,
                              double *threshold, ss_err *err)
{
    const struct ss_sae_options *options = &sae->options;
    switch (options->batchtopk_rule) {
    case SS_BATCHTOPK_ROW_TOPK:
        *kind = SS_SAE_TOPK;
        return SS_OK;
    case SS_BATCHTOPK_THRESHOLD:
        *threshold = options->batchtopk_threshold;
        *kind = SS_SAE_JUMPRELU;
        return isfinite(*threshold)
                   ? SS_OK
                   : ss_sae_cannot(sae, target, err,
                                   "the threshold is to be calibrated on rows; give it "
                                   "(--batchtopk-threshold)");
    case SS_BATCHTOPK_BATCH:
        return ss_sae_cannot(sae, target, err, "a row's features depend on its batch");
    case SS_BATCHTOPK_REFUSE:
        break;
    }
    *threshold = strict_threshold(sae, sae->threshold);
    if (isfinite(*threshold)) {
        *kind = SS_SAE_JUMPRELU;
    }
    return SS_OK; /* without a threshold it stays what it is, for targets that can say that */
}

ss_status ss_sae_settle(const struct ss_sae *sae, const char *target, ss_sae_kind *kind,
                        double *threshold, ss_err *err)
{
    *kind = sae->kind;
    *threshold = NAN;
    if (sae->caps_rows && sae->top_k < sae->n_features) {
        return ss_sae_cannot(sae, target, err,
                             "of what passes the threshold at most %zu features of a row are "
                             "kept",
                             sae->top_k);
    }
    return sae->kind == SS_SAE_BATCHTOPK ? settle_batch(sae, target, kind, threshold, err)
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

ss_status ss_sae_turn(const float *rows, size_t n, size_t m, float **out, ss_err *err)
{
    SS_ALLOC_ALIGNED_OR_RETURN(*out, n * m);
    for (size_t r = 0; r < n; r++) {
        for (size_t c = 0; c < m; c++) {
            (*out)[c * n + r] = rows[r * m + c];
        }
    }
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

/* ---- the whole ---- */

static ss_status find_target(const char *name, const struct ss_sae_target **out, ss_err *err)
{
    static const struct ss_sae_target *const targets[] = {&ss_sae_seed_target,
                                                          &ss_sae_saelens_target};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        if (strcmp(name, targets[i]->name) == 0) {
            *out = targets[i];
            return SS_OK;
        }
    }
    return ss__fail(err, SS_E_USAGE, "'%.80s' is no format to convert to; give seed or saelens",
                    name);
}

ss_status ss_sae_target_files(const char *to, const char *const **files, ss_err *err)
{
    const struct ss_sae_target *target = NULL;
    const ss_status status = find_target(to, &target, err);
    *files = target == NULL ? NULL : target->files;
    return status;
}

ss_status ss_sae_convert_folder(const char *path, const char *folder,
                                struct ss_sae_conversion *conversion, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_sae_written written = {0};
    ss_sae *sae = NULL;
    const struct ss_sae_target *target = NULL;
    SS_TRY(find_target(conversion->to, &target, err));
    SS_TRY(ss_sae_open_with_parts(path, conversion->options, true, &sae, err));
    SS_TRY(target->write(sae, folder, conversion->allows_rounding, &written, err));
    conversion->format = sae->format;
    conversion->kind = written.kind;
    conversion->n_rounded = written.n_rounded;
out:
    ss_sae_free(sae);
    return status;
}
