/* Which files of a repository an encoder needs: modules.json and what it names, else a plain
 * model; the tokenizer; weights as safetensors, in one file or in shards, else as
 * pytorch_model.bin. The first file tells the commit, and all others are of that commit. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/hub_priv.h"

enum { MAX_MODULES = 64, MAX_SHARDS = 1024 };

/* What is read of a repository, at its top and in the folder of each module. */
static const char *const top_files[] = {"config_sentence_transformers.json",
                                        "sentence_bert_config.json", NULL};
static const char *const transformer_files[] = {"config.json",
                                                "sentence_bert_config.json",
                                                "tokenizer.json",
                                                "tokenizer_config.json",
                                                "special_tokens_map.json",
                                                "added_tokens.json",
                                                "vocab.txt",
                                                NULL};
/* Read only where there is no tokenizer.json. */
static const char *const vocabulary_files[] = {"vocab.json", "merges.txt",
                                               "sentencepiece.bpe.model", NULL};
static const char *const weight_files[] = {"model.safetensors", "model.safetensors.index.json",
                                           "pytorch_model.bin", "pytorch_model.bin.index.json",
                                           NULL};

/* Of a module such as Dense; most have none. */
static const char *const module_files[] = {"model.safetensors", "pytorch_model.bin", NULL};

struct fetching {
    struct ss__hub *hub;
    struct ss__hub_name name; /* its revision becomes the commit */
};

/* FOLDER/FILE of the repository; *out NULL where it has none. */
static ss_status get(struct fetching *f, const char *folder, const char *file, bool needed,
                     char **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__hub_name name = f->name;
    char *path = ss__path_join(folder, file);
    *out = NULL;
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (!ss__hub_path_is_good(path)) {
        SS_FAIL(SS_E_DATA, "%.300s: '%.300s' is no name for a file", name.id, path);
    }
    memcpy(name.path, path, strlen(path) + 1);
    SS_TRY(ss__hub_get(f->hub, &name, needed, out, NULL, err));
out:
    ss__free(path);
    return status;
}

static ss_status get_quietly(struct fetching *f, const char *folder, const char *file,
                             bool needed, bool *is_there, ss_err *err)
{
    char *path = NULL;
    const ss_status status = get(f, folder, file, needed, &path, err);
    *is_there = path != NULL;
    ss__free(path);
    return status;
}

static ss_status get_listed(struct fetching *f, const char *folder, const char *const *files,
                            ss_err *err)
{
    ss_status status = SS_OK;
    bool is_there = false;
    for (; *files != NULL; files++) {
        SS_TRY(get_quietly(f, folder, *files, false, &is_there, err));
    }
out:
    return status;
}

/* ---- weights ---- */

static ss_status get_shards(struct fetching *f, const char *folder, const char *index,
                            ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *json = NULL;
    const char *name = NULL, *last = "";
    struct ss__json *shard = NULL;
    bool is_there = false;
    size_t n = 0;
    SS_TRY(ss__json_load(index, &json, err));
    SS_JSON_EACH_MEMBER (ss__json_get(json, "weight_map"), name, shard) {
        const char *file = ss__json_string(shard);
        if (file == NULL || strcmp(file, last) == 0) {
            continue;
        }
        if (strlen(file) != ss__json_string_bytes(shard) || ++n > MAX_SHARDS * 64) {
            SS_FAIL_FILE(index, SS_E_DATA,
                         "names too many shards, or one that is no file name");
        }
        SS_TRY(get_quietly(f, folder, file, true, &is_there, err));
        last = file;
    }
out:
    ss__json_free(json);
    return status;
}

/* The first of the names that is there; an index brings its shards. */
static ss_status get_weights(struct fetching *f, const char *folder, const char *const *files,
                             bool needed, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    for (; *files != NULL && path == NULL; files++) {
        SS_TRY(get(f, folder, *files, false, &path, err));
        if (path != NULL && strstr(*files, ".index.json") != NULL) {
            SS_TRY(get_shards(f, folder, path, err));
        }
    }
    if (path == NULL && needed) {
        SS_FAIL(
            SS_E_NOINPUT,
            "%.300s has no weights that are read (model.safetensors or pytorch_model.bin)%s%s",
            f->name.id, folder[0] == '\0' ? "" : " in ", folder);
    }
out:
    ss__free(path);
    return status;
}

static ss_status get_transformer(struct fetching *f, const char *folder, ss_err *err)
{
    ss_status status = SS_OK;
    bool has_tokenizer = false;
    SS_TRY(get_listed(f, folder, transformer_files, err));
    SS_TRY(get_quietly(f, folder, "tokenizer.json", false, &has_tokenizer, err));
    if (!has_tokenizer) {
        SS_TRY(get_listed(f, folder, vocabulary_files, err));
    }
    SS_TRY(get_weights(f, folder, weight_files, true, err));
out:
    return status;
}

/* ---- modules ---- */

static ss_status get_module(struct fetching *f, const char *file, const struct ss__json *module,
                            size_t i, ss_err *err)
{
    ss_status status = SS_OK;
    const char *path = "";
    bool is_there = false;
    SS_TRY(ss__json_text(file, module, "path", &path, err));
    if (path[0] != '\0' && !ss__hub_path_is_good(path)) {
        SS_FAIL_FILE(file, SS_E_DATA, "the module path '%.200s' leaves the folder", path);
    }
    if (i == 0) {
        SS_TRY(get_transformer(f, path, err));
    } else if (path[0] != '\0') {
        SS_TRY(get_quietly(f, path, "config.json", false, &is_there, err));
        SS_TRY(get_weights(f, path, module_files, false, err));
    }
out:
    return status;
}

static ss_status get_modules(struct fetching *f, const char *file, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *json = NULL;
    SS_TRY(ss__json_load(file, &json, err));
    if (!ss__json_is_array(json) || ss__json_count(json) == 0 ||
        ss__json_count(json) > MAX_MODULES) {
        SS_FAIL_FILE(file, SS_E_DATA, "is not a list of modules");
    }
    for (size_t i = 0; i < ss__json_count(json); i++) {
        const struct ss__json *module = ss__json_at(json, i);
        if (!ss__json_is_object(module)) {
            SS_FAIL_FILE(file, SS_E_DATA, "module %zu is not an object", i);
        }
        SS_TRY(get_module(f, file, module, i, err));
    }
out:
    ss__json_free(json);
    return status;
}

ss_status ss__hub_get_model(struct ss__hub *hub, const struct ss__hub_name *name, char **folder,
                            char *commit, ss_err *err)
{
    ss_status status = SS_OK;
    struct fetching f = {.hub = hub, .name = *name};
    struct ss__hub_place place = {0};
    char *modules = NULL, found[SS__HUB_COMMIT_BYTES] = "";
    *folder = NULL;
    memcpy(f.name.path, "modules.json", sizeof "modules.json");
    SS_TRY(ss__hub_get(hub, &f.name, false, &modules, found, err));
    if (found[0] == '\0') {
        SS_FAIL(SS_E_DATA, "%.300s: the hub names no commit", name->id);
    }
    memcpy(f.name.revision, found, sizeof found);
    f.name.path[0] = '\0';
    SS_TRY(get_listed(&f, "", top_files, err));
    SS_TRY(modules == NULL ? get_transformer(&f, "", err) : get_modules(&f, modules, err));
    SS_TRY(ss__hub_place_find(hub, &f.name, found, NULL, &place, err));
    *folder = place.pointer;
    place.pointer = NULL;
    if (commit != NULL) {
        memcpy(commit, found, sizeof found);
    }
out:
    ss__hub_place_release(&place);
    ss__free(modules);
    return status;
}

/* ---- whole folders ---- */

ss_status ss__hub_get_folder(struct ss__hub *hub, const struct ss__hub_name *name, bool is_sae,
                             char **folder, char *commit, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__hub_tree tree = {0};
    struct ss__hub_place place = {0};
    struct ss__hub_name one = *name;
    char *path = NULL;
    *folder = NULL;
    status = ss__hub_list(hub, name, &tree, err);
    if (status == SS_E_NOINPUT && name->path[0] != '\0') { /* it may name a single file */
        status = ss__hub_get(hub, name, true, folder, commit, err);
        goto out;
    }
    SS_TRY(status);
    if (tree.n == 0) {
        SS_FAIL(SS_E_NOINPUT, "%.300s@%.100s holds no files%s%.300s", name->id, name->revision,
                name->path[0] == '\0' ? "" : " below ", name->path);
    }
    if (is_sae) {
        SS_TRY(ss__hub_check_saes(name, &tree, err));
    }
    memcpy(one.revision, tree.commit, sizeof tree.commit);
    for (size_t i = 0; i < tree.n; i++) {
        memcpy(one.path, tree.entries[i].path, strlen(tree.entries[i].path) + 1);
        SS_TRY(ss__hub_get(hub, &one, true, &path, NULL, err));
        ss__free(path);
        path = NULL;
    }
    (void)!ss__hub_ref_write(hub, name, tree.commit, NULL);
    SS_TRY(ss__hub_place_find(hub, name, tree.commit, NULL, &place, err));
    *folder = place.pointer;
    place.pointer = NULL;
    if (commit != NULL) {
        memcpy(commit, tree.commit, sizeof tree.commit);
    }
out:
    ss__free(path);
    ss__hub_place_release(&place);
    ss__hub_tree_release(&tree);
    return status;
}
