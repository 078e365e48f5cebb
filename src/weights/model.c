/* The weights of a model folder: one file, or shards listed by an index
 *
 *   {"metadata": {…}, "weight_map": {NAME: SHARD, …}}
 *
 * whose paths must stay inside the folder. A tensor of a shard that the index does not send
 * there is not seen. The order of choice is that of transformers: safetensors before pickles,
 * one file before shards. docs/spec/encoders.md, §1. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "weights/weights_priv.h"

enum { MAX_INDEX_BYTES = 8 << 20, MAX_SHARDS = 1024 };

/* The shard of a path relative to the folder, opened on first use. The index comes from whoever
 * made the model, so its paths are not followed out of the folder. */
static ss_status need_shard(struct ss_weights *self, const char *folder, const char *shard,
                            const struct ss_weights **out, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    if (!ss__path_is_inside(shard) || shard[0] == '\0') {
        SS_FAIL_FILE(self->path, SS_E_DATA, "shard path '%.200s' leaves the folder", shard);
    }
    path = ss__path_join(folder, shard);
    if (path == NULL) {
        status = ss__fail_nomem(err, "a path");
        goto out;
    }
    for (size_t i = 0; i < self->n_shards; i++) {
        if (strcmp(self->shards[i]->path, path) == 0) {
            *out = self->shards[i];
            goto out;
        }
    }
    if (self->n_shards == MAX_SHARDS) {
        SS_FAIL_FILE(self->path, SS_E_LIMIT, "names more than %d shards", MAX_SHARDS);
    }
    SS_TRY(ss_weights_open(path, self->source.asking, &self->shards[self->n_shards], err));
    *out = self->shards[self->n_shards++];
out:
    ss__free(path);
    return status;
}

/* The index is believed for the place of a tensor only: name and shape are those of the
 * shard. */
static ss_status add_mapped(struct ss_weights *self, const char *folder, const char *name,
                            const struct ss__json *shard, ss_err *err)
{
    const struct ss_weights *part = NULL;
    if (!ss__json_is_string(shard) ||
        strlen(ss__json_string(shard)) != ss__json_string_bytes(shard)) {
        return ss__fail_file(err, self->path, SS_E_DATA,
                             "weight_map of '%.200s' is not a file name", name);
    }
    SS_RETURN_IF_ERROR(need_shard(self, folder, ss__json_string(shard), &part, err));
    const struct ss_weights_tensor *tensor = ss_weights_find(part, name);
    if (tensor == NULL) {
        return ss__fail_file(err, self->path, SS_E_DATA,
                             "tensor '%.200s' is not in its shard '%.200s'", name,
                             ss__json_string(shard));
    }
    return ss_weights_add(self, tensor, err);
}

static ss_status read_index(struct ss_weights *self, const char *folder, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf text = {0};
    struct ss__json *index = NULL;
    const char *name = NULL;
    struct ss__json *shard = NULL;
    SS_TRY(ss__file_read(self->path, MAX_INDEX_BYTES, &text, err));
    SS_TRY(ss__json_parse(self->path, text.data == NULL ? "" : text.data, text.n_bytes, &index,
                          err));
    struct ss__json *map = ss__json_get(index, "weight_map");
    if (!ss__json_is_object(map) || ss__json_count(map) == 0) {
        SS_FAIL_FILE(self->path, SS_E_DATA,
                     "has no weight_map, which names each tensor's file");
    }
    /* for the most: tensors point to shards, which must not move */
    SS_ALLOC(self->shards, MAX_SHARDS);
    SS_JSON_EACH_MEMBER (map, name, shard) {
        SS_TRY(add_mapped(self, folder, name, shard, err));
    }
    self->format = self->shards[0]->format;
    SS_TRY(ss_weights_finish(self, err));
out:
    ss__json_free(index);
    ss__buf_release(&text);
    return status;
}

/* Takes `path`. */
static ss_status open_sharded(const char *folder, char *path, struct ss__asking *asking,
                              struct ss_weights **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_weights *self = NULL;
    SS_ALLOC(self, 1);
    self->path = path;
    self->source.file = path;
    self->source.asking = asking;
    path = NULL;
    SS_TRY(read_index(self, folder, err));
    *out = self;
    self = NULL;
out:
    ss__free(path);
    ss_weights_close(self);
    return status;
}

/* In the order of preference. A folder that has both forms was converted, and then safetensors
 * is the newer one; it is also the one that holds no code. */
static const struct choice {
    const char *name;
    bool is_index;
} choices[] = {
    {"model.safetensors", false},
    {"model.safetensors.index.json", true},
    {"pytorch_model.bin", false},
    {"pytorch_model.bin.index.json", true},
};
enum { N_CHOICES = sizeof choices / sizeof choices[0] };

/* The first choice that can be reached, else the first that is there at all; *path NULL where
 * there is none. */
static ss_status choose(const char *folder, const struct choice **chosen, char **path,
                        ss_err *err)
{
    char *broken = NULL;
    *path = NULL;
    for (size_t i = 0; i < N_CHOICES && *path == NULL; i++) {
        char *one = ss__path_join(folder, choices[i].name);
        if (one == NULL) {
            ss__free(broken);
            return ss__fail_nomem(err, "a path");
        }
        const ss__path_kind kind = ss__path_stat(one);
        if (kind == SS__PATH_BROKEN && broken == NULL) {
            broken = one;
        } else if (kind == SS__PATH_NONE || kind == SS__PATH_BROKEN) {
            ss__free(one);
        } else {
            *chosen = &choices[i];
            *path = one;
        }
    }
    const ss_status status =
        *path == NULL && broken != NULL ? ss__fail_broken(err, broken) : SS_OK;
    ss__free(broken);
    return status;
}

/* A folder downloaded in part may have an index whose shards are missing: the message then
 * names the shard and not the model. */
ss_status ss_weights_open_model(const char *folder, struct ss__asking *asking,
                                struct ss_weights **out, ss_err *err)
{
    ss_status status = SS_OK;
    const struct choice *chosen = NULL;
    char *path = NULL;
    *out = NULL;
    SS_TRY(choose(folder, &chosen, &path, err));
    if (path == NULL) {
        SS_FAIL_FILE(folder, SS_E_NOINPUT,
                     "no weights in this folder: expected model.safetensors, "
                     "pytorch_model.bin, or the index of either's shards");
    }
    if (chosen->is_index) {
        status = open_sharded(folder, path, asking, out, err);
        path = NULL;
    } else {
        status = ss_weights_open(path, asking, out, err);
    }
out:
    ss__free(path);
    return status;
}
