/* An SAE in, the same SAE in another format out. The files are made aside and put in place when
 * all are there, as those of an analysis are. */
#include "base/sized.h"
#include "folder/folder.h"
#include "sae/sae.h"

ss_status ss_sae_convert(const char *path, const char *to, const char *out_dir,
                         const struct ss_convert_options *options,
                         struct ss_convert_result *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_convert_options read = {.struct_size = sizeof read};
    struct ss_folder folder = {0};
    struct ss_sae_conversion conversion = {.to = to};
    struct ss_convert_result result = {.struct_size = sizeof result};
    const char *const *files = NULL;
    SS_TRY(ss__result_check(out, "ss_convert_result", err));
    (void)ss__result_write(out, &result, sizeof result);
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_convert_options, err));
    conversion.options = read.sae;
    conversion.allows_rounding = read.allow_rounding;
    SS_TRY(ss_sae_target_files(to, &files, err));
    SS_TRY(ss_folder_open(out_dir, files, read.force, &folder, err));
    SS_TRY(ss_sae_convert_folder(path, folder.staging, &conversion, err));
    SS_TRY(ss_folder_commit(&folder, err));
    result.from = conversion.format;
    result.kind = conversion.kind;
    result.n_rounded_thresholds = conversion.n_rounded;
    (void)ss__result_write(out, &result, sizeof result);
out:
    if (status != SS_OK) {
        ss_folder_fix_error_path(&folder, err);
    }
    ss_folder_abort(&folder);
    return status;
}
