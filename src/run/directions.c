/* Directions of the decoder, read from where the run had its SAE. */
#include "run/directions.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "folder/results.h"
#include "graph/points.h"
#include "run/run_paths.h"
#include "sae/sae.h"

static ss_status hash_now(const char *file, const char *path, char hex[SS__SHA256_HEX_BYTES],
                          ss_err *err)
{
    char *now = ss_run_path_find(file, path);
    const ss_status status =
        now == NULL ? ss__fail_nomem(err, "a path") : ss__sha256_file(now, NULL, hex, err);
    ss__free(now);
    return status;
}

/* Whether the files of the SAE are those that the run was made with, as far as their hashes were
 * recorded. */
static ss_status check_files(const char *file, const struct ss__json *sae, ss_err *err)
{
    const struct ss__json *item = NULL;
    size_t i = 0;
    SS_JSON_EACH (ss__json_get(sae, "files"), i, item) {
        const char *path = ss__json_string(ss__json_get(item, "path"));
        const char *recorded = ss__json_string(ss__json_get(item, "sha256"));
        char hex[SS__SHA256_HEX_BYTES];
        if (path == NULL || recorded == NULL) {
            continue;
        }
        SS_RETURN_IF_ERROR(hash_now(file, path, hex, err));
        if (strcmp(hex, recorded) != 0) {
            return ss__fail_file(err, path, SS_E_DATA,
                                 "not the SAE of %s, which has another sha256 for this file",
                                 file);
        }
    }
    return SS_OK;
}

/* Unit directions of the features that have one. */
static ss_status take_directions(const float *decoder, size_t n, size_t width,
                                 struct ss_run_directions *out, ss_err *err)
{
    size_t n_numbers = 0;
    if (!ss__mul(n, width, &n_numbers)) {
        return ss__fail_nomem(err, "directions");
    }
    SS_ALLOC_OR_RETURN(out->x, n_numbers);
    SS_ALLOC_OR_RETURN(out->features, n);
    out->width = width;
    for (size_t f = 0; f < n; f++) {
        double *row = out->x + out->n * width;
        bool is_zero = true;
        for (size_t i = 0; i < width; i++) {
            row[i] = (double)decoder[f * width + i];
            is_zero = is_zero && row[i] == 0;
            if (!isfinite(row[i])) {
                return ss__fail(err, SS_E_NONFINITE,
                                "the decoder's direction of feature %zu is not finite", f);
            }
        }
        if (!is_zero) {
            out->features[out->n++] = (uint32_t)f;
        }
    }
    ss_graph_unit(out->x, out->n, width);
    return SS_OK;
}

ss_status ss_run_directions_read(const char *dir, size_t n_features,
                                 struct ss_run_directions *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *root = NULL;
    float *decoder = NULL;
    size_t n = 0, width = 0;
    char *path = NULL;
    char *file = ss__path_join(dir, SS_FOLDER_FILE_MANIFEST);
    if (file == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    SS_TRY(ss__json_load(file, &root, err));
    const struct ss__json *sae = ss__json_get(root, "sae");
    const char *recorded = ss__json_string(ss__json_get(sae, "path"));
    path = recorded == NULL ? NULL : ss_run_path_find(file, recorded);
    if (path == NULL && recorded != NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (path == NULL || ss__path_stat(path) == SS__PATH_NONE) {
        SS_FAIL_FILE(file, SS_E_NOINPUT, "the SAE is no longer at %s",
                     path == NULL ? "the place that it names" : path);
    }
    SS_TRY(check_files(file, sae, err));
    SS_TRY(ss_sae_read_decoder(path, &decoder, &n, &width, err));
    if (n != n_features) {
        SS_FAIL_FILE(path, SS_E_DATA, "it has %zu features, the run %zu", n, n_features);
    }
    SS_TRY(take_directions(decoder, n, width, out, err));
out:
    ss__free(decoder);
    ss__free(path);
    ss__json_free(root);
    ss__free(file);
    return status;
}

void ss_run_directions_release(struct ss_run_directions *directions)
{
    ss__free(directions->x);
    ss__free(directions->features);
    *directions = (struct ss_run_directions){.x = NULL};
}
