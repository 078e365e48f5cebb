/* A checkpoint on disk: the folder, the documents in it and its weights file.
 *
 * A user points at a folder, at a file of weights in it, at a document, or at a
 * sentence-transformers model that has an SAE as a module. All four become one thing: a
 * folder, the two documents that formats know (config.json, cfg.json), and, if it was named,
 * the file. Weights are opened late, by the format that claims the checkpoint, since they
 * may be large. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sized.h"
#include "sae/sae_format.h"

/* Containers that weights/open.c reads; other files of a folder do not count when the only
 * weights file is searched for. */
static const char *const weights_extensions[] = {".pt",  ".pth",  ".safetensors",
                                                 ".npz", ".ckpt", ".bin"};

static bool ends_with(const char *text, const char *suffix)
{
    const size_t n = strlen(text), n_suffix = strlen(suffix);
    return n >= n_suffix && strcmp(text + n - n_suffix, suffix) == 0;
}

static bool is_weights_name(const char *name)
{
    for (size_t i = 0; i < sizeof weights_extensions / sizeof weights_extensions[0]; i++) {
        if (ends_with(name, weights_extensions[i])) {
            return true;
        }
    }
    return false;
}

bool ss_sae_checkpoint_has_file(const struct ss_sae_checkpoint *from, const char *name)
{
    return ss__path_look_in(from->folder, name) == SS__PATH_FILE;
}

/* ---- documents ---- */

/* FOLDER/NAME as a tree; absent is no fault, and *path is set all the same, for messages that
 * say what is missing. Gives *document and *path. */
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

/* The folder's config.json; for dictionary_learning's checkpoints, which lie in a folder of
 * that name one level below it, the one above. */
static ss_status load_config(struct ss_sae_checkpoint *from, ss_err *err)
{
    ss_status status = SS_OK;
    char *parent = NULL;
    SS_TRY(load_document(from->folder, "config.json", &from->config, &from->config_path, err));
    if (from->config == NULL && strcmp(ss__path_name(from->folder), "checkpoints") == 0) {
        ss__free(from->config_path);
        from->config_path = NULL;
        parent = ss__path_join(from->folder, "..");
        if (parent == NULL) {
            status = ss__fail_nomem(err, "a path");
            goto out;
        }
        SS_TRY(load_document(parent, "config.json", &from->config, &from->config_path, err));
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
static ss_status enter_module(struct ss_sae_checkpoint *from, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *modules = NULL;
    const struct ss__json *module = NULL;
    size_t index = 0;
    char *path = ss__path_join(from->folder, "modules.json");
    if (path == NULL) {
        status = ss__fail_nomem(err, "a path");
        goto out;
    }
    SS_TRY(ss__json_load_optional(path, &modules, err));
    SS_JSON_EACH (modules, index, module) {
        const char *name = ss__json_string(ss__json_get(module, "path"));
        /* a path out of the model's folder is not followed */
        if (is_sae_module(module) && name != NULL && ss__path_is_inside(name)) {
            char *folder = ss__path_join(from->folder, name);
            if (folder == NULL) {
                status = ss__fail_nomem(err, "a path");
                goto out;
            }
            ss__free(from->folder);
            from->folder = folder;
            from->is_module = true;

            goto out;
        }
    }
out:
    ss__json_free(modules);
    ss__free(path);
    return status;
}

/* ---- the path ---- */

/* A document stands for its folder. What is neither file nor folder is taken as a folder: the
 * caller has checked that something is there. */
static ss_status split_path(struct ss_sae_checkpoint *from, ss_err *err)
{
    const char *name = ss__path_name(from->path);
    const size_t n_folder = (size_t)(name - from->path);
    const bool is_file = ss__path_stat(from->path) == SS__PATH_FILE;
    const bool is_document = ends_with(name, ".json");
    if (!is_file) {
        from->folder = ss__strdup(from->path);
    } else {
        from->folder = n_folder == 0 ? ss__strdup(".")
                                     : ss__strndup(from->path, ss__max_size(n_folder - 1, 1));
        from->file = is_document ? NULL : ss__strdup(from->path);
    }
    return from->folder == NULL || (is_file && !is_document && from->file == NULL)
               ? ss__fail_nomem(err, "a path")
               : SS_OK;
}

ss_status ss_sae_checkpoint_find(const char *path, const struct ss_sae_options *options,
                                 struct ss_sae_checkpoint *from, ss_err *err)
{
    *from = (struct ss_sae_checkpoint){.path = path};
    SS_RETURN_IF_ERROR(SS_READ_OPTIONS(&from->read, options, ss_sae_options, err));
    from->options = &from->read;
    from->asking.stop = from->options->progress;
    from->log = &from->options->log;
    SS_RETURN_IF_ERROR(split_path(from, err));
    if (from->file == NULL) {
        SS_RETURN_IF_ERROR(enter_module(from, err));
    }
    SS_RETURN_IF_ERROR(load_config(from, err));
    return load_document(from->folder, "cfg.json", &from->cfg, &from->cfg_path, err);
}

void ss_sae_checkpoint_release(struct ss_sae_checkpoint *from)
{
    ss_weights_close(from->weights);
    ss__buf_release(&from->warnings);
    ss__json_free(from->config);
    ss__json_free(from->cfg);
    ss__free(from->config_path);
    ss__free(from->cfg_path);
    ss__free(from->folder);
    ss__free(from->file);
    *from = (struct ss_sae_checkpoint){0};
}

/* ---- weights ---- */

/* The only weights file of the folder. */
static ss_status find_only(const struct ss_sae_checkpoint *from, char **path, ss_err *err)
{
    ss_status status = SS_OK;
    char **names = NULL;
    const char *found = NULL;
    size_t n = 0, n_found = 0;
    SS_TRY(ss__list_folder(from->folder, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (is_weights_name(names[i]) && ss_sae_checkpoint_has_file(from, names[i])) {
            found = found == NULL ? names[i] : found;
            n_found++;
        }
    }
    if (n_found > 1) {
        SS_FAIL_FILE(from->path, SS_E_DATA,
                     "this folder holds %zu weights files and no document of a known format "
                     "beside them; name one of the files, such as '%.100s'",
                     n_found, found);
    }
    if (n_found == 1) {
        *path = ss__path_join(from->folder, found);
        status = *path == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
    }
out:
    ss__list_release(names, n);
    return status;
}

/* The first of `names` that is there; *path stays NULL where none is. */
static ss_status find_named(const struct ss_sae_checkpoint *from, const char *const *names,
                            char **path, ss_err *err)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (ss_sae_checkpoint_has_file(from, names[i])) {
            *path = ss__path_join(from->folder, names[i]);
            return *path == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
        }
    }
    return SS_OK;
}

ss_status ss_sae_checkpoint_open_weights(struct ss_sae_checkpoint *from,
                                         const char *const *names, const char *expected,
                                         ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    if (from->weights != NULL) {
        return SS_OK;
    }
    if (from->file != NULL) {
        path = ss__strdup(from->file);
        status = path == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
    } else {
        status =
            names != NULL ? find_named(from, names, &path, err) : find_only(from, &path, err);
    }
    SS_TRY(status);
    if (path == NULL) {
        SS_TRY(ss_sae_refuse_parent_folder(from, err));
        SS_FAIL_FILE(from->path, SS_E_NOINPUT, "no weights in this folder: expected %s",
                     expected);
    }
    /* the file may be large: opening asks whether to stop */
    SS_TRY(ss_weights_open(path, &from->asking, &from->weights, err));
    SS_TRY(ss_sae_find_prefix(from, err));
out:
    ss__free(path);
    return status;
}
