/* Where an SAE lies: the folder, the documents in it and its weights file. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "sae/sae_format.h"

static const char *const weights_endings[] = {".pt",  ".pth",  ".safetensors",
                                              ".npz", ".ckpt", ".bin"};

static bool ends_with(const char *text, const char *ending)
{
    const size_t n = strlen(text), n_ending = strlen(ending);
    return n >= n_ending && strcmp(text + n - n_ending, ending) == 0;
}

static bool is_weights_name(const char *name)
{
    for (size_t i = 0; i < sizeof weights_endings / sizeof weights_endings[0]; i++) {
        if (ends_with(name, weights_endings[i])) {
            return true;
        }
    }
    return false;
}

bool ss_sae_place_has(const struct ss_sae_place *place, const char *name)
{
    char *path = ss__path_join(place->folder, name);
    const bool is_file = path != NULL && ss__path_look(path) == SS__PATH_FILE;
    ss__free(path);
    return is_file;
}

/* ---- documents ---- */

/* FOLDER/NAME as a tree; absent is no fault. */
static ss_status load_document(const char *folder, const char *name, struct ss__json **document,
                               char **path, ss_err *err)
{
    *path = ss__path_join(folder, name);
    if (*path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    SS_RETURN_IF_ERROR(ss__json_load_optional(*path, document, err));
    if (*document != NULL && !ss__json_is_object(*document)) {
        return ss__fail_file(err, *path, SS_E_DATA,
                             "expected an object with the SAE's configuration");
    }
    return SS_OK;
}

/* Checkpoints of a training lie one folder below its config.json. */
static ss_status load_config(struct ss_sae_place *place, ss_err *err)
{
    ss_status status = SS_OK;
    char *parent = NULL;
    SS_TRY(
        load_document(place->folder, "config.json", &place->config, &place->config_path, err));
    if (place->config == NULL && strcmp(ss__path_name(place->folder), "checkpoints") == 0) {
        ss__free(place->config_path);
        place->config_path = NULL;
        parent = ss__path_join(place->folder, "..");
        if (parent == NULL) {
            status = ss__fail_nomem(err, "a path");
            goto out;
        }
        SS_TRY(load_document(parent, "config.json", &place->config, &place->config_path, err));
    }
out:
    ss__free(parent);
    return status;
}

/* ---- modules of a sentence-transformers model ---- */

static bool is_sae_module(const struct ss__json *module)
{
    const char *type = ss__json_string(ss__json_get(module, "type"));
    return type != NULL && ends_with(type, ".SparseAutoEncoder");
}

/* Go to the folder of the module, if the folder is that of such a model. */
static ss_status enter_module(struct ss_sae_place *place, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *modules = NULL;
    const struct ss__json *module = NULL;
    size_t index = 0;
    char *path = ss__path_join(place->folder, "modules.json");
    if (path == NULL) {
        status = ss__fail_nomem(err, "a path");
        goto out;
    }
    SS_TRY(ss__json_load_optional(path, &modules, err));
    SS_JSON_EACH (modules, index, module) {
        const char *name = ss__json_string(ss__json_get(module, "path"));
        if (is_sae_module(module) && name != NULL && ss__path_is_inside(name)) {
            char *folder = ss__path_join(place->folder, name);
            if (folder == NULL) {
                status = ss__fail_nomem(err, "a path");
                goto out;
            }
            ss__free(place->folder);
            place->folder = folder;
            place->is_module = true;

            goto out;
        }
    }
out:
    ss__json_free(modules);
    ss__free(path);
    return status;
}

/* ---- places ---- */

static ss_status split_path(struct ss_sae_place *place, ss_err *err)
{
    const char *name = ss__path_name(place->path);
    const size_t n_folder = (size_t)(name - place->path);
    const bool is_file = ss__path_look(place->path) == SS__PATH_FILE;
    const bool is_document = ends_with(name, ".json");
    if (!is_file) {
        place->folder = ss__strdup(place->path);
    } else {
        place->folder = n_folder == 0 ? ss__strdup(".")
                                      : ss__strndup(place->path, ss__max_size(n_folder - 1, 1));
        place->file = is_document ? NULL : ss__strdup(place->path);
    }
    return place->folder == NULL || (is_file && !is_document && place->file == NULL)
               ? ss__fail_nomem(err, "a path")
               : SS_OK;
}

ss_status ss_sae_place_find(const char *path, const struct ss_sae_options *options,
                            struct ss_sae_place *place, ss_err *err)
{
    static const struct ss_sae_options defaults = {0};
    *place = (struct ss_sae_place){.path = path};
    place->options = options == NULL ? &defaults : options;
    place->asking.stop = place->options->stop;
    place->log = &place->options->log;
    SS_RETURN_IF_ERROR(split_path(place, err));
    if (place->file == NULL) {
        SS_RETURN_IF_ERROR(enter_module(place, err));
    }
    SS_RETURN_IF_ERROR(load_config(place, err));
    return load_document(place->folder, "cfg.json", &place->cfg, &place->cfg_path, err);
}

void ss_sae_place_release(struct ss_sae_place *place)
{
    ss_weights_close(place->weights);
    ss__buf_release(&place->warnings);
    ss__json_free(place->config);
    ss__json_free(place->cfg);
    ss__free(place->config_path);
    ss__free(place->cfg_path);
    ss__free(place->folder);
    ss__free(place->file);
    *place = (struct ss_sae_place){0};
}

/* ---- weights ---- */

/* The only weights file of the folder. */
static ss_status find_only(const struct ss_sae_place *place, char **path, ss_err *err)
{
    ss_status status = SS_OK;
    char **names = NULL;
    const char *found = NULL;
    size_t n = 0, n_found = 0;
    SS_TRY(ss__list_folder(place->folder, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (is_weights_name(names[i]) && ss_sae_place_has(place, names[i])) {
            found = found == NULL ? names[i] : found;
            n_found++;
        }
    }
    if (n_found > 1) {
        SS_FAIL_FILE(place->path, SS_E_DATA,
                     "this folder holds %zu weights files and no document of a known format "
                     "beside them; name one of the files, such as '%.100s'",
                     n_found, found);
    }
    if (n_found == 1) {
        *path = ss__path_join(place->folder, found);
        status = *path == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
    }
out:
    ss__list_release(names, n);
    return status;
}

static ss_status find_named(const struct ss_sae_place *place, const char *const *names,
                            char **path, ss_err *err)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (ss_sae_place_has(place, names[i])) {
            *path = ss__path_join(place->folder, names[i]);
            return *path == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
        }
    }
    return SS_OK;
}

ss_status ss_sae_place_open(struct ss_sae_place *place, const char *const *names,
                            const char *expected, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    if (place->weights != NULL) {
        return SS_OK;
    }
    if (place->file != NULL) {
        path = ss__strdup(place->file);
        status = path == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
    } else {
        status =
            names != NULL ? find_named(place, names, &path, err) : find_only(place, &path, err);
    }
    SS_TRY(status);
    if (path == NULL) {
        SS_TRY(ss_sae_refuse_above(place, err));
        SS_FAIL_FILE(place->path, SS_E_NOINPUT, "no weights in this folder: expected %s",
                     expected);
    }
    SS_TRY(ss_weights_open(path, &place->asking, &place->weights, err));
    SS_TRY(ss_sae_find_prefix(place, err));
out:
    ss__free(path);
    return status;
}
