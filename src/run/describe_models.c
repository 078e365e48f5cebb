/* The encoder of a run is known by the hashes in run.json: labels made with another one would
 * be compared with texts that live in another space. Its SAE is known in the same way. */
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "encoder/encoder.h"
#include "run/describe_inputs.h"
#include "run/run_models.h"
#include "run/run_paths.h"
#include "sae/sae.h"

/* ---- hashes ---- */

/* What a file is called inside the folder of its model; the last component of others. */
static const char *name_inside(const char *folder, const char *path)
{
    const size_t n = folder == NULL ? 0 : strlen(folder);
    if (n > 0 && strncmp(path, folder, n) == 0 && (path[n] == '/' || folder[n - 1] == '/')) {
        return path + n + strspn(path + n, "/");
    }
    return ss__path_name(path);
}

/* The recorded hash of a file of the model or SAE; NULL: not recorded. */
static const char *recorded_hash(const struct ss__json *recorded, const char *name)
{
    const char *folder = ss__json_string(ss__json_get(recorded, "path"));
    const struct ss__json *item = NULL;
    size_t i = 0;
    SS_JSON_EACH (ss__json_get(recorded, "files"), i, item) {
        const char *path = ss__json_string(ss__json_get(item, "path"));
        if (path != NULL && strcmp(name_inside(folder, path), name) == 0) {
            return ss__json_string(ss__json_get(item, "sha256"));
        }
    }
    return NULL;
}

/* What is compared with its record in run.json. */
struct compared {
    const char *file; /* run.json */
    const struct ss__json *recorded;
    const char *what, *option; /* "encoder", "model" */
    const char *folder;
    struct ss__asking *asking;
};

static ss_status check_file(const struct compared *compared, const char *path, ss_err *err)
{
    char hex[SS__SHA256_HEX_BYTES];
    const char *recorded =
        recorded_hash(compared->recorded, name_inside(compared->folder, path));
    if (recorded == NULL) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss__sha256_file(path, compared->asking, hex, err));
    return strcmp(hex, recorded) == 0
               ? SS_OK
               : ss__fail_file(err, path, SS_E_DATA,
                               "not the %s of %s, which has another sha256 for this file; name "
                               "the folder of that one with `%s`",
                               compared->what, compared->file, compared->option);
}

/* Where a model or SAE is now; *out NULL where no place was recorded. Gives. */
static ss_status find_place(const char *file, const struct ss__json *recorded, char **out,
                            ss_err *err)
{
    const char *path = ss__json_string(ss__json_get(recorded, "path"));
    *out = path == NULL ? NULL : ss_run_path_find(file, path);
    return path != NULL && *out == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
}

/* ---- the encoder ---- */

static ss_status open_encoder(struct ss_run_describe_inputs *inputs, const char *file,
                              const struct ss__json *root, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    SS_TRY(find_place(file, ss__json_get(root, "model"), &path, err));
    if (path == NULL || ss__path_stat(path) == SS__PATH_NONE) {
        SS_FAIL_FILE(file, SS_E_NOINPUT,
                     "the encoder of this run is no longer at %s; name its folder with `model`",
                     path == NULL ? "the place that it names" : path);
    }
    SS_TRY(ss_run_open_recorded_encoder(path, root, inputs->work, inputs->stop,
                                        &inputs->own_encoder, err));
out:
    ss__free(path);
    return status;
}

static ss_status check_encoder(const struct ss_run_describe_inputs *inputs, const char *file,
                               const struct ss__json *model, ss_err *err)
{
    struct ss__asking asking = {.stop = inputs->stop};
    struct ss_encoder_info info = {.struct_size = sizeof info};
    ss_encoder_describe(inputs->encoder, &info);
    const int64_t width = ss__json_integer(ss__json_get(model, "width"));
    if (width != (int64_t)info.width) {
        return ss__fail_file(err, info.path, SS_E_DATA,
                             "not the encoder of %s: its embeddings have %zu numbers, those of "
                             "the run %lld",
                             file, info.width, (long long)width);
    }
    const struct compared compared = {file, model, "encoder", "model", info.path, &asking};
    for (size_t i = 0; i < ss_encoder_n_files(inputs->encoder); i++) {
        SS_RETURN_IF_ERROR(check_file(&compared, ss_encoder_file(inputs->encoder, i), err));
    }
    return SS_OK;
}

static ss_status find_encoder(struct ss_run_describe_inputs *inputs, const char *file,
                              const struct ss__json *root, const ss_encoder *given, ss_err *err)
{
    const struct ss__json *model = ss__json_get(root, "model");
    const char *name = ss__json_string(ss__json_get(model, "name"));
    const bool is_of_embeddings = name != NULL && strcmp(name, SS_FOLDER_NAME_EMBEDDINGS) == 0;
    if (given == NULL && is_of_embeddings) {
        return ss__fail_file(err, file, SS_E_NOINPUT,
                             "the run was made from embeddings: name the encoder that made "
                             "them with `model`");
    }
    if (given == NULL) {
        SS_RETURN_IF_ERROR(open_encoder(inputs, file, root, err));
    }
    inputs->encoder = given == NULL ? inputs->own_encoder : given;
    SS_RETURN_IF_ERROR(check_encoder(inputs, file, model, err));
    if (is_of_embeddings) {
        ss__log(&inputs->log, SS_LEVEL_WARNING,
                "%s does not say which encoder made its embeddings: labels mean nothing if it "
                "is not this one",
                file);
    }
    return SS_OK;
}

/* ---- the SAE ---- */

static ss_status check_sae(const struct ss_run_describe_inputs *inputs, const ss_sae *sae,
                           const char *file, const struct ss__json *recorded, ss_err *err)
{
    struct ss__asking asking = {.stop = inputs->stop};
    struct ss_sae_info info = {.struct_size = sizeof info};
    ss_sae_describe(sae, &info);
    const struct compared compared = {file, recorded, "SAE", "sae", info.path, &asking};
    if (info.n_features != inputs->run->info.n_features) {
        return ss__fail_file(err, info.path, SS_E_DATA,
                             "not the SAE of %s: it has %zu features, the run %zu", file,
                             info.n_features, inputs->run->info.n_features);
    }
    for (size_t i = 0; i < ss_sae_n_files(sae); i++) {
        SS_RETURN_IF_ERROR(check_file(&compared, ss_sae_file(sae, i), err));
    }
    return SS_OK;
}

/* The SAE from where the run had it; its rule does not matter here, so that one whose files do
 * not say how many features a row keeps is given some number. */
static ss_status open_sae(struct ss_run_describe_inputs *inputs, const char *file,
                          const struct ss__json *recorded, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    struct ss_sae_options options = {.struct_size = sizeof options,
                                     .format =
                                         ss__json_string(ss__json_get(recorded, "format")),
                                     .batchtopk_rule = SS_BATCHTOPK_ROW_TOPK,
                                     .progress = inputs->stop};
    SS_TRY(find_place(file, recorded, &path, err));
    if (path == NULL || ss__path_stat(path) == SS__PATH_NONE) {
        SS_FAIL_FILE(file, SS_E_NOINPUT, "its SAE is no longer at %s",
                     path == NULL ? "the place that it names" : path);
    }
    status = ss_sae_open(path, &options, &inputs->own_sae, err);
    if (status == SS_E_UNSUPPORTED || status == SS_E_USAGE) {
        options.top_k = 1;
        status = ss_sae_open(path, &options, &inputs->own_sae, err);
    }
    SS_TRY(status);
    SS_TRY(check_sae(inputs, inputs->own_sae, file, recorded, err));
out:
    ss__free(path);
    return status;
}

static ss_status find_sae(struct ss_run_describe_inputs *inputs, const char *file,
                          const struct ss__json *root, const ss_sae *given, ss_err *err)
{
    const struct ss__json *recorded = ss__json_get(root, "sae");
    ss_err missing = {0};
    if (given != NULL) {
        SS_RETURN_IF_ERROR(check_sae(inputs, given, file, recorded, err));
        inputs->sae = given;
    } else {
        const ss_status status = open_sae(inputs, file, recorded, &missing);
        if (status == SS_E_STOPPED || status == SS_E_NOMEM || status == SS_E_IO) {
            if (err != NULL) {
                *err = missing;
            }
            return status;
        }
        if (status != SS_OK) {
            ss__log(&inputs->log, SS_LEVEL_NOTICE, "no sentence test: %s", missing.message);
            return SS_OK;
        }
        inputs->sae = inputs->own_sae;
    }
    if (!ss_sae_has_pre_activations(inputs->sae)) {
        ss__log(&inputs->log, SS_LEVEL_NOTICE,
                "no sentence test: this kind of SAE compares no number of each feature");
        inputs->sae = NULL;
    }
    return SS_OK;
}

ss_status ss_run_describe_find_models(struct ss_run_describe_inputs *inputs,
                                      const ss_encoder *encoder,
                                      const struct ss_describe_options *options, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *root = NULL;
    char *file = ss__path_join(inputs->dir, SS_FOLDER_FILE_MANIFEST);
    if (file == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__json_load(file, &root, err));
    SS_TRY(find_encoder(inputs, file, root, encoder, err));
    if (!options->no_sentence_test && !options->no_score && options->method != SS_METHOD_NONE) {
        SS_TRY(find_sae(inputs, file, root, options->sae, err));
    }
out:
    ss__json_free(root);
    ss__free(file);
    return status;
}

ss_status ss_run_own_encoder_find(struct ss_run_own_encoder *self, const ss_encoder *given,
                                  ss_err *err)
{
    const struct ss_describe_options describe = {.struct_size = sizeof describe,
                                                 .no_sentence_test = true};
    struct ss_encoder_info info = {.struct_size = sizeof info};
    struct ss_run_describe_inputs inputs = {.dir = self->dir,
                                            .stop = self->stop,
                                            .log = self->log,
                                            .run = self->run,
                                            .work = self->work};
    const ss_status status = ss_run_describe_find_models(&inputs, given, &describe, err);
    self->own = inputs.own_encoder;
    SS_RETURN_IF_ERROR(status);
    ss_encoder_describe(inputs.encoder, &info);
    if (info.width != self->width) {
        return ss__fail_file(err, info.path, SS_E_SHAPE,
                             "its embeddings have %zu numbers, those of %s %zu", info.width,
                             self->dir, self->width);
    }
    self->encoder = inputs.encoder;
    return SS_OK;
}
