/* The kinds of paths in the order in which they are tried. A folder is known by what lies in
 * it, a file by its first bytes and then by its name, so that a damaged file is still told what
 * is wrong with it as the kind that it claims to be. */
#include "run/inspect.h"

#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "encoder/encoder.h"
#include "folder/results.h"
#include "sae/sae.h"
#include "weights/weights.h"

static bool has_extension(const struct ss_run_probe *probe, const char *const *extensions,
                          size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(extensions[i]) == probe->n_extension &&
            memcmp(probe->extension, extensions[i], probe->n_extension) == 0) {
            return true;
        }
    }
    return false;
}

#define HAS_EXTENSION(probe, list)                                                             \
    has_extension((probe), (list), sizeof(list) / sizeof(list)[0])

static bool is_run(const struct ss_run_probe *probe)
{
    return probe->kind == SS__PATH_FOLDER &&
           ss__path_look_in(probe->path, SS_FOLDER_FILE_MANIFEST) == SS__PATH_FILE;
}

static bool is_sae(const struct ss_run_probe *probe)
{
    return probe->kind == SS__PATH_FOLDER && ss_sae_is_at(probe->path);
}

static bool is_encoder(const struct ss_run_probe *probe)
{
    return probe->kind == SS__PATH_FOLDER && ss_encoder_is_at(probe->path);
}

/* Whether rows of a dataset lie in a folder itself. */
static bool holds_rows(const char *path)
{
    static const char *const extensions[] = {".jsonl", ".csv", ".tsv",   ".parquet", ".arrow",
                                             ".txt",   ".gz",  ".zst",   ".bz2",     ".xz",
                                             ".tar",   ".zip", ".ndjson"};
    char **names = NULL;
    size_t n = 0;
    bool found = false;
    if (ss__list_folder(path, &names, &n, NULL) != SS_OK) {
        return false;
    }
    for (size_t i = 0; i < n && !found; i++) {
        const char *dot = strrchr(names[i], '.');
        for (size_t j = 0; dot != NULL && j < sizeof extensions / sizeof *extensions; j++) {
            found = found || strcmp(dot, extensions[j]) == 0;
        }
    }
    ss__list_release(names, n);
    return found;
}

static bool is_folder_of_saes(const struct ss_run_probe *probe)
{
    struct ss_sae_list list = {0};
    const bool found = probe->kind == SS__PATH_FOLDER && !holds_rows(probe->path) &&
                       ss_sae_list_subfolders(probe->path, &list, NULL) == SS_OK && list.n > 0;
    ss_sae_list_release(&list);
    return found;
}

/* A name that claims weights is held to it, whatever the bytes look like. */
static bool claims_weights(const struct ss_run_probe *probe)
{
    static const char *const extensions[] = {".safetensors", ".pt",  ".pth", ".bin",   ".ckpt",
                                             ".npy",         ".npz", ".pkl", ".pickle"};
    return probe->kind == SS__PATH_FILE && HAS_EXTENSION(probe, extensions);
}

static bool is_weights(const struct ss_run_probe *probe)
{
    return claims_weights(probe) ||
           (probe->weights != NULL && strcmp(probe->weights, "zip") != 0);
}

static bool is_archive(const struct ss_run_probe *probe)
{
    static const char *const extensions[] = {".zip"};
    return probe->weights != NULL ||
           (probe->kind == SS__PATH_FILE && HAS_EXTENSION(probe, extensions));
}

static bool is_json(const struct ss_run_probe *probe)
{
    static const char *const extensions[] = {".json"};
    return probe->kind == SS__PATH_FILE &&
           (HAS_EXTENSION(probe, extensions) ||
            (probe->sniff.format != NULL && strcmp(probe->sniff.format, "json") == 0));
}

/* Any bytes without NUL may be plain text: that alone makes no dataset. */
static bool is_dataset(const struct ss_run_probe *probe)
{
    static const char *const extensions[] = {".txt", ".text"};
    const char *format = probe->sniff.format;
    if (probe->kind != SS__PATH_FILE) {
        return true;
    }
    if (ss_source_is_archive(probe->path)) {
        return true;
    }
    return format != NULL && (strcmp(format, "txt") != 0 || HAS_EXTENSION(probe, extensions));
}

static const struct kind {
    const char *name; /* for options->as */
    ss_path_kind kind;
    const char *title;
    bool (*is_at)(const struct ss_run_probe *probe);
    ss_status (*describe)(struct ss_run_inspection *inspection, ss_err *err);
} kinds[] = {
    {"run", SS_PATH_RUN, "The results of an analysis", is_run, ss_run_inspect_run},
    {"sae", SS_PATH_SAE, "A sparse autoencoder", is_sae, ss_run_inspect_sae},
    {"model", SS_PATH_ENCODER, "A sentence encoder", is_encoder, ss_run_inspect_encoder},
    {"saes", SS_PATH_SAE, "A folder of sparse autoencoders", is_folder_of_saes,
     ss_run_inspect_saes},
    {"weights", SS_PATH_WEIGHTS, "A weights file", is_weights, ss_run_inspect_weights},
    {"archive", SS_PATH_ARCHIVE, "A zip archive", is_archive, ss_run_inspect_archive},
    {"json", SS_PATH_JSON, "A JSON document", is_json, ss_run_inspect_json},
    {"dataset", SS_PATH_DATASET, "A dataset", is_dataset, ss_run_inspect_dataset},
};

enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

/* The last extension of a name, that of a compression left out. */
static void find_extension(struct ss_run_probe *probe)
{
    const char *name = ss__path_name(probe->path);
    size_t n = strlen(name), at = n;
    if (ss_source_is_compressed_name(name)) {
        n = (size_t)(strrchr(name, '.') - name);
        at = n;
    }
    while (at > 0 && name[at] != '.') {
        at--;
    }
    probe->extension = name + at;
    probe->n_extension = n - at;
}

static ss_status look_at(const char *path, struct ss_run_probe *probe, ss_err *err)
{
    *probe = (struct ss_run_probe){.path = path, .kind = ss__path_stat(path)};
    find_extension(probe);
    if (probe->kind == SS__PATH_NONE && strpbrk(path, "*?[") == NULL) {
        return ss__fail_file(err, path, SS_E_NOINPUT, "there is no such file or folder");
    }
    if (probe->kind == SS__PATH_OTHER) {
        return ss__fail_file(err, path, SS_E_DATA,
                             "this is a device or pipe; give a file or folder");
    }
    if (probe->kind == SS__PATH_FILE) {
        SS_RETURN_IF_ERROR(ss_weights_sniff(path, &probe->weights, err));
        if (probe->weights == NULL && !claims_weights(probe)) {
            SS_RETURN_IF_ERROR(ss_dataset_sniff(path, &probe->sniff, err));
        }
    }
    return SS_OK;
}

static ss_status refuse_unknown(const struct ss_run_probe *probe, ss_err *err)
{
    if (probe->sniff.format != NULL) {
        return ss__fail_file(
            err, probe->path, SS_E_UNSUPPORTED,
            "its extension is of no known kind; to read its lines as rows: `as` dataset "
            "`format` txt");
    }
    if (probe->kind == SS__PATH_FILE) {
        const ss_status status = ss_dataset_refuse_known(probe->path, err);
        if (status != SS_OK) {
            return status;
        }
    }
    return ss__fail_file(err, probe->path, SS_E_DATA,
                         "not a model, SAE, run, dataset, weights file, zip archive or JSON "
                         "document that is known");
}

static ss_status find_kind(const struct ss_run_probe *probe, const char *as,
                           const struct kind **found, ss_err *err)
{
    const size_t n_failed = ss__mem_n_failed();
    for (size_t i = 0; i < N_KINDS; i++) {
        const bool fits = as == NULL ? kinds[i].is_at(probe) : strcmp(as, kinds[i].name) == 0;
        if (ss__mem_n_failed() != n_failed) { /* a guess is none where memory ran out */
            return ss__fail_nomem(err, "looking at it");
        }
        if (fits) {
            *found = &kinds[i];
            return SS_OK;
        }
    }
    if (as == NULL) {
        return refuse_unknown(probe, err);
    }
    return ss__fail(err, SS_E_USAGE,
                    "'%s' is no kind of path; give one of run, sae, saes, model, archive, "
                    "weights, json, dataset",
                    as);
}

ss_status ss_inspect(const char *path, const struct ss_inspect_options *options,
                     struct ss_report *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_inspect_options read = {.struct_size = sizeof read};
    struct ss_run_probe probe = {0};
    const struct kind *kind = NULL;
    struct ss_run_inspection inspection = {.path = path, .options = &read, .report = out};
    *out = (struct ss_report){0};
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_inspect_options, err));
    SS_TRY(SS_READ_OPTIONS(&inspection.dataset, read.dataset, ss_dataset_options, err));
    SS_TRY(SS_READ_OPTIONS(&inspection.sae, read.sae, ss_sae_options, err));
    if (inspection.dataset.progress.fn == NULL) {
        inspection.dataset.progress = read.progress;
    }
    inspection.asking.stop = inspection.options->progress;
    SS_TRY(look_at(path, &probe, err));
    SS_TRY(find_kind(&probe, inspection.options->as, &kind, err));
    SS_TRY(ss_run_report_init(out, err));
    out->kind = kind->kind;
    out->title = kind->title;
    SS_TRY(kind->describe(&inspection, err));
    SS_TRY(ss_run_report_finish(out, err));
out:
    if (status != SS_OK) {
        ss_report_release(out);
    }
    return status;
}
