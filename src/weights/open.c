/* Opening: the kind of a file is found from its content, then its reader fills a container.
 *
 * Names say little: torch's files are called .pt, .pth, .bin, .ckpt or .zip, and a safetensors
 * file that was renamed is read all the same. Only where nothing matches does the name choose
 * whose reader explains what is wrong. The order of the table matters for zip archives alone,
 * of which three kinds are told by their directories. */
#include <string.h>

#include "base/lfs.h"
#include "base/mem.h"
#include "source/source.h"
#include "weights/weights_priv.h"

/* ---- kinds ---- */

/* A length below the format's limit, then '{'. */
static bool is_safetensors(const struct ss_source_bytes *source)
{
    return source->n_bytes > 8 && source->data[8] == '{' &&
           memcmp(source->data + 4, "\0\0\0\0", 4) == 0;
}

/* Whether the bytes are an archive whose directory is sound and holds that. */
static bool is_archive_of(const struct ss_source_bytes *source,
                          bool (*holds)(const struct ss_source_zip *))
{
    struct ss_source_zip zip = {0};
    const bool is_sound =
        ss_source_zip_matches(source) && ss_source_zip_read(source, &zip, NULL) == SS_OK;
    const bool found = is_sound && holds(&zip);
    ss_source_zip_release(&zip);
    return found;
}

static bool is_torch_zip(const struct ss_source_bytes *source)
{
    return is_archive_of(source, ss_weights_is_torch_zip);
}

static bool is_npz(const struct ss_source_bytes *source)
{
    return is_archive_of(source, ss_weights_is_npz);
}

/* Any other archive: what is wrong with it, or that it is no container of tensors. */
static ss_status refuse_zip(struct ss_weights *self, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_source_zip zip = {0};
    SS_TRY(ss_source_zip_read(&self->source, &zip, err));
    SS_FAIL_FILE(self->path, SS_E_DATA,
                 "a zip archive without tensors: expected one folder with data.pkl, or .npy "
                 "files");
out:
    ss_source_zip_release(&zip);
    return status;
}

/* PROTO and a version, as any pickle of protocol 2 on begins. */
static bool is_pickle(const struct ss_source_bytes *source)
{
    return source->n_bytes >= 2 && source->data[0] == 0x80 && source->data[1] >= 2 &&
           source->data[1] <= 5;
}

static ss_status refuse_pickle(struct ss_weights *self, ss_err *err)
{
    return ss__fail_file(err, self->path, SS_E_UNSUPPORTED,
                         "a Python pickle, not a container of tensors; nothing in it is run. "
                         "Save a state dict with torch.save or as safetensors");
}

/* A row of the table: a kind of file that is read, or known and refused. */
struct kind {
    const char *name;
    const char *ending; /* whose reader explains what is wrong when no kind matches */
    bool (*matches)(const struct ss_source_bytes *source);
    ss_status (*read)(struct ss_weights *self, ss_err *err);
};

static const struct kind kinds[] = {
    {"safetensors", ".safetensors", is_safetensors, ss_weights_safetensors_read},
    {"torch zip", NULL, is_torch_zip, ss_weights_torch_zip_read},
    {"npz", NULL, is_npz, ss_weights_npz_read},
    {"zip", NULL, ss_source_zip_matches, refuse_zip},
    {"torch stream", NULL, ss_weights_torch_stream_matches, ss_weights_torch_stream_read},
    {"npy", ".npy", ss_weights_npy_matches, ss_weights_npy_read},
    {"pickle", ".pkl", is_pickle, refuse_pickle},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static const struct kind *find_kind(const struct ss_source_bytes *source)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        if (kinds[i].matches(source)) {
            return &kinds[i];
        }
    }
    return NULL;
}

static bool ends_with(const char *name, const char *ending)
{
    const size_t n = strlen(name), n_ending = strlen(ending);
    return n >= n_ending && strcmp(name + n - n_ending, ending) == 0;
}

static const struct kind *kind_by_name(const char *name)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        if (kinds[i].ending != NULL && ends_with(name, kinds[i].ending)) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* What else a file may be that users take for weights. */
static ss_status refuse_unknown(const struct ss_source_bytes *source, ss_err *err)
{
    if (source->n_bytes == 0) {
        return ss__fail_file(err, source->file, SS_E_DATA, "the file is empty");
    }
    if (ss__lfs_is_pointer(source->data, source->n_bytes)) {
        return ss__lfs_check(source->file, source->data, source->n_bytes, err);
    }
    if (source->n_bytes > 262 && memcmp(source->data + 257, "ustar", 5) == 0) {
        return ss__fail_file(err, source->file, SS_E_UNSUPPORTED,
                             "this is a tar archive, torch's oldest form; save it again with a "
                             "newer torch or as safetensors");
    }
    return ss__fail_file(err, source->file, SS_E_DATA,
                         "not a weights file: expected safetensors, a file of torch.save, .npy "
                         "or .npz");
}

/* ---- opening ---- */

static ss_status read_source(struct ss_weights *self, ss_err *err)
{
    /* a guess that ran out of memory must not become "no weights file" */
    const size_t n_failed = ss__mem_n_failed();
    const struct kind *kind = find_kind(&self->source);
    if (ss__mem_n_failed() != n_failed) {
        return ss__fail_nomem(err, "looking at it");
    }
    if (kind == NULL) {
        kind = kind_by_name(self->source.file);
        if (kind == NULL || self->source.n_bytes == 0 ||
            ss__lfs_is_pointer(self->source.data, self->source.n_bytes)) {
            return refuse_unknown(&self->source, err);
        }
    }
    self->format = kind->name;
    SS_RETURN_IF_ERROR(kind->read(self, err));
    return ss_weights_finish(self, err);
}

/* An empty container with a copy of the file's name, which its messages use. */
static ss_status new_container(const char *name, struct ss_weights **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_weights *self = NULL;
    SS_ALLOC(self, 1);
    self->path = ss__strdup(name);
    if (self->path == NULL) {
        ss__free(self);
        self = NULL;
        status = ss__fail_nomem(err, "a path");
    }
out:
    *out = self;
    return status;
}

static ss_status open_source(const struct ss_source_bytes *source, struct ss_weights **out,
                             ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_weights *self = NULL;
    *out = NULL;
    SS_TRY(new_container(source->file, &self, err));
    self->source = *source;
    self->source.file = self->path;
    SS_TRY(read_source(self, err));
    *out = self;
    self = NULL;
out:
    ss_weights_close(self);
    return status;
}

/* The bytes are the caller's and have to stay as long as the container: tensors are views of
 * them. */
ss_status ss_weights_open_memory(const char *name, const void *data, size_t n_bytes,
                                 struct ss_weights **out, ss_err *err)
{
    const struct ss_source_bytes source = {.file = name, .data = data, .n_bytes = n_bytes};
    return open_source(&source, out, err);
}

ss_status ss_weights_open(const char *path, struct ss__asking *asking, struct ss_weights **out,
                          ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__map map = {0};
    ss_err cause;
    *out = NULL;
    SS_TRY(ss__file_map(path, &map, err));
    const struct ss_source_bytes source = {path, map.data, map.n_bytes, asking};
    status = open_source(&source, out, err);
    if (status != SS_OK && status != SS_E_STOPPED &&
        ss__map_check(&map, path, &cause) != SS_OK) {
        status = SS_E_IO; /* what it found wrong with it is not the reason */
        if (err != NULL) {
            *err = cause;
        }
    }
    if (status == SS_OK) {
        (*out)->map = map;
        map = (struct ss__map){0};
    }
out:
    ss__map_release(&map);
    return status;
}

ss_status ss_weights_sniff(const char *path, const char **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__map map = {0};
    const size_t n_failed = ss__mem_n_failed();
    *out = NULL;
    SS_TRY(ss__file_map(path, &map, err));
    const struct kind *kind = find_kind(
        &(struct ss_source_bytes){.file = path, .data = map.data, .n_bytes = map.n_bytes});
    if (ss__mem_n_failed() != n_failed) { /* a guess is none where memory ran out */
        SS_TRY(ss__fail_nomem(err, "looking at it"));
    }
    *out = kind == NULL ? NULL : kind->name;
out:
    ss__map_release(&map);
    return status;
}
