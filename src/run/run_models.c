/* The encoder and the SAE of a run, opened again for what is made of it later.
 *
 * They are known by the hashes in run.json and not by their names: another revision gives
 * embeddings that look alike and lie in another space, and comparing them with activations of
 * the run would be wrong without a sign of it. So every file that the run recorded is hashed
 * before anything is computed; a model that has moved is found by the caller's path, by which
 * each recorded file is looked for. Options that change what a model does (prompt, lengths,
 * width, precision, rule) are those of the run, too. */
#include "run/run_models.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "folder/results.h"
#include "run/run_paths.h"
#include "sae/sae.h"

struct opening {
    const char *file; /* run.json */
    const struct ss__json *root;
    const struct ss_run_models_options *options;
    struct ss__asking asking;
    struct ss_run_models *out;
    char *model_path, *sae_path; /* where they are now; NULL: not recorded */
};

static const char *text_of(const struct ss__json *object, const char *key)
{
    return ss__json_string(ss__json_get(object, key));
}

/* An option of the run as it was resolved; NULL where it was not given. */
static const char *option_of(const struct ss__json *root, const char *name)
{
    return text_of(ss__json_get(ss__json_get(root, "options"), name), "value");
}

/* Where a part is now. */
static const char *moved_to(const struct opening *opening, const char *part)
{
    return strcmp(part, "sae") == 0 ? opening->sae_path : opening->model_path;
}

/* The path of a recorded file now: below the place that the part has moved to. Gives. */
static char *path_now(const struct opening *opening, const char *part, const char *path)
{
    const char *before = text_of(ss__json_get(opening->root, part), "path");
    const char *now = moved_to(opening, part);
    const size_t n = before == NULL ? 0 : strlen(before);
    if (now == NULL || n == 0 || strncmp(path, before, n) != 0) {
        return ss_run_path_find(opening->file, path);
    }
    return path[n] == '/' ? ss__path_join(now, path + n + 1) : ss__strdup(now);
}

/* Hashing a model takes a second or two; what it prevents would not be noticed. */
static ss_status check_file(struct opening *opening, const char *path, const char *recorded,
                            ss_err *err)
{
    char hex[SS__SHA256_HEX_BYTES];
    SS_RETURN_IF_ERROR(ss__sha256_file(path, &opening->asking, hex, err));
    return strcmp(hex, recorded) == 0
               ? SS_OK
               : ss__fail_file(err, path, SS_E_DATA,
                               "changed since the run was made (%s has another sha256)",
                               opening->file);
}

static ss_status check_files(struct opening *opening, const char *part, ss_err *err)
{
    const struct ss__json *file = NULL;
    size_t i = 0;
    SS_JSON_EACH (ss__json_get(ss__json_get(opening->root, part), "files"), i, file) {
        const char *path = text_of(file, "path"), *recorded = text_of(file, "sha256");
        if (path == NULL || recorded == NULL) {
            continue;
        }
        char *now = path_now(opening, part, path);
        const ss_status status = now == NULL ? ss__fail_nomem(err, "a path")
                                             : check_file(opening, now, recorded, err);
        ss__free(now);
        SS_RETURN_IF_ERROR(status);
    }
    return SS_OK;
}

static ss_status find_path(const struct opening *opening, const char *part, const char **path,
                           ss_err *err)
{
    *path = moved_to(opening, part);
    if (*path == NULL || ss__path_stat(*path) == SS__PATH_NONE) {
        return ss__fail_file(err, opening->file, SS_E_NOINPUT,
                             "the %s of this run is no longer at %s; put it there again, or a "
                             "link to it",
                             strcmp(part, "model") == 0 ? "encoder" : "SAE",
                             *path == NULL ? "its place" : *path);
    }
    return SS_OK;
}

/* The width that is recorded is that of the embeddings, which truncation may have made
 * smaller. Whether it did is known when the encoder is open; then it is opened once more, and
 * most often it is not. */
ss_status ss_run_open_recorded_encoder(const char *path, const struct ss__json *root,
                                       ss_work *work, struct ss_progress_callback stop,
                                       ss_encoder **out, ss_err *err)
{
    const struct ss__json *model = ss__json_get(root, "model");
    const int64_t max_tokens = ss__json_integer(ss__json_get(model, "max_tokens"));
    const int64_t width = ss__json_integer(ss__json_get(model, "width"));
    const char *precision = text_of(root, "precision");
    struct ss_encoder_info info = {.struct_size = sizeof info};
    struct ss_encoder_options options = {.struct_size = sizeof options,
                                         .prompt = text_of(model, "prompt"),
                                         .max_tokens = max_tokens < 0 ? 0 : (size_t)max_tokens,
                                         .work = work,
                                         .progress = stop};
    (void)(precision != NULL && ss_precision_parse(precision, &options.precision));
    SS_RETURN_IF_ERROR(ss_encoder_open(path, &options, out, err));
    ss_encoder_describe(*out, &info);
    if (width <= 0 || (size_t)width >= info.width) {
        return SS_OK;
    }
    ss_encoder_free(*out);
    *out = NULL;
    options.truncate_dim = (size_t)width;
    return ss_encoder_open(path, &options, out, err);
}

static ss_status open_encoder(struct opening *opening, ss_err *err)
{
    const char *name = text_of(ss__json_get(opening->root, "model"), "name"), *path = NULL;
    if (name != NULL && strcmp(name, SS_FOLDER_NAME_EMBEDDINGS) == 0) {
        return ss__fail_file(err, opening->file, SS_E_NOINPUT,
                             "the run was made from embeddings and names no encoder");
    }
    SS_RETURN_IF_ERROR(find_path(opening, "model", &path, err));
    SS_RETURN_IF_ERROR(check_files(opening, "model", err));
    return ss_run_open_recorded_encoder(path, opening->root, opening->out->work,
                                        opening->asking.stop, &opening->out->encoder, err);
}

/* A threshold that the analysis calibrated stands in the manifest as a number: it is used as
 * it is, since calibrating again on other rows would give another one. Weights are kept where
 * the caller needs directions of the decoder; an SAE of a format without them is opened all
 * the same. */
static ss_status open_sae(struct opening *opening, ss_err *err)
{
    const struct ss__json *sae = ss__json_get(opening->root, "sae");
    const struct ss__json *threshold = ss__json_get(sae, "batchtopk_threshold");
    const char *rule = option_of(opening->root, "batchtopk"), *path = NULL;
    const struct ss__json *top_k = ss__json_get(
        ss__json_get(ss__json_get(opening->root, "options"), "sae-top-k"), "value");
    struct ss_sae_options options = {.struct_size = sizeof options,
                                     .format = text_of(sae, "format"),
                                     .progress = opening->asking.stop};
    SS_RETURN_IF_ERROR(find_path(opening, "sae", &path, err));
    SS_RETURN_IF_ERROR(check_files(opening, "sae", err));
    (void)(rule != NULL && ss_batchtopk_rule_parse(rule, &options.batchtopk_rule));
    if (ss__json_is_number(threshold)) {
        options.batchtopk_rule = SS_BATCHTOPK_THRESHOLD;
        options.batchtopk_threshold = ss__json_real(threshold);
    }
    if (ss__json_is_integer(top_k) && ss__json_integer(top_k) > 0) {
        options.top_k = (size_t)ss__json_integer(top_k);
    }
    const bool keeps_weights = opening->options->keeps_weights;
    const ss_status status =
        ss_sae_open_with_weights(path, &options, keeps_weights, &opening->out->sae, err);
    return keeps_weights && status == SS_E_UNSUPPORTED
               ? ss_sae_open(path, &options, &opening->out->sae, err)
               : status;
}

static ss_status check_features(const struct opening *opening, ss_err *err)
{
    struct ss_sae_info sae = {.struct_size = sizeof sae};
    ss_sae_describe(opening->out->sae, &sae);
    const int64_t n_features =
        ss__json_integer(ss__json_get(ss__json_get(opening->root, "sae"), "n_features"));
    return (int64_t)sae.n_features == n_features
               ? SS_OK
               : ss__fail_file(err, opening->file, SS_E_DATA,
                               "its SAE has %zu features and the run %lld", sae.n_features,
                               (long long)n_features);
}

static ss_status check_widths(const struct opening *opening, ss_err *err)
{
    struct ss_encoder_info encoder = {.struct_size = sizeof encoder};
    struct ss_sae_info sae = {.struct_size = sizeof sae};
    ss_encoder_describe(opening->out->encoder, &encoder);
    ss_sae_describe(opening->out->sae, &sae);
    return encoder.width == sae.width
               ? SS_OK
               : ss__fail_file(err, opening->file, SS_E_DATA,
                               "its encoder and SAE do not fit: %zu numbers, and %zu",
                               encoder.width, sae.width);
}

static ss_status open_missing(struct opening *opening, ss_err *err)
{
    struct ss_run_models *out = opening->out;
    if (out->work == NULL) {
        SS_RETURN_IF_ERROR(ss_work_new(opening->options->n_threads, &out->work, err));
    }
    if (out->encoder == NULL && !opening->options->no_encoder) {
        SS_RETURN_IF_ERROR(open_encoder(opening, err));
    }
    if (out->sae == NULL && !opening->options->no_sae) {
        SS_RETURN_IF_ERROR(open_sae(opening, err));
        SS_RETURN_IF_ERROR(check_features(opening, err));
    }
    return out->encoder == NULL || out->sae == NULL ? SS_OK : check_widths(opening, err);
}

/* Gives. */
static ss_status find_place(const struct opening *opening, const char *part, const char *given,
                            char **out, ss_err *err)
{
    const char *recorded = text_of(ss__json_get(opening->root, part), "path");
    if (given == NULL && recorded == NULL) {
        return SS_OK;
    }
    *out = given != NULL ? ss__strdup(given) : ss_run_path_find(opening->file, recorded);
    return *out == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
}

ss_status ss_run_models_open_recorded(const char *file, const struct ss__json *root,
                                      const struct ss_run_models_options *options,
                                      struct ss_run_models *out, ss_err *err)
{
    struct opening opening = {file, root, options, {.stop = options->stop}, out, NULL, NULL};
    ss_status status =
        find_place(&opening, "model", options->model_path, &opening.model_path, err);
    if (status == SS_OK) {
        status = find_place(&opening, "sae", options->sae_path, &opening.sae_path, err);
    }
    if (status == SS_OK) {
        status = open_missing(&opening, err);
    }
    ss__free(opening.model_path);
    ss__free(opening.sae_path);
    return status;
}

ss_status ss_run_models_open(const char *folder, const struct ss_run_models_options *options,
                             struct ss_run_models *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *root = NULL;
    char *file = ss__path_join(folder, SS_FOLDER_FILE_MANIFEST);
    if (file == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__json_load(file, &root, err));
    SS_TRY(ss_run_models_open_recorded(file, root, options, out, err));
out:
    ss__json_free(root);
    ss__free(file);
    return status;
}

void ss_run_models_close(struct ss_run_models *models)
{
    ss_sae_free(models->sae);
    ss_encoder_free(models->encoder);
    ss_work_free(models->work);
    *models = (struct ss_run_models){0};
}
