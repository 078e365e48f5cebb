/* Writing an SAE in another format: the table of formats that are written. */
#include <string.h>

#include "sae/sae_priv.h"

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

ss_status ss_sae_write(const ss_sae *sae, const char *folder,
                       struct ss_sae_conversion *conversion, ss_err *err)
{
    struct ss_sae_written written = {0};
    const struct ss_sae_target *target = NULL;
    const struct ss_sae_parameters *p = &sae->parameters;
    SS_RETURN_IF_ERROR(find_target(conversion->to, &target, err));
    if (!p->keeps_all || p->encoder_rows == NULL || p->decoder == NULL ||
        p->decoder_bias == NULL || (p->has_skip && p->skip == NULL)) {
        return ss__fail_file(
            err, sae->provenance.path, SS_E_USAGE,
            "this SAE is not held with all its weights, so that it cannot be written");
    }
    SS_RETURN_IF_ERROR(target->write(sae, folder, conversion->allows_rounding, &written, err));
    conversion->format = sae->provenance.format;
    conversion->kind = written.kind;
    conversion->n_rounded = written.n_rounded;
    return SS_OK;
}

/* The decoder moves out of the SAE, which is then freed without it: a copy would double the
 * memory. */
ss_status ss_sae_read_decoder(const char *path, float **out, size_t *n_features, size_t *width,
                              ss_err *err)
{
    ss_sae *sae = NULL;
    *out = NULL;
    SS_RETURN_IF_ERROR(ss_sae_open_with_weights(path, NULL, true, &sae, err));
    struct ss_sae_parameters *parameters = &sae->parameters;
    *out = parameters->decoder;
    *n_features = parameters->n_features;
    *width = parameters->width_out;
    parameters->decoder = NULL;
    const ss_status status =
        *out != NULL ? SS_OK
                     : ss__fail_file(err, path, SS_E_UNSUPPORTED,
                                     "it has no decoder whose directions there are");
    ss_sae_free(sae);
    return status;
}

/* The target is looked up first: a misspelt one is told before a large file is read. */
ss_status ss_sae_convert_folder(const char *path, const char *folder,
                                struct ss_sae_conversion *conversion, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_sae_target *target = NULL;
    ss_sae *sae = NULL;
    SS_TRY(find_target(conversion->to, &target, err));
    SS_TRY(ss_sae_open_with_weights(path, conversion->options, true, &sae, err));
    SS_TRY(ss_sae_write(sae, folder, conversion, err));
out:
    ss_sae_free(sae);
    return status;
}
