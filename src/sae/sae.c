/* Opening an SAE of any format, its facts, and its release. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "sae/sae_priv.h"

static const struct ss__sae_format *const formats[] = {&ss__sae_seed_format};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

/* The folder of a path that may name a file in it; `memory` (ss__free) holds the text. */
static ss_status find_place(const char *path, struct ss__sae_place *place, char **memory,
                            ss_err *err)
{
    *place = (struct ss__sae_place){.folder = path};
    *memory = NULL;
    if (ss__path_look(path) != SS__PATH_FILE) {
        return SS_OK;
    }
    const char *name = ss__path_name(path);
    const size_t n_folder = (size_t)(name - path);
    *memory = n_folder == 0 ? ss__strdup(".") : ss__strndup(path, n_folder);
    if (*memory == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    place->folder = *memory;
    place->weights = strcmp(name, "config.json") == 0 ? NULL : path;
    return SS_OK;
}

static const struct ss__sae_format *find_format(const struct ss__sae_place *place)
{
    for (size_t i = 0; i < N_FORMATS; i++) {
        if (formats[i]->is_at(place)) {
            return formats[i];
        }
    }
    return NULL;
}

bool ss__sae_is_at(const char *path)
{
    struct ss__sae_place place = {0};
    char *memory = NULL;
    const bool found =
        find_place(path, &place, &memory, NULL) == SS_OK && find_format(&place) != NULL;
    ss__free(memory);
    return found;
}

static ss_status find_or_fail(const char *path, const struct ss__sae_place *place,
                              const struct ss__sae_format **format, ss_err *err)
{
    ss_status status = SS_OK;
    if (ss__path_look(path) == SS__PATH_NONE) {
        SS_FAIL_FILE(path, SS_E_NOINPUT,
                     "there is no such folder or file; expected a folder "
                     "with config.json and sae.pt or sae.safetensors");
    }
    *format = find_format(place);
    if (*format == NULL) {
        SS_FAIL_FILE(path, ss__path_look(path) == SS__PATH_FOLDER ? SS_E_NOINPUT : SS_E_DATA,
                     "this is no sparse autoencoder: expected a folder with config.json and "
                     "sae.pt or sae.safetensors");
    }
out:
    return status;
}

ss_status ss_sae_open(const char *path, const struct ss_sae_options *options, ss_sae **out,
                      ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_log *log = options == NULL ? NULL : &options->log;
    const struct ss__sae_format *format = NULL;
    struct ss__sae_place place = {0};
    struct ss_sae *sae = NULL;
    char *memory = NULL;
    *out = NULL;
    SS_TRY(find_place(path, &place, &memory, err));
    SS_TRY(find_or_fail(path, &place, &format, err));
    SS_ALLOC(sae, 1);
    sae->format = format->name;
    if (options != NULL) {
        sae->options = *options;
    }
    sae->path = ss__strdup(path);
    if (sae->path == NULL) {
        status = ss__fail_nomem(err, "a path");
        goto out;
    }
    SS_TRY(format->read(sae, &place, log, err));
    SS_ALLOC(sae->floors, sae->n_features);
    SS_ALLOC(sae->nearest, sae->n_features);
    SS_TRY(ss__sae_set_rule(sae, err));
    *out = sae;
    sae = NULL;
out:
    ss_sae_free(sae);
    ss__free(memory);
    return status;
}

void ss_sae_free(ss_sae *sae)
{
    if (sae == NULL) {
        return;
    }
    ss__matrix_release(&sae->encoder);
    ss__free(sae->path);
    ss__free(sae->model_name);
    ss__free(sae->subtracted);
    ss__free(sae->bias);
    ss__free(sae->thresholds);
    ss__free(sae->floors);
    ss__free(sae->nearest);
    ss__buf_release(&sae->rule);
    json_decref(sae->config);
    for (size_t i = 0; i < sae->n_files; i++) {
        ss__free(sae->files[i]);
    }
    ss__free(sae->files);
    ss__free(sae);
}

ss_status ss__sae_add_file(struct ss_sae *sae, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    char *copy = ss__strdup(path);
    char **files = ss__realloc(sae->files, sae->n_files + 1, sizeof *files);
    sae->files = files != NULL ? files : sae->files;
    if (copy == NULL || files == NULL) {
        status = ss__fail_nomem(err, "a path");
        goto out;
    }
    sae->files[sae->n_files++] = copy;
    copy = NULL;
out:
    ss__free(copy);
    return status;
}

void ss_sae_describe(const ss_sae *sae, struct ss_sae_info *out)
{
    *out = (struct ss_sae_info){
        .path = sae->path,
        .format = sae->format,
        .kind = ss__sae_kind_name(sae->kind),
        .rule = sae->rule.data,
        .model_name = sae->model_name,
        .dtype = sae->dtype,
        .width = sae->width,
        .n_features = sae->n_features,
        .top_k = sae->top_k,
        .config_num_examples = sae->config_num_examples,
        .normalizes_input = sae->normalizes_input,
    };
}

const float *ss_sae_thresholds(const ss_sae *sae)
{
    return sae->thresholds;
}

size_t ss__sae_n_files(const ss_sae *sae)
{
    return sae->n_files;
}

const char *ss__sae_file(const ss_sae *sae, size_t index)
{
    return sae->files[index];
}

const struct json_t *ss__sae_config(const ss_sae *sae)
{
    return sae->config;
}

void ss_sparse_release(struct ss_sparse *sparse)
{
    ss__free(sparse->offsets);
    ss__free(sparse->features);
    ss__free(sparse->values);
    *sparse = (struct ss_sparse){0};
}
