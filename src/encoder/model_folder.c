/* The files of a model folder that say how it is used: modules.json, the sentence config and
 * the prompts, in the old and the new layout (docs/spec/encoders.md, §1). Paths come from a
 * file, so they are checked to stay inside the folder; classes are known by name and never
 * loaded as code. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "encoder/encoder.h"
#include "encoder/model_folder_priv.h"

enum { MAX_MODULES = 64 };

static const char module_namespace[] = "sentence_transformers.";

/* A path in the folder's arena, or the end of the function. */
#define JOIN(target, folder, base, name)                                                       \
    do {                                                                                       \
        (target) = ss_encoder_model_folder_join((folder), (base), (name));                     \
        if ((target) == NULL) {                                                                \
            status = ss__fail_nomem(err, "a path");                                            \
            goto out;                                                                          \
        }                                                                                      \
    } while (0)

/* ---- modules.json ---- */

static const char *const module_keys[] = {"idx", "name", "path", "type", "kwargs"};

/* Of two modules with one name the reference keeps the last, at the place of the first. */
static ss_status check_names(const char *file, const struct ss__json *modules, ss_err *err)
{
    for (size_t i = 0; i < ss__json_count(modules); i++) {
        const char *name = ss__json_string(ss__json_get(ss__json_at(modules, i), "name"));
        for (size_t k = 0; k < i && name != NULL; k++) {
            const char *other = ss__json_string(ss__json_get(ss__json_at(modules, k), "name"));
            if (other != NULL && strcmp(name, other) == 0) {
                return ss__fail_file(err, file, SS_E_DATA,
                                     "modules %zu and %zu have the same 'name' '%.100s'", k, i,
                                     name);
            }
        }
    }
    return SS_OK;
}

/* The package has moved its classes twice, so only the last part of a dotted name counts
 * (§1.1). */
static ss_status read_module(struct ss_encoder_model_folder *folder, const char *file,
                             const struct ss__json *json, const struct ss_log *log,
                             struct ss_encoder_step *step, ss_err *err)
{
    ss_status status = SS_OK;
    const char *type = "";
    const char *path = "";
    const struct ss_encoder_known_keys known = {.lists = {SS_ENCODER_KEY_LIST(module_keys)},
                                                .where = ""};
    SS_TRY(ss_encoder_keys_check(file, json, &known, log, err));
    SS_TRY(ss__json_need(file, json, "type", err));
    SS_TRY(ss__json_text(file, json, "type", &type, err));
    SS_TRY(ss__json_text(file, json, "path", &path, err));
    if (strncmp(type, module_namespace, sizeof module_namespace - 1) != 0) {
        SS_FAIL_FILE(file, SS_E_UNSUPPORTED,
                     "the module type '%s' is not of sentence_transformers; code of others is "
                     "not run",
                     type);
    }
    if (!ss__path_is_inside(path)) {
        SS_FAIL_FILE(file, SS_E_DATA, "the module path '%s' leaves the folder", path);
    }
    const char *last = strrchr(type, '.') + 1;
    step->type = ss__arena_strndup(&folder->arena, last, strlen(last));
    if (step->type == NULL) {
        status = ss__fail_nomem(err, "a module");
        goto out;
    }
    JOIN(step->path, folder, folder->path, path);
out:
    return status;
}

/* The transformer and pooling must lead; what follows works on embeddings. */
static ss_status check_order(const char *file, const struct ss_encoder_step *steps, size_t n,
                             ss_err *err)
{
    static const char *const lead[] = {"Transformer", "Pooling"};
    for (size_t i = 0; i < 2; i++) {
        if (i == n) {
            return ss__fail_file(err, file, SS_E_UNSUPPORTED, "there is no module of type %s",
                                 lead[i]);
        }
        if (strcmp(steps[i].type, lead[i]) != 0) {
            return ss__fail_file(err, file, SS_E_UNSUPPORTED,
                                 "module %zu is of type '%s', expected %s", i, steps[i].type,
                                 lead[i]);
        }
    }
    return SS_OK;
}

/* The transformer's path is kept apart; pooling is the first of the steps. */
static ss_status read_modules(struct ss_encoder_model_folder *folder, const char *file,
                              const struct ss__json *json, const struct ss_log *log,
                              ss_err *err)
{
    const size_t n = ss__json_count(json);
    struct ss_encoder_step *steps = NULL;
    if (!ss__json_is_array(json) || n == 0 || n > MAX_MODULES) {
        return ss__fail_file(err, file, SS_E_DATA, "expected a list of 1 to %d modules",
                             MAX_MODULES);
    }
    steps = ss__arena_alloc(&folder->arena, n * sizeof *steps);
    if (steps == NULL) {
        return ss__fail_nomem(err, "modules");
    }
    for (size_t i = 0; i < n; i++) {
        SS_RETURN_IF_ERROR(
            read_module(folder, file, ss__json_at(json, i), log, &steps[i], err));
    }
    SS_RETURN_IF_ERROR(check_names(file, json, err));
    SS_RETURN_IF_ERROR(check_order(file, steps, n, err));
    folder->transformer = steps[0].path;
    folder->steps = steps + 1;
    folder->n_steps = n - 1;
    return SS_OK;
}

/* ---- prompts ---- */

static const char *const prompts_keys[] = {
    "prompts",     "default_prompt_name", "truncate_dim", "model_type", /* read */
    "__version__", "similarity_fn_name",  "requirements",               /* without effect */
};

/* A folder without this file has no prompts. */
static ss_status read_prompts(struct ss_encoder_model_folder *folder, const struct ss_log *log,
                              ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_encoder_known_keys known = {.lists = {SS_ENCODER_KEY_LIST(prompts_keys)},
                                                .where = ""};
    JOIN(folder->prompts_path, folder, folder->path, "config_sentence_transformers.json");
    SS_TRY(ss__json_load_optional(folder->prompts_path, &folder->prompts, err));
    SS_TRY(ss_encoder_keys_check(folder->prompts_path, folder->prompts, &known, log, err));
    SS_TRY(ss_encoder_json_expect(
        folder->prompts_path, folder->prompts,
        (struct ss_encoder_expected){"model_type", "SentenceTransformer"}, err));
    const struct ss__json *prompts = ss__json_get(folder->prompts, "prompts");
    if (prompts != NULL && !ss__json_is_object(prompts)) {
        SS_FAIL_FILE(folder->prompts_path, SS_E_DATA, "'prompts' is not an object");
    }
out:
    return status;
}

/* The cast is for the macro, which gives members that can be changed; none is here. */
static void list_prompts(const struct ss__json *prompts, struct ss__buf *out)
{
    const char *name = NULL;
    struct ss__json *value = NULL;
    SS_JSON_EACH_MEMBER ((struct ss__json *)(uintptr_t)prompts, name, value) {
        ss__buf_printf(out, "%s'%s'", out->n_bytes == 0 ? "" : ", ", name);
    }
}

/* A prompt that was given counts before one that was named, and that before the folder's
 * default. A wrong name is the caller's fault or the folder's, according to where it came
 * from. */
ss_status ss_encoder_model_folder_prompt(const struct ss_encoder_model_folder *folder,
                                         const struct ss_encoder_options *options,
                                         const char **prompt, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf names = {0};
    const struct ss__json *prompts = ss__json_get(folder->prompts, "prompts");
    const char *name = options->prompt_name;
    *prompt = "";
    if (options->prompt != NULL) {
        *prompt = options->prompt;
        goto out;
    }
    if (name == NULL) {
        SS_TRY(ss__json_text(folder->prompts_path, folder->prompts, "default_prompt_name",
                             &name, err));
    }
    if (name == NULL) {
        goto out;
    }
    /* every model has these two, empty unless it says otherwise */
    const bool is_common = strcmp(name, "query") == 0 || strcmp(name, "document") == 0;
    if (ss__json_get(prompts, name) == NULL && !is_common) {
        list_prompts(prompts, &names);
        const char *known = ss__buf_text(&names);
        status = ss__fail_file(
            err, options->prompt_name != NULL ? folder->path : folder->prompts_path,
            options->prompt_name != NULL ? SS_E_USAGE : SS_E_DATA,
            "there is no prompt named '%s'; the model has %s", name,
            known == NULL || known[0] == '\0' ? "none" : known);
        goto out;
    }
    SS_TRY(ss__json_text(folder->prompts_path, prompts, name, prompt, err));
out:
    ss__buf_release(&names);
    return status;
}

/* ---- truncation ---- */

/* The caller's number counts over the folder's. 0 in the file is an error: it does not mean
 * all. */
ss_status ss_encoder_model_folder_truncation(const struct ss_encoder_model_folder *folder,
                                             const struct ss_encoder_options *options,
                                             size_t *n_kept, ss_err *err)
{
    static const char key[] = "truncate_dim";
    const struct ss__json *stated = ss__json_get(folder->prompts, key);
    *n_kept = 0;
    SS_RETURN_IF_ERROR(ss__json_size(folder->prompts_path, folder->prompts, key, n_kept, err));
    if (stated != NULL && !ss__json_is_null(stated) && *n_kept == 0) {
        return ss__fail_file(err, folder->prompts_path, SS_E_DATA,
                             "'%s' is 0, expected 1 or more", key);
    }
    if (options->truncate_dim > 0) {
        *n_kept = options->truncate_dim;
    }
    return SS_OK;
}

/* ---- the encoder ---- */

/* Without modules.json it is a plain folder of transformers: neither the sentence config nor
 * prompts are read. */
ss_status ss_encoder_model_folder_read(const char *path, const struct ss_log *log,
                                       struct ss_encoder_model_folder *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *modules = NULL;
    const char *file = NULL;
    *out = (struct ss_encoder_model_folder){.path = path, .transformer = path};
    switch (ss__path_stat(path)) {
    case SS__PATH_FOLDER:
        break;
    case SS__PATH_NONE:
        SS_FAIL_FILE(path, SS_E_NOINPUT, "there is no such model folder");
    case SS__PATH_BROKEN:
        status = ss__fail_broken(err, path);
        goto out;
    case SS__PATH_FILE:
    case SS__PATH_OTHER:
        SS_FAIL_FILE(path, SS_E_NOINPUT, "this is not a folder; a model is one");
    }
    JOIN(file, out, path, "modules.json");
    SS_TRY(ss__json_load_optional(file, &modules, err));
    out->is_plain = modules == NULL;
    if (modules != NULL) {
        SS_TRY(read_modules(out, file, modules, log, err));
        SS_TRY(ss_encoder_sentence_config_read(out, log, err));
        SS_TRY(read_prompts(out, log, err));
    }
out:
    ss__json_free(modules);
    return status;
}

void ss_encoder_model_folder_release(struct ss_encoder_model_folder *folder)
{
    ss__json_free(folder->sentence);
    ss__json_free(folder->prompts);
    ss__arena_release(&folder->arena);
    *folder = (struct ss_encoder_model_folder){0};
}

/* A folder whose modules end with a SparseAutoEncoder is both an encoder and an SAE; it counts
 * as the latter here, since the question is what a lone path means. */
bool ss_encoder_is_at(const char *path)
{
    struct ss_encoder_model_folder folder = {0};
    bool found = false;
    struct ss__json *json = NULL;
    const char *modules = ss_encoder_model_folder_join(&folder, path, "modules.json");
    const char *config = ss_encoder_model_folder_join(&folder, path, "config.json");
    if (modules != NULL && ss__json_load_optional(modules, &json, NULL) == SS_OK &&
        ss__json_is_array(json)) {
        found = true;
        for (size_t i = 0; i < ss__json_count(json); i++) {
            const char *type = ss__json_string(ss__json_get(ss__json_at(json, i), "type"));
            found = found && (type == NULL || strstr(type, "SparseAutoEncoder") == NULL);
        }
    } else if (config != NULL && json == NULL &&
               ss__json_load_optional(config, &json, NULL) == SS_OK) {
        found = ss__json_is_string(ss__json_get(json, "model_type"));
    }
    ss__json_free(json);
    ss_encoder_model_folder_release(&folder);
    return found;
}
