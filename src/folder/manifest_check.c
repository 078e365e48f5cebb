/* What `inspect --check` compares: the files of a run's folder with what run.json says of them.
 *
 * A step's files have their hashes in its record. Pictures of rates have none, since they may be
 * drawn again (`plot`) in another size; they are looked at for their ends. */
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "folder/manifest_read.h"

/* One file with the hash of its record; `step` is NULL for the run's own. */
static ss_status check_file(const char *path, const char *step, const char *sha256,
                            struct ss__asking *asking, ss_err *err)
{
    char hex[SS__SHA256_HEX_BYTES];
    if (ss__path_stat(path) != SS__PATH_FILE && step == NULL) {
        return ss__fail_file(err, path, SS_E_DATA, "missing: this is not a complete run");
    }
    if (ss__path_stat(path) != SS__PATH_FILE) {
        return ss__fail_file(err, path, SS_E_DATA,
                             "missing: the step %s wrote it; run it again", step);
    }
    SS_RETURN_IF_ERROR(ss__sha256_file(path, asking, hex, err));
    if (strcmp(hex, sha256) == 0) {
        return SS_OK;
    }
    return ss__fail_file(err, path, SS_E_DATA,
                         "changed since %s was written (%s has another sha256)%s",
                         step == NULL ? "the run" : "it", SS_FOLDER_FILE_MANIFEST,
                         step == NULL ? "" : "; run its step again");
}

static ss_status check_outputs(const char *file, const char *folder, const char *step,
                               const struct ss__json *outputs, struct ss__asking *asking,
                               ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    const char *name = NULL;
    const struct ss__json *value = NULL;
    SS_JSON_EACH_MEMBER ((struct ss__json *)(uintptr_t)outputs, name, value) {
        if (!ss__path_is_inside(name) || !ss__json_is_string(value)) {
            SS_FAIL_FILE(file, SS_E_DATA, "'outputs' names something that is not a file here");
        }
        path = ss__path_join(folder, name);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        SS_TRY(check_file(path, step, ss__json_string(value), asking, err));
        ss__free(path);
        path = NULL;
    }
out:
    ss__free(path);
    return status;
}

/* ---- pictures ---- */

static const struct picture {
    const char *name;
    struct ss_text end;
} pictures[] = {
    {"density.svg", {"</svg>\n", 7}},
    {"density.png", {"\0\0\0\0IEND\xAE\x42\x60\x82", 12}},
};

/* A picture that was taken away is none that was cut off. */
static ss_status check_picture(const char *folder, const struct picture *picture, ss_err *err)
{
    enum { MOST_BYTES = 1 << 28 };
    ss_status status = SS_OK;
    struct ss__buf bytes = {0};
    const struct ss_text end = picture->end;
    char *path = ss__path_join(folder, picture->name);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (ss__path_stat(path) == SS__PATH_NONE) {
        goto out;
    }
    SS_TRY(ss__file_read(path, MOST_BYTES, &bytes, err));
    if (bytes.n_bytes < end.n_bytes ||
        memcmp(bytes.data + bytes.n_bytes - end.n_bytes, end.data, end.n_bytes) != 0) {
        SS_FAIL_FILE(path, SS_E_DATA, "not a whole picture; draw it again with 'plot'");
    }
out:
    ss__buf_release(&bytes);
    ss__free(path);
    return status;
}

ss_status ss_folder_manifest_check(const char *file, const char *folder,
                                   const struct ss__json *root, struct ss__asking *asking,
                                   ss_err *err)
{
    const struct ss__json *outputs = ss__json_get(root, "outputs"), *record = NULL;
    const char *step = NULL;
    if (!ss__json_is_object(outputs)) {
        return ss__fail_file(err, file, SS_E_DATA, "key 'outputs' is not an object");
    }
    SS_RETURN_IF_ERROR(check_outputs(file, folder, NULL, outputs, asking, err));
    SS_JSON_EACH_MEMBER ((struct ss__json *)(uintptr_t)ss__json_get(root, "steps"), step,
                         record) {
        SS_RETURN_IF_ERROR(
            check_outputs(file, folder, step, ss__json_get(record, "outputs"), asking, err));
    }
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
        SS_RETURN_IF_ERROR(check_picture(folder, &pictures[i], err));
    }
    return SS_OK;
}
