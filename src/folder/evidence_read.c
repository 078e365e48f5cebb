/* Opening the evidence of a run folder, and its parts but the texts.
 *
 * A run folder may come from anywhere. Each file is checked by itself, and against the
 * others: a sample names a text that is there, of the half that its list is of, and
 * embeddings have a row for each text and the width that the run states. After that, rows and
 * features may be used as indexes without a question. */
#include "folder/evidence_read.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "folder/evidence_files.h"
#include "folder/results.h"
#include "weights/weights.h"

/* ---- samples.arrow ---- */

struct sampling {
    struct ss_folder_evidence *evidence;
    const char *path;
    size_t n, texts_capacity, activations_capacity;
    size_t list; /* that the rows have come to: feature * SS_STATS_N_SAMPLES + kind */
};

static ss_status fail_sample(const struct sampling *sampling, const char *what, ss_err *err)
{
    ss__fail_file(err, sampling->path, SS_E_DATA, "row %zu: %s", sampling->n, what);
    ss__err_at_row(err, sampling->n);
    return SS_E_DATA;
}

/* The list that a row belongs to; SS_STATS_N_SAMPLES: none. */
static size_t kind_of(const struct ss_arrow_table_values values[SS_FOLDER_N_SAMPLE_COLUMNS],
                      size_t i)
{
    const struct ss_arrow_table_values *names = &values[SS_FOLDER_SAMPLE_KIND];
    const char *name = (const char *)names->data + names->offsets[i];
    const size_t n_bytes = (size_t)(names->offsets[i + 1] - names->offsets[i]);
    const int half = ((const uint8_t *)values[SS_FOLDER_SAMPLE_HALF].data)[i];
    size_t kind = 0;
    while (kind < SS_STATS_N_SAMPLES) {
        const struct ss_folder_sample_list *list = &ss_folder_sample_lists[kind];
        if (strlen(list->name) == n_bytes && memcmp(list->name, name, n_bytes) == 0 &&
            (list->half < 0 || list->half == half)) {
            break;
        }
        kind++;
    }
    return kind;
}

static ss_status
take_sample(struct sampling *sampling,
            const struct ss_arrow_table_values values[SS_FOLDER_N_SAMPLE_COLUMNS], size_t i,
            ss_err *err)
{
    struct ss_folder_evidence *evidence = sampling->evidence;
    const uint32_t feature = ((const uint32_t *)values[SS_FOLDER_SAMPLE_FEATURE].data)[i];
    const uint32_t rank = ((const uint32_t *)values[SS_FOLDER_SAMPLE_RANK].data)[i];
    const uint32_t text = ((const uint32_t *)values[SS_FOLDER_SAMPLE_TEXT].data)[i];
    const uint8_t half = ((const uint8_t *)values[SS_FOLDER_SAMPLE_HALF].data)[i];
    const float activation = ((const float *)values[SS_FOLDER_SAMPLE_ACTIVATION].data)[i];
    const size_t kind = kind_of(values, i);
    if (feature >= evidence->n_features || kind == SS_STATS_N_SAMPLES) {
        return fail_sample(sampling, "it belongs to no list", err);
    }
    const size_t list = (size_t)feature * SS_STATS_N_SAMPLES + kind;
    if (list < sampling->list) {
        return fail_sample(sampling, "the lists are not in order", err);
    }
    for (; sampling->list < list; sampling->list++) {
        evidence->sample_offsets[sampling->list + 1] = sampling->n;
    }
    if (rank != sampling->n - evidence->sample_offsets[list]) {
        return fail_sample(sampling, "the ranks are not in order", err);
    }
    if (text >= evidence->n_texts || half != ss_folder_evidence_half(evidence, text) ||
        !(activation > 0) || !isfinite(activation)) {
        return fail_sample(sampling, "its text or activation cannot be", err);
    }
    evidence->sample_texts[sampling->n] = text;
    evidence->sample_activations[sampling->n++] = activation;
    return SS_OK;
}

ss_status ss_folder_evidence_read_samples(struct ss_folder_evidence *evidence, const char *path,
                                          ss_err *err)
{
    ss_status status = SS_OK;
    struct sampling sampling = {.evidence = evidence, .path = path};
    struct ss_arrow_table *table = NULL;
    struct ss_arrow_table_values values[SS_FOLDER_N_SAMPLE_COLUMNS];
    size_t n = 0, n_lists = 0;
    if (!ss__mul(evidence->n_features, SS_STATS_N_SAMPLES, &n_lists)) {
        SS_TRY(ss__fail_nomem(err, "samples"));
    }
    SS_TRY(ss_arrow_table_open(path, ss_folder_sample_columns, SS_FOLDER_N_SAMPLE_COLUMNS,
                               &table, err));
    SS_ALLOC(evidence->sample_offsets, n_lists + 1);
    do {
        SS_TRY(ss_arrow_table_next(table, values, &n, err));
        SS_GROW(evidence->sample_texts, sampling.texts_capacity, sampling.n + n + 1);
        SS_GROW(evidence->sample_activations, sampling.activations_capacity,
                sampling.n + n + 1);
        for (size_t i = 0; i < n; i++) {
            SS_TRY(take_sample(&sampling, values, i, err));
        }
    } while (n > 0);
    for (; sampling.list < n_lists; sampling.list++) {
        evidence->sample_offsets[sampling.list + 1] = sampling.n;
    }
out:
    ss_arrow_table_close(table);
    return status;
}

/* ---- arrays ---- */

ss_status ss_folder_evidence_read_embeddings(struct ss_folder_evidence *evidence,
                                             const char *path, ss_err *err)
{
    const struct ss_weights_tensor *tensor = NULL;
    SS_RETURN_IF_ERROR(ss_weights_open(path, NULL, &evidence->weights, err));
    tensor = ss_weights_n(evidence->weights) == 1 ? ss_weights_at(evidence->weights, 0) : NULL;
    if (tensor == NULL || tensor->n_dims != 2 || tensor->shape[0] != evidence->n_texts ||
        tensor->shape[1] == 0 || tensor->shape[1] > SIZE_MAX / sizeof(float)) {
        return ss__fail_file(err, path, SS_E_DATA,
                             "it is not an array of %zu rows, one for each text",
                             evidence->n_texts);
    }
    evidence->width = (size_t)tensor->shape[1];
    return ss_weights_view_f32(evidence->weights, tensor->name, 2, tensor->shape,
                               &evidence->embeddings, &evidence->owned, err);
}

ss_status ss_folder_evidence_check(const struct ss_folder_evidence *evidence, ss_err *err)
{
    return evidence->weights == NULL ? SS_OK : ss_weights_check(evidence->weights, err);
}

/* Copy an array of whole numbers of a type. Gives *out (ss__free). */
static ss_status copy_array(const struct ss_weights *weights, const char *path,
                            const char *name, ss_weights_dtype dtype, uint64_t n, void **out,
                            ss_err *err)
{
    const struct ss_weights_tensor *tensor = ss_weights_find(weights, name);
    const size_t size = ss_weights_dtype_bytes(dtype);
    if (tensor == NULL || tensor->dtype != dtype || tensor->swaps || tensor->n_elements != n ||
        (tensor->n_dims == 2 ? tensor->shape[1] != SS_STATS_N_HALVES : tensor->n_dims != 1)) {
        return ss__fail_file(err, path, SS_E_DATA,
                             "its array '%s' is not the %llu numbers of type %s that there are",
                             name, (unsigned long long)n, ss_weights_dtype_name(dtype));
    }
    *out = ss__alloc((size_t)n, size);
    if (*out == NULL) {
        return ss__fail_nomem(err, "an array");
    }
    for (uint64_t i = 0; i < n; i++) { /* rows of two, or a row, one behind the other */
        const int64_t at = tensor->n_dims == 2 ? (int64_t)(i / 2) * tensor->strides[0] +
                                                     (int64_t)(i % 2) * tensor->strides[1]
                                               : (int64_t)i * tensor->strides[0];
        memcpy((char *)*out + i * size, (const char *)tensor->data + at * (int64_t)size, size);
    }
    return SS_OK;
}

static ss_status read_bins(struct ss_folder_evidence *evidence,
                           const struct ss_weights *weights, const char *path, ss_err *err)
{
    struct ss_stats_magnitude_bins *bins = &evidence->histograms;
    void *array = NULL;
    bins->n_features = evidence->n_features;
    SS_RETURN_IF_ERROR(copy_array(weights, path, "offsets", SS_WEIGHTS_U64,
                                  (uint64_t)evidence->n_features + 1, &array, err));
    bins->offsets = array;
    const uint64_t n = bins->offsets[evidence->n_features];
    SS_RETURN_IF_ERROR(copy_array(weights, path, "bins", SS_WEIGHTS_U32, n, &array, err));
    bins->bins = array;
    SS_RETURN_IF_ERROR(copy_array(weights, path, "counts", SS_WEIGHTS_U64, n, &array, err));
    bins->counts = array;
    return ss_stats_magnitude_bins_check(bins)
               ? SS_OK
               : ss__fail_file(err, path, SS_E_DATA, "its bins are out of order");
}

ss_status ss_folder_evidence_read_histograms(struct ss_folder_evidence *evidence,
                                             const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_weights *weights = NULL;
    void *array = NULL;
    SS_TRY(ss_weights_open(path, NULL, &weights, err));
    SS_TRY(read_bins(evidence, weights, path, err));
    SS_TRY(copy_array(weights, path, "active", SS_WEIGHTS_U64,
                      2 * (uint64_t)evidence->n_features, &array, err));
    evidence->n_active = array;
    array = NULL;
    SS_TRY(copy_array(weights, path, "rows", SS_WEIGHTS_U64, SS_STATS_N_HALVES, &array, err));
    memcpy(evidence->n_rows, array, sizeof evidence->n_rows);
    for (size_t i = 0; i < 2 * evidence->n_features; i++) {
        if (evidence->n_active[i] > evidence->n_rows[i % 2]) {
            SS_FAIL_FILE(path, SS_E_DATA, "feature %zu fires in more rows than there are",
                         i / 2);
        }
    }
out:
    ss__free(array);
    ss_weights_close(weights);
    return status;
}

/* ---- the object in run.json ---- */

static ss_status read_sizes(struct ss_folder_evidence *evidence, const char *file,
                            const struct ss__json *object, ss_err *err)
{
    struct ss_stats_evidence_sizes *sizes = &evidence->sizes;
    const struct ss__json *pool = ss__json_get(object, "pool");
    size_t n_pool = 0, seed = 0;
    if (ss__json_is_string(pool)) {
        sizes->n_pool = UINT64_MAX;
    } else {
        SS_RETURN_IF_ERROR(ss__json_size(file, object, "pool", &n_pool, err));
        sizes->n_pool = n_pool;
    }
    for (size_t i = 0; i < SS_STATS_N_SAMPLES; i++) {
        const struct ss__json *value = ss__json_get(object, ss_folder_sample_lists[i].name);
        const bool is_pair = ss__json_is_array(value);
        value = is_pair
                    ? ss__json_at(value, ss_folder_sample_lists[i].half != SS_STATS_DESCRIBE)
                    : value;
        const int64_t n = ss__json_is_integer(value) ? ss__json_integer(value) : -1;
        if (n < 0 || n > UINT32_MAX) {
            return ss__fail_file(err, file, SS_E_DATA, "key 'evidence' has no number of '%s'",
                                 ss_folder_sample_lists[i].name);
        }
        sizes->n_samples[i] = (uint32_t)n;
    }
    SS_RETURN_IF_ERROR(ss__json_size(file, object, "seed", &seed, err));
    evidence->sample_seed = seed;
    return ss__json_bool(file, object, "texts", &evidence->has_texts, err);
}

static ss_status read_manifest(struct ss_folder_evidence *evidence, const char *folder,
                               ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *root = NULL;
    const struct ss__json *object = NULL;
    char *path = ss__path_join(folder, SS_FOLDER_FILE_MANIFEST);
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    SS_TRY(ss__json_load(path, &root, err));
    object = ss__json_get(root, "evidence");
    if (!ss__json_is_object(object)) {
        SS_FAIL_FILE(folder, SS_E_NOINPUT,
                     "this run has no evidence; run saescope analyze again, with `evidence` "
                     "full or light");
    }
    SS_TRY(read_sizes(evidence, path, object, err));
out:
    ss__json_free(root);
    ss__free(path);
    return status;
}

/* ---- the whole ---- */

/* In this order: later files are checked by what is in the earlier ones. */
static const struct {
    const char *name;
    ss_status (*read)(struct ss_folder_evidence *evidence, const char *path, ss_err *err);
} parts[] = {
    {SS_FOLDER_FILE_EVIDENCE_TEXTS, ss_folder_evidence_read_texts},
    {SS_FOLDER_FILE_EMBEDDINGS, ss_folder_evidence_read_embeddings},
    {SS_FOLDER_FILE_SAMPLES, ss_folder_evidence_read_samples},
    {SS_FOLDER_FILE_HISTOGRAMS, ss_folder_evidence_read_histograms},
};

ss_status ss_folder_evidence_open(const char *folder, size_t n_features,
                                  struct ss_folder_evidence *out, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    *out = (struct ss_folder_evidence){.n_features = n_features};
    SS_TRY(read_manifest(out, folder, err));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        path = ss__path_join(folder, parts[i].name);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        if (ss__path_stat(path) == SS__PATH_NONE) {
            SS_FAIL_FILE(path, SS_E_DATA, "missing: this is not a complete run");
        }
        SS_TRY(parts[i].read(out, path, err));
        ss__free(path);
        path = NULL;
    }
out:
    ss__free(path);
    if (status != SS_OK) {
        ss_folder_evidence_release(out);
    }
    return status;
}

void ss_folder_evidence_release(struct ss_folder_evidence *evidence)
{
    ss__free(evidence->n_active);
    ss__free(evidence->keys);
    ss__free(evidence->counts);
    ss__free(evidence->positions);
    ss__free(evidence->texts);
    ss__free(evidence->files);
    ss__free(evidence->kept);
    ss_sparse_release(&evidence->codes);
    ss__free(evidence->sample_offsets);
    ss__free(evidence->sample_texts);
    ss__free(evidence->sample_activations);
    ss_stats_magnitude_bins_release(&evidence->histograms);
    ss__free(evidence->bytes);
    ss__free(evidence->owned);
    ss_weights_close(evidence->weights);
    *evidence = (struct ss_folder_evidence){0};
}

struct ss_folder_samples ss_folder_evidence_samples(const struct ss_folder_evidence *evidence,
                                                    size_t feature, ss_stats_sample_kind kind)
{
    const size_t *offsets = &evidence->sample_offsets[feature * SS_STATS_N_SAMPLES + kind];
    return (struct ss_folder_samples){offsets[1] - offsets[0],
                                      evidence->sample_texts + offsets[0],
                                      evidence->sample_activations + offsets[0]};
}

struct ss_folder_bins ss_folder_evidence_bins(const struct ss_folder_evidence *evidence,
                                              size_t feature)
{
    const struct ss_stats_magnitude_bins *bins = &evidence->histograms;
    const size_t from = (size_t)bins->offsets[feature];
    return (struct ss_folder_bins){(size_t)bins->offsets[feature + 1] - from, bins->bins + from,
                                   bins->counts + from};
}

void ss_folder_evidence_mean(const struct ss_folder_evidence *evidence, double *mean)
{
    const size_t width = evidence->width, n = evidence->n_pool[SS_STATS_DESCRIBE];
    memset(mean, 0, width * sizeof *mean);
    for (size_t row = 0; row < n; row++) {
        for (size_t i = 0; i < width; i++) {
            mean[i] += (double)evidence->embeddings[row * width + i];
        }
    }
    for (size_t i = 0; i < width && n > 0; i++) {
        mean[i] /= (double)n;
    }
}
