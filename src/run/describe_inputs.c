/* The encoder of a run is known by the hashes in run.json: labels made with another one would
 * be compared with texts that live in another space. */
#include "run/describe_inputs.h"

#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "encoder/encoder.h"

/* ---- the encoder ---- */

static ss_status open_encoder(struct ss_run_describe_inputs *inputs, const char *file,
                              const struct ss__json *model, ss_err *err)
{
    const char *path = ss__json_string(ss__json_get(model, "path"));
    const char *prompt = ss__json_string(ss__json_get(model, "prompt"));
    const int64_t max_tokens = ss__json_integer(ss__json_get(model, "max_tokens"));
    const struct ss_encoder_options options = {
        .struct_size = sizeof options,
        .prompt = prompt,
        .max_tokens = max_tokens < 0 ? 0 : (size_t)max_tokens,
        .work = inputs->work,
        .progress = inputs->stop,
    };
    if (path == NULL || ss__path_stat(path) == SS__PATH_NONE) {
        return ss__fail_file(err, file, SS_E_NOINPUT,
                             "the encoder of this run is no longer at %s; name its folder with "
                             "`model`",
                             path == NULL ? "the place that it names" : path);
    }
    return ss_encoder_open(path, &options, &inputs->own_encoder, err);
}

/* What a file is called inside the folder of its model; the last component of others. */
static const char *name_inside(const char *folder, const char *path)
{
    const size_t n = folder == NULL ? 0 : strlen(folder);
    if (n > 0 && strncmp(path, folder, n) == 0 && (path[n] == '/' || folder[n - 1] == '/')) {
        return path + n + strspn(path + n, "/");
    }
    return ss__path_name(path);
}

/* The recorded hash of a file of the model; NULL: not recorded. */
static const char *recorded_hash(const struct ss__json *model, const char *name)
{
    const char *folder = ss__json_string(ss__json_get(model, "path"));
    const struct ss__json *item = NULL;
    size_t i = 0;
    SS_JSON_EACH (ss__json_get(model, "files"), i, item) {
        const char *path = ss__json_string(ss__json_get(item, "path"));
        if (path != NULL && strcmp(name_inside(folder, path), name) == 0) {
            return ss__json_string(ss__json_get(item, "sha256"));
        }
    }
    return NULL;
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
    for (size_t i = 0; i < ss_encoder_n_files(inputs->encoder); i++) {
        const char *path = ss_encoder_file(inputs->encoder, i);
        char hex[SS__SHA256_HEX_BYTES];
        const char *recorded = recorded_hash(model, name_inside(info.path, path));
        if (recorded == NULL) {
            continue;
        }
        SS_RETURN_IF_ERROR(ss__sha256_file(path, &asking, hex, err));
        if (strcmp(hex, recorded) != 0) {
            return ss__fail_file(err, path, SS_E_DATA,
                                 "not the encoder of %s, which has another sha256 for this "
                                 "file; name the folder of that one with `model`",
                                 file);
        }
    }
    return SS_OK;
}

static ss_status find_encoder(struct ss_run_describe_inputs *inputs, const ss_encoder *given,
                              ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *root = NULL;
    char *file = ss__path_join(inputs->dir, SS_RUN_FILE_MANIFEST);
    if (file == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__json_load(file, &root, err));
    const struct ss__json *model = ss__json_get(root, "model");
    const char *name = ss__json_string(ss__json_get(model, "name"));
    const bool is_of_embeddings = name != NULL && strcmp(name, SS_RUN_NAME_EMBEDDINGS) == 0;
    if (given == NULL && is_of_embeddings) {
        SS_FAIL_FILE(file, SS_E_NOINPUT,
                     "the run was made from embeddings: name the encoder that made them with "
                     "`model`");
    }
    if (given == NULL) {
        SS_TRY(open_encoder(inputs, file, model, err));
    }
    inputs->encoder = given == NULL ? inputs->own_encoder : given;
    SS_TRY(check_encoder(inputs, file, model, err));
    if (is_of_embeddings) {
        ss__log(&inputs->log, SS_LEVEL_WARNING,
                "%s does not say which encoder made its embeddings: labels mean nothing if it "
                "is not this one",
                file);
    }
out:
    ss__json_free(root);
    ss__free(file);
    return status;
}

/* ---- the evidence ---- */

static ss_status fill_rates(struct ss_run_describe_inputs *inputs, ss_err *err)
{
    const struct ss_run_info *info = &inputs->run->info;
    SS_ALLOC_OR_RETURN(inputs->rates, info->n_features);
    for (size_t f = 0; f < info->n_features; f++) {
        inputs->rates[f] = (double)inputs->run->features[f].n_fires / (double)info->n_rows_used;
    }
    return SS_OK;
}

static void show_evidence(struct ss_run_describe_inputs *inputs)
{
    const struct ss_run_evidence *evidence = &inputs->evidence;
    inputs->described = (struct ss_describe_evidence){
        .n_features = evidence->n_features,
        .width = evidence->width,
        .n_texts = evidence->n_texts,
        .texts = evidence->texts,
        .embeddings = evidence->embeddings,
        .codes = &evidence->codes,
        .first = {evidence->first[0], evidence->first[1], evidence->first[2]},
        .n_pool = {evidence->n_pool[0], evidence->n_pool[1]},
        .sample_offsets = evidence->sample_offsets,
        .sample_texts = evidence->sample_texts,
        .sample_activations = evidence->sample_activations,
        .rates = inputs->rates,
    };
}

ss_status ss_run_describe_open(struct ss_run_describe_inputs *inputs, const char *dir,
                               const ss_encoder *encoder,
                               const struct ss_describe_options *options, ss_err *err)
{
    struct ss_encoder_info info = {.struct_size = sizeof info};
    *inputs = (struct ss_run_describe_inputs){
        .dir = dir, .stop = options->progress, .log = options->log};
    SS_RETURN_IF_ERROR(ss_run_open(dir, NULL, &inputs->run, err));
    SS_RETURN_IF_ERROR(
        ss_run_evidence_open(dir, inputs->run->info.n_features, &inputs->evidence, err));
    if (!inputs->evidence.has_texts) {
        return ss__fail_file(
            err, dir, SS_E_NOINPUT,
            "the run was made without texts: labels need an analysis with a `dataset`");
    }
    SS_RETURN_IF_ERROR(ss_work_new(options->n_threads, &inputs->work, err));
    ss_work_set_progress(inputs->work, options->progress);
    SS_RETURN_IF_ERROR(find_encoder(inputs, encoder, err));
    ss_encoder_describe(inputs->encoder, &info);
    if (info.width != inputs->evidence.width) {
        return ss__fail_file(err, info.path, SS_E_SHAPE,
                             "its embeddings have %zu numbers, those of %s %zu", info.width,
                             dir, inputs->evidence.width);
    }
    SS_RETURN_IF_ERROR(fill_rates(inputs, err));
    show_evidence(inputs);
    return ss_describe_view_new(&inputs->described, inputs->work, &inputs->view, err);
}

void ss_run_describe_close(struct ss_run_describe_inputs *inputs)
{
    ss_describe_view_free(inputs->view);
    ss_run_evidence_release(&inputs->evidence);
    ss__free(inputs->rates);
    ss_encoder_free(inputs->own_encoder);
    ss_work_free(inputs->work);
    ss_run_free(inputs->run);
    *inputs = (struct ss_run_describe_inputs){0};
}

/* ---- embedding ---- */

static ss_status embed(void *user, const struct ss_text *texts, size_t n, float *out,
                       ss_err *err)
{
    const struct ss_run_describe_model *model = user;
    return ss_encoder_embed(model->encoder, model->inputs->work, texts, n, out, NULL, err);
}

struct ss_describe_embedder ss_run_describe_embedder(struct ss_run_describe_model *model)
{
    struct ss_encoder_info info = {.struct_size = sizeof info};
    ss_encoder_describe(model->encoder, &info);
    return (struct ss_describe_embedder){.embed = embed, .user = model, .width = info.width};
}
