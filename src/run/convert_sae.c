/* An SAE in, the same SAE in another format out. The files are made aside and put in place when
 * all are there, as those of an analysis are. */
#include "run/folder.h"
#include "sae/sae.h"

ss_status ss_sae_convert(const char *path, const char *to, const char *out_dir,
                         const struct ss_convert_options *options, struct ss_conversion *out,
                         ss_err *err)
{
    ss_status status = SS_OK;
    static const struct ss_convert_options defaults = {0};
    const struct ss_convert_options *given = options == NULL ? &defaults : options;
    struct ss_run_folder folder = {0};
    struct ss_sae_conversion conversion = {
        .to = to, .options = &given->sae, .allows_rounding = given->allow_rounding};
    const char *const *files = NULL;
    *out = (struct ss_conversion){0};
    SS_TRY(ss_sae_target_files(to, &files, err));
    SS_TRY(ss_run_folder_open(out_dir, files, given->force, &folder, err));
    SS_TRY(ss_sae_convert_folder(path, folder.staging, &conversion, err));
    SS_TRY(ss_run_folder_commit(&folder, err));
    *out = (struct ss_conversion){.from = conversion.format,
                                  .kind = conversion.kind,
                                  .n_rounded_thresholds = conversion.n_rounded};
out:
    if (status != SS_OK) {
        ss_run_folder_fix_error_path(&folder, err);
    }
    ss_run_folder_abort(&folder);
    return status;
}
