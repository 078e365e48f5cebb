/* Which files of a repository an encoder needs: modules.json and what it names, else a plain
 * model; the tokenizer; weights as safetensors, in one file or in shards, else as
 * pytorch_model.bin; an adapter. The first file tells the commit, and all others are of that
 * commit, so that a push in between cannot mix two versions.
 *
 * What a file's absence means is said for each: without the network "not in the cache" is not
 * "not in the repository", and an encoder opened without a file that exists would embed
 * differently in silence. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/hub_priv.h"

enum { MAX_MODULES = 64, MAX_SHARDS = 1024 };

/* Files and what it means that one cannot be had. */
struct listed {
    const char *file; /* NULL: the end */
    ss_net_hub_need need;
};

/* Of the transformer. Absent settings of the tokenizer have defaults, so that has to be known;
 * the other files repeat what these or a vocabulary say, or add to it. */
static const struct listed transformer_files[] = {
    {"tokenizer_config.json", SS_NET_HUB_OPTIONAL},
    {"tokenizer.json", SS_NET_HUB_OPTIONAL_OR_UNKNOWN},
    {"special_tokens_map.json", SS_NET_HUB_OPTIONAL_OR_UNKNOWN},
    {"added_tokens.json", SS_NET_HUB_OPTIONAL_OR_UNKNOWN},
    {"vocab.txt", SS_NET_HUB_OPTIONAL_OR_UNKNOWN},
    {NULL, SS_NET_HUB_REQUIRED},
};
/* Read only where there is no tokenizer.json. */
static const struct listed vocabulary_files[] = {
    {"vocab.json", SS_NET_HUB_OPTIONAL_OR_UNKNOWN},
    {"sentencepiece.bpe.model", SS_NET_HUB_OPTIONAL_OR_UNKNOWN},
    {NULL, SS_NET_HUB_REQUIRED}};
static const char *const vocabularies[] = {"tokenizer.json", "vocab.txt", "vocab.json",
                                           "sentencepiece.bpe.model", NULL};

/* The first that there is. All but the first are names of older releases. */
static const char *const sentence_files[] = {
    "sentence_bert_config.json",       "sentence_roberta_config.json",
    "sentence_distilbert_config.json", "sentence_camembert_config.json",
    "sentence_albert_config.json",     "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",      NULL};

static const char *const weight_files[] = {"model.safetensors", "model.safetensors.index.json",
                                           "pytorch_model.bin", "pytorch_model.bin.index.json",
                                           NULL};

/* Of a module such as Dense; most have none. */
static const char *const module_files[] = {"model.safetensors", "pytorch_model.bin", NULL};

static const char adapter_config[] = "adapter_config.json";
static const char *const adapter_files[] = {"adapter_model.safetensors", "adapter_model.bin",
                                            NULL};

struct fetching {
    struct ss_net_hub *hub;
    struct ss_net_hub_name name; /* its revision becomes the commit */
};

/* FOLDER/FILE of the repository; *out NULL where it has none. */
static ss_status get(struct fetching *f, const char *folder, const char *file,
                     ss_net_hub_need need, char **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_hub_name name = f->name;
    char *path = ss__path_join(folder, file);
    *out = NULL;
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (!ss_net_hub_path_is_good(path)) {
        SS_FAIL(SS_E_DATA, "%.300s: '%.300s' is no name for a file", name.id, path);
    }
    memcpy(name.path, path, strlen(path) + 1);
    SS_TRY(ss_net_hub_get(f->hub, &name, need, out, NULL, err));
out:
    ss__free(path);
    return status;
}

/* For files of which only their being there matters. */
static ss_status get_quietly(struct fetching *f, const char *folder, const char *file,
                             ss_net_hub_need need, bool *is_there, ss_err *err)
{
    char *path = NULL;
    const ss_status status = get(f, folder, file, need, &path, err);
    *is_there = path != NULL;
    ss__free(path);
    return status;
}

static ss_status get_listed(struct fetching *f, const char *folder, const struct listed *files,
                            ss_err *err)
{
    bool is_there = false;
    for (; files->file != NULL; files++) {
        SS_RETURN_IF_ERROR(get_quietly(f, folder, files->file, files->need, &is_there, err));
    }
    return SS_OK;
}

/* The first of some names that there is; *path NULL where there is none, which then is known of
 * all with SS_NET_HUB_OPTIONAL. */
static ss_status get_first(struct fetching *f, const char *folder, const char *const *files,
                           ss_net_hub_need need, char **path, ss_err *err)
{
    *path = NULL;
    for (size_t i = 0; files[i] != NULL && *path == NULL; i++) {
        SS_RETURN_IF_ERROR(get(f, folder, files[i], SS_NET_HUB_IF_AVAILABLE, path, err));
    }
    for (size_t i = 0; need == SS_NET_HUB_OPTIONAL && files[i] != NULL && *path == NULL; i++) {
        SS_RETURN_IF_ERROR(get(f, folder, files[i], SS_NET_HUB_OPTIONAL, path, err));
    }
    return SS_OK;
}

static ss_status get_first_quietly(struct fetching *f, const char *folder,
                                   const char *const *files, bool *is_there, ss_err *err)
{
    char *path = NULL;
    const ss_status status = get_first(f, folder, files, SS_NET_HUB_OPTIONAL, &path, err);
    *is_there = path != NULL;
    ss__free(path);
    return status;
}

/* ---- weights ---- */

/* Tensors of a shard mostly follow each other, so a name is asked for once in a row. */
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
        SS_TRY(get_quietly(f, folder, file, SS_NET_HUB_REQUIRED, &is_there, err));
        last = file;
    }
out:
    ss__json_free(json);
    return status;
}

static bool is_index(const char *path)
{
    static const char end[] = ".index.json";
    const size_t n = strlen(path);
    return n >= sizeof end - 1 && strcmp(path + n - (sizeof end - 1), end) == 0;
}

/* The order of the names is a preference: safetensors cannot hold code. */
static ss_status get_weights(struct fetching *f, const char *folder, const char *const *files,
                             ss_net_hub_need need, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    SS_TRY(get_first(f, folder, files, need, &path, err));
    if (path != NULL && is_index(path)) {
        SS_TRY(get_shards(f, folder, path, err));
    }
    if (path == NULL && need == SS_NET_HUB_OPTIONAL) {
        SS_FAIL(SS_E_NOINPUT, "%.300s has no weights that are read (%s or %s)%s%s", f->name.id,
                files[0], strstr(files[1], ".index.json") == NULL ? files[1] : files[2],
                folder[0] == '\0' ? "" : " in ", folder);
    }
out:
    ss__free(path);
    return status;
}

/* ---- the transformer ---- */

static ss_status get_tokenizer(struct fetching *f, const char *folder, ss_err *err)
{
    bool has_tokenizer = false, has_pieces = false, is_there = false;
    SS_RETURN_IF_ERROR(get_listed(f, folder, transformer_files, err));
    SS_RETURN_IF_ERROR(
        get_quietly(f, folder, "tokenizer.json", SS_NET_HUB_IF_AVAILABLE, &has_tokenizer, err));
    if (has_tokenizer) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(get_listed(f, folder, vocabulary_files, err));
    SS_RETURN_IF_ERROR(get_first_quietly(f, folder, vocabularies, &is_there, err));
    SS_RETURN_IF_ERROR(
        get_quietly(f, folder, "vocab.json", SS_NET_HUB_IF_AVAILABLE, &has_pieces, err));
    return get_quietly(f, folder, "merges.txt",
                       has_pieces ? SS_NET_HUB_OPTIONAL : SS_NET_HUB_IF_AVAILABLE, &is_there,
                       err);
}

/* An adapter may stand beside a whole model, or alone: then its base model is elsewhere. */
static ss_status get_transformer(struct fetching *f, const char *folder, ss_err *err)
{
    ss_status status = SS_OK;
    bool is_adapter = false, has_config = false;
    char *weights = NULL;
    SS_TRY(get_quietly(f, folder, adapter_config, SS_NET_HUB_OPTIONAL_OR_UNKNOWN, &is_adapter,
                       err));
    if (is_adapter) {
        SS_TRY(get_first(f, folder, adapter_files, SS_NET_HUB_OPTIONAL, &weights, err));
        ss__free(weights);
        weights = NULL;
        SS_TRY(get_first(f, folder, weight_files, SS_NET_HUB_IF_AVAILABLE, &weights, err));
    }
    const bool is_alone = is_adapter && weights == NULL;
    SS_TRY(get_quietly(f, folder, "config.json",
                       is_alone ? SS_NET_HUB_OPTIONAL_OR_UNKNOWN : SS_NET_HUB_OPTIONAL,
                       &has_config, err));
    SS_TRY(get_tokenizer(f, folder, err));
    if (has_config || !is_alone) {
        SS_TRY(get_weights(f, folder, weight_files, SS_NET_HUB_OPTIONAL, err));
    }
out:
    ss__free(weights);
    return status;
}

/* ---- modules ---- */

/* What a module without settings of its own may lack. */
static bool may_lack_config(const char *type)
{
    const char *last = strrchr(type, '.');
    return last != NULL && (strcmp(last, ".Normalize") == 0 || strcmp(last, ".Dropout") == 0);
}

/* The modules that cannot do without. */
static bool has_weights(const char *type)
{
    const char *last = strrchr(type, '.');
    return last != NULL && (strcmp(last, ".Dense") == 0 || strcmp(last, ".LayerNorm") == 0);
}

static ss_status get_sentence_module(struct fetching *f, const char *folder, const char *type,
                                     ss_err *err)
{
    bool is_there = false;
    SS_RETURN_IF_ERROR(get_quietly(f, folder, "config.json",
                                   may_lack_config(type) ? SS_NET_HUB_OPTIONAL_OR_UNKNOWN
                                                         : SS_NET_HUB_OPTIONAL,
                                   &is_there, err));
    return get_weights(f, folder, module_files,
                       has_weights(type) ? SS_NET_HUB_OPTIONAL : SS_NET_HUB_IF_AVAILABLE, err);
}

/* The first module is the transformer, wherever its folder is. */
static ss_status get_module(struct fetching *f, const char *file, const struct ss__json *module,
                            size_t i, ss_err *err)
{
    const char *path = "", *type = "";
    bool is_there = false;
    SS_RETURN_IF_ERROR(ss__json_text(file, module, "path", &path, err));
    SS_RETURN_IF_ERROR(ss__json_text(file, module, "type", &type, err));
    if (path[0] != '\0' && !ss_net_hub_path_is_good(path)) {
        return ss__fail_file(err, file, SS_E_DATA, "the module path '%.200s' leaves the folder",
                             path);
    }
    if (i == 0) {
        SS_RETURN_IF_ERROR(get_first_quietly(f, path, sentence_files, &is_there, err));
        SS_RETURN_IF_ERROR(get_transformer(f, path, err));
    } else if (path[0] != '\0') {
        SS_RETURN_IF_ERROR(get_sentence_module(f, path, type, err));
    }
    return SS_OK;
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

/* Without modules.json a model is a transformer and nothing else; a chat template then matters.
 */
static ss_status get_model_files(struct fetching *f, const char *modules, ss_err *err)
{
    bool is_there = false;
    if (modules == NULL) {
        SS_RETURN_IF_ERROR(get_transformer(f, "", err));
        return get_quietly(f, "", "chat_template.jinja", SS_NET_HUB_OPTIONAL_OR_UNKNOWN,
                           &is_there, err);
    }
    SS_RETURN_IF_ERROR(get_quietly(f, "", "config_sentence_transformers.json",
                                   SS_NET_HUB_OPTIONAL, &is_there, err));
    return get_modules(f, modules, err);
}

/* Where a revision is here in part, a user may know that the rest does not exist. */
static ss_status say_way_out(const struct ss_net_hub *hub, const struct fetching *f,
                             ss_status status, ss_err *err)
{
    struct ss_net_hub_name name = f->name;
    struct ss_net_hub_paths paths = {0};
    char commit[SS_NET_HUB_COMMIT_BYTES] = "";
    bool is_known = false;
    name.path[0] = '\0';
    if (status != SS_E_NETWORK || err == NULL ||
        ss_net_hub_ref_read(hub, &name, commit, &is_known, NULL) != SS_OK || !is_known ||
        ss_net_hub_paths_find(hub, &name, commit, NULL, &paths, NULL) != SS_OK) {
        return status;
    }
    if (ss__path_stat(paths.pointer) == SS__PATH_FOLDER) {
        const ss_err why = *err;
        (void)!ss__fail(
            err, status,
            "%.800s: the model is there in part; fetch it once with the network, or, "
            "if it is whole, name its folder %.200s as the model",
            why.message, paths.pointer);
    }
    ss_net_hub_paths_release(&paths);
    return status;
}

static ss_status get_model(struct ss_net_hub *hub, struct fetching *f, char **folder,
                           char commit[SS_NET_HUB_COMMIT_BYTES], ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_hub_paths paths = {0};
    char *modules = NULL;
    memcpy(f->name.path, "modules.json", sizeof "modules.json");
    SS_TRY(ss_net_hub_get(hub, &f->name, SS_NET_HUB_OPTIONAL, &modules, commit, err));
    if (commit[0] == '\0') {
        SS_FAIL(SS_E_DATA, "%.300s: the hub names no commit", f->name.id);
    }
    memcpy(f->name.revision, commit, SS_NET_HUB_COMMIT_BYTES);
    f->name.path[0] = '\0';
    SS_TRY(get_model_files(f, modules, err));
    SS_TRY(ss_net_hub_paths_find(hub, &f->name, commit, NULL, &paths, err));
    *folder = paths.pointer;
    paths.pointer = NULL;
out:
    ss_net_hub_paths_release(&paths);
    ss__free(modules);
    return status == SS_OK ? SS_OK : say_way_out(hub, f, status, err);
}

ss_status ss_net_hub_get_model(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                               char **folder, char *commit, ss_err *err)
{
    struct fetching f = {.hub = hub, .name = *name};
    char found[SS_NET_HUB_COMMIT_BYTES] = "";
    char *cache = hub->cache;
    *folder = NULL;
    SS_RETURN_IF_ERROR(ss_net_hub_model_cache(hub, name, &hub->cache, err));
    const ss_status status = get_model(hub, &f, folder, found, err);
    hub->cache = cache;
    if (commit != NULL) {
        memcpy(commit, found, sizeof found);
    }
    return status;
}

/* ---- whole folders ---- */

ss_status ss_net_hub_get_folder(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                                bool is_sae, char **folder, char *commit, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_hub_tree tree = {0};
    struct ss_net_hub_paths paths = {0};
    struct ss_net_hub_name one = *name;
    char *path = NULL;
    *folder = NULL;
    status = ss_net_hub_list(hub, name, &tree, err);
    if (status == SS_E_NOINPUT && name->path[0] != '\0') { /* it may name a single file */
        status = ss_net_hub_get(hub, name, SS_NET_HUB_REQUIRED, folder, commit, err);
        goto out;
    }
    SS_TRY(status);
    if (tree.n == 0) {
        SS_FAIL(SS_E_NOINPUT, "%.300s@%.100s holds no files%s%.300s", name->id, name->revision,
                name->path[0] == '\0' ? "" : " below ", name->path);
    }
    if (is_sae) {
        SS_TRY(ss_net_hub_check_saes(name, &tree, err));
    }
    memcpy(one.revision, tree.commit, sizeof tree.commit);
    for (size_t i = 0; i < tree.n; i++) {
        memcpy(one.path, tree.entries[i].path, strlen(tree.entries[i].path) + 1);
        SS_TRY(ss_net_hub_get(hub, &one, SS_NET_HUB_REQUIRED, &path, NULL, err));
        ss__free(path);
        path = NULL;
    }
    (void)!ss_net_hub_ref_write(hub, name, tree.commit, NULL);
    SS_TRY(ss_net_hub_paths_find(hub, name, tree.commit, NULL, &paths, err));
    *folder = paths.pointer;
    paths.pointer = NULL;
    if (commit != NULL) {
        memcpy(commit, tree.commit, sizeof tree.commit);
    }
out:
    ss__free(path);
    ss_net_hub_paths_release(&paths);
    ss_net_hub_tree_release(&tree);
    return status;
}
