/* The SAEs in the library are unpacked into the user's cache and opened there like any other, so
 * that a run's record names files that later steps can read and check. */
#include "run/embedded.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "base/sized.h"
#include "pass/encoder_fingerprint.h"
#include "sae/sae_embedded.h"
#include "saescope_tools.h"

/* ---- where ---- */

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || *value == '\0' ? NULL : value;
}

static size_t bytes_of(const struct ss_sae_embedded_file *file)
{
    return (size_t)(file->end - file->data);
}

/* Another version of the same name lies in another folder. */
static ss_status name_folder(const struct ss_sae_embedded *sae, char **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf path = {0};
    const char *caches = variable("XDG_CACHE_HOME"), *home = variable("HOME");
    uint64_t hash = 0;
    if (caches == NULL && home == NULL) {
        SS_FAIL(SS_E_USAGE, "there is no folder for the SAE that is built in: set "
                            "XDG_CACHE_HOME or HOME");
    }
    for (size_t i = 0; i < SS_SAE_EMBEDDED_FILES; i++) {
        hash = hash * 31 + ss__hash64(sae->files[i].data, bytes_of(&sae->files[i]));
    }
    ss__buf_printf(&path, "%s%s/saescope/embedded/%s-%012llx", caches != NULL ? caches : home,
                   caches != NULL ? "" : "/.cache", sae->name,
                   (unsigned long long)(hash >> 16));
    const char *text = ss__buf_text(&path);
    *out = text == NULL ? NULL : ss__strdup(text);
    status = *out == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
out:
    ss__buf_release(&path);
    return status;
}

/* ---- files ---- */

static bool is_there(const char *path, const struct ss_sae_embedded_file *file)
{
    struct ss__buf found = {0};
    const size_t n = bytes_of(file);
    const bool is_same = ss__path_stat(path) == SS__PATH_FILE &&
                         ss__file_read(path, n + 1, &found, NULL) == SS_OK &&
                         found.n_bytes == n && memcmp(found.data, file->data, n) == 0;
    ss__buf_release(&found);
    return is_same;
}

static ss_status write_file(const char *folder, const struct ss_sae_embedded_file *file,
                            ss_err *err)
{
    ss_status status = SS_OK;
    char *path = ss__path_join(folder, file->name);
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    if (!is_there(path, file)) {
        SS_TRY(ss__make_folder(folder, NULL, err));
        SS_TRY(ss__file_write(path, file->data, bytes_of(file), err));
    }
out:
    ss__free(path);
    return status;
}

static ss_status unpack(const struct ss_sae_embedded *sae, char **folder, ss_err *err)
{
    SS_RETURN_IF_ERROR(name_folder(sae, folder, err));
    for (size_t i = 0; i < SS_SAE_EMBEDDED_FILES; i++) {
        const ss_status status = write_file(*folder, &sae->files[i], err);
        if (status != SS_OK) {
            ss__free(*folder);
            *folder = NULL;
            return status;
        }
    }
    return SS_OK;
}

ss_status ss_run_embedded_unpack(const char *name, char **folder, ss_err *err)
{
    *folder = NULL;
    for (size_t i = 0; i < ss_sae_n_embedded; i++) {
        if (strcmp(name, ss_sae_embedded[i].name) == 0) {
            return unpack(&ss_sae_embedded[i], folder, err);
        }
    }
    return ss__fail(err, SS_E_NOINPUT,
                    "no SAE called '%.100s' is built in; there is " SS_RUN_EMBEDDED_SCHEME "%s",
                    name, ss_sae_embedded[0].name);
}

/* ---- by encoder ---- */

static bool is_for(const struct ss_sae_embedded *sae, const char *fingerprint)
{
    struct ss__json *config = NULL;
    const bool found = ss__json_parse(sae->name, sae->files[0].data, bytes_of(&sae->files[0]),
                                      &config, NULL) == SS_OK &&
                       ss_pass_fingerprints_agree(fingerprint, ss_pass_fingerprint_in(config));
    ss__json_free(config);
    return found;
}

static ss_status refuse(const ss_encoder *encoder, ss_err *err)
{
    struct ss_encoder_info info = {.struct_size = sizeof info};
    ss_encoder_describe(encoder, &info);
    return ss__fail(err, SS_E_NOINPUT,
                    "`sae` is needed: the SAE that is built in belongs to %s, and '%.200s' "
                    "gives other embeddings; `saescope train` makes one from your texts, and "
                    "docs/saes.md lists published ones",
                    ss_sae_embedded[0].name, info.name);
}

static ss_status open_one(const struct ss_sae_embedded *sae, struct ss_sae_options *options,
                          ss_sae **out, ss_err *err)
{
    char *folder = NULL, source[128];
    struct ss_sae_info info = {.struct_size = sizeof info};
    SS_RETURN_IF_ERROR(unpack(sae, &folder, err));
    ss__snprintf(source, sizeof source, SS_RUN_EMBEDDED_SCHEME "%s", sae->name);
    options->source = source;
    const ss_status status = ss_sae_open(folder, options, out, err);
    ss__free(folder);
    if (status == SS_OK) {
        ss_sae_describe(*out, &info);
        ss__log(&options->log, SS_LEVEL_NOTICE,
                "no SAE is named: taking the one that is built in for this encoder, %s (%zu "
                "features; `saescope train` makes one for your texts)",
                source, info.n_features);
    }
    return status;
}

ss_status ss_sae_open_embedded(const ss_encoder *encoder, const struct ss_sae_options *options,
                               ss_sae **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_sae_options read = {.struct_size = sizeof read};
    char fingerprint[SS_PASS_FINGERPRINT_BYTES];
    ss_work *work = NULL;
    size_t i = 0;
    *out = NULL;
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_sae_options, err));
    SS_TRY(ss_work_new(1, &work, err));
    SS_TRY(ss_pass_encoder_fingerprint(encoder, work, fingerprint, err));
    while (i < ss_sae_n_embedded && !is_for(&ss_sae_embedded[i], fingerprint)) {
        i++;
    }
    status = i == ss_sae_n_embedded ? refuse(encoder, err)
                                    : open_one(&ss_sae_embedded[i], &read, out, err);
out:
    ss_work_free(work);
    return status;
}
