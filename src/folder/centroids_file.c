/* An .npz whose arrays are written one after the other from memory; reading it back checks
 * shapes and finiteness, since later steps divide by what is in it. */
#include "folder/centroids_file.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "folder/npy.h"
#include "folder/results.h"
#include "weights/weights.h"

/* ---- writing ---- */

/* Rows are made as they are written: they would take half as much memory again as the sums. */
struct rows {
    const struct ss_stats_centroids *centroids;
    double *mean, *row; /* [width] each */
    float *made;        /* [width] the row that is being read */
    size_t next, at;    /* next row to make; bytes of `made` that were read */
};

static ss_status rewind_rows(void *user, ss_err *err)
{
    struct rows *rows = user;
    (void)err;
    rows->next = 0;
    rows->at = rows->centroids->width * sizeof(float);
    return SS_OK;
}

static ss_status read_rows(void *user, void *out, size_t n_bytes, ss_err *err)
{
    struct rows *rows = user;
    const size_t width = rows->centroids->width, row_bytes = width * sizeof(float);
    (void)err;
    while (n_bytes > 0) {
        if (rows->at == row_bytes) {
            ss_stats_centroids_get(rows->centroids, rows->next++, rows->mean, rows->row);
            for (size_t i = 0; i < width; i++) {
                rows->made[i] = (float)rows->row[i];
            }
            rows->at = 0;
        }
        const size_t n = ss__min_size(n_bytes, row_bytes - rows->at);
        memcpy(out, (const char *)rows->made + rows->at, n);
        out = (char *)out + n;
        rows->at += n;
        n_bytes -= n;
    }
    return SS_OK;
}

ss_status ss_folder_centroids_write(const struct ss_stats_centroids *centroids,
                                    const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n = centroids->n_features, width = centroids->width;
    struct rows rows = {.centroids = centroids};
    struct ss__out out = SS__OUT_CLOSED;
    float *mean = NULL;
    SS_ALLOC(rows.mean, width);
    SS_ALLOC(rows.row, width);
    SS_ALLOC(rows.made, width);
    SS_ALLOC(mean, width);
    ss_stats_centroids_mean(centroids, rows.mean);
    for (size_t i = 0; i < width; i++) {
        mean[i] = (float)rows.mean[i];
    }
    const struct ss_folder_npz_array arrays[] = {
        {.name = "centroids",
         .descr = "<f4",
         .n_dims = 2,
         .shape = {n, width},
         .n_bytes = (uint64_t)n * width * sizeof(float),
         .rewind = rewind_rows,
         .read = read_rows,
         .user = &rows},
        {.name = "mean",
         .descr = "<f4",
         .n_dims = 1,
         .shape = {width},
         .n_bytes = width * sizeof(float),
         .data = mean},
    };
    SS_TRY(ss__out_open(path, &out, err));
    SS_TRY(ss_folder_npz_write(&out, arrays, sizeof arrays / sizeof arrays[0], err));
out:
    ss__out_abort(&out);
    ss__free(rows.mean);
    ss__free(rows.row);
    ss__free(rows.made);
    ss__free(mean);
    return status;
}

/* ---- reading ---- */

static ss_status read_arrays(struct ss_folder_centroids *out, const char *path, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_weights_open(path, NULL, &out->weights, err));
    const struct ss_weights_tensor *found = ss_weights_find(out->weights, "centroids");
    if (found == NULL || found->n_dims != 2 || found->shape[0] != out->n_features ||
        found->shape[1] == 0 || found->shape[1] > SIZE_MAX / sizeof(float)) {
        return ss__fail_file(err, path, SS_E_DATA,
                             "its array 'centroids' has not the %zu rows that the run has "
                             "features",
                             out->n_features);
    }
    out->width = (size_t)found->shape[1];
    const uint64_t width = found->shape[1];
    SS_RETURN_IF_ERROR(ss_weights_view_f32(out->weights, "centroids", 2, found->shape,
                                           &out->centroids, &out->owned_centroids, err));
    SS_RETURN_IF_ERROR(ss_weights_view_f32(out->weights, "mean", 1, &width, &out->mean,
                                           &out->owned_mean, err));
    for (size_t i = 0; i < out->n_features * out->width; i++) {
        if (!isfinite(out->centroids[i])) {
            return ss__fail_file(err, path, SS_E_DATA, "the centroid of feature %zu has %s",
                                 i / out->width, "a number that is not finite");
        }
    }
    for (size_t i = 0; i < out->width; i++) {
        if (!isfinite(out->mean[i])) {
            return ss__fail_file(err, path, SS_E_DATA, "the mean is not finite");
        }
    }
    return SS_OK;
}

ss_status ss_folder_centroids_open(const char *folder, size_t n_features,
                                   struct ss_folder_centroids *out, ss_err *err)
{
    ss_status status = SS_OK;
    *out = (struct ss_folder_centroids){.n_features = n_features};
    char *path = ss__path_join(folder, SS_FOLDER_FILE_CENTROIDS);
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    if (ss__path_stat(path) == SS__PATH_NONE) {
        SS_FAIL_FILE(folder, SS_E_NOINPUT,
                     "this run has no centroids of its features; run saescope analyze again, "
                     "with `evidence` full or light");
    }
    SS_TRY(read_arrays(out, path, err));
out:
    ss__free(path);
    if (status != SS_OK) {
        ss_folder_centroids_release(out);
    }
    return status;
}

void ss_folder_centroids_release(struct ss_folder_centroids *centroids)
{
    ss__free(centroids->owned_centroids);
    ss__free(centroids->owned_mean);
    ss_weights_close(centroids->weights);
    *centroids = (struct ss_folder_centroids){0};
}
