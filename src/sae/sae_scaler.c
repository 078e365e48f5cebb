/* The file that SAELens writes beside a checkpoint whose inputs are scaled:
 *
 *   activation_scaler.json         {"scaling_factor": 0.37 | null, "has_whitening": false}
 *   activation_whitening.safetensors   mean [D], matrix [D, D], inverse_matrix [D, D]
 *
 * A factor that is null, or no file, says that nothing is left to be done.
 * Reference: ActivationScaler.load of SAELens 6.54. */
#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "sae/sae_format.h"

static const char scaler_name[] = "activation_scaler.json";
static const char whitening_name[] = "activation_whitening.safetensors";

static const char *const read_keys[] = {"scaling_factor", "has_whitening", NULL};
static const struct ss_sae_keys scaler_keys = {.read = read_keys};

static ss_status read_document(struct ss_sae_checkpoint *from, const char *path,
                               const struct ss__json *document, double *factor, ss_err *err)
{
    ss_status status = SS_OK;
    /* absent, as in the original: the file beside it decides */
    bool has_whitening = true;
    SS_TRY(ss__json_number(path, document, "scaling_factor", factor, err));
    SS_TRY(ss__json_bool(path, document, "has_whitening", &has_whitening, err));
    SS_TRY(ss_sae_check_keys(from, path, document, &scaler_keys, err));
    if (has_whitening && ss_sae_checkpoint_has_file(from, whitening_name)) {
        SS_FAIL_FILE(path, SS_E_UNSUPPORTED,
                     "inputs of this checkpoint are whitened by %s beside it, which is not "
                     "done here; use the SAE at the end of the training, whose weights have "
                     "it",
                     whitening_name);
    }
    if (ss__json_get(document, "scaling_factor") != NULL &&
        !ss__json_is_null(ss__json_get(document, "scaling_factor")) &&
        !(isfinite(*factor) && *factor > 0 && isfinite((float)*factor) && (float)*factor > 0)) {
        status = ss__fail_file(err, path, SS_E_DATA,
                               "scaling_factor is %g, expected a number above 0", *factor);
        ss__err_about(err, "scaling_factor");
    }
out:
    return status;
}

ss_status ss_sae_read_scaler(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from,
                             double *factor, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *document = NULL;
    char *path = ss__path_join(from->folder, scaler_name);
    *factor = 0;
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    SS_TRY(ss__json_load_optional(path, &document, err));
    if (document != NULL && !ss__json_is_object(document)) {
        SS_FAIL_FILE(path, SS_E_DATA, "expected an object with scaling_factor");
    }
    if (document != NULL) {
        SS_TRY(read_document(from, path, document, factor, err));
        SS_TRY(ss_sae_add_file(&sae->provenance, path, err));
    }
out:
    ss__json_free(document);
    ss__free(path);
    return status;
}
