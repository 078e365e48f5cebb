/* coactivation.npz: the counts of pairs as a sparse matrix, written from the pass and read by
 * the steps.
 *
 * A walk over the pairs gives them by feature, then partner, and cannot be held in memory as
 * arrays, which could be larger than what they were counted in; a member of the archive is
 * one array. So the pairs are walked through twice for every array, the first time for its
 * checksum. Reading trusts nothing: offsets that rise, partners in range and counts that no
 * rows could give are checked before the table is given out, for whoever walks it relies on
 * them. */
#include "folder/coactivation_file.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "folder/npy.h"
#include "folder/results.h"
#include "weights/weights.h"

/* ---- writing ---- */

/* One number of each pair, taken while all are walked through once more: a copy of them in
 * memory could be larger than what they were counted in. */
typedef enum column_part {
    PART_OTHER,
    PART_COUNT,
    PART_SCORE,
    PART_PRODUCT,
    PART_SCORE_PRODUCT
} column_part;
struct column {
    const struct ss_stats_pairs *pairs;
    struct ss_stats_pairs_walk walk;
    column_part part;
};

static uint64_t part_of(const struct ss_stats_pair *pair, column_part part)
{
    const uint64_t values[] = {
        [PART_OTHER] = pair->b,
        [PART_COUNT] = (uint64_t)pair->counts[SS_STATS_DESCRIBE] + pair->counts[SS_STATS_SCORE],
        [PART_SCORE] = pair->counts[SS_STATS_SCORE],
        [PART_PRODUCT] = pair->products[0] > UINT64_MAX - pair->products[1]
                             ? UINT64_MAX
                             : pair->products[0] + pair->products[1],
        [PART_SCORE_PRODUCT] = pair->products[SS_STATS_SCORE]};
    return values[part];
}

static ss_status rewind_column(void *user, ss_err *err)
{
    struct column *column = user;
    ss_stats_pairs_end(&column->walk);
    return ss_stats_pairs_begin(column->pairs, &column->walk, err);
}

static ss_status read_column(void *user, void *out, size_t n_bytes, ss_err *err)
{
    struct column *column = user;
    struct ss_stats_pair pair = {0};
    const size_t size = column->part >= PART_PRODUCT ? sizeof(uint64_t) : sizeof(uint32_t);
    bool has = true;
    for (size_t i = 0; i < n_bytes / size; i++) {
        SS_RETURN_IF_ERROR(ss_stats_pairs_next(&column->walk, &pair, &has, err));
        const uint64_t value = part_of(&pair, column->part);
        memcpy((char *)out + i * size, &value, size); /* little-endian */
    }
    return SS_OK;
}

/* Where the pairs of each feature begin. */
static ss_status find_offsets(const struct ss_stats_pairs *pairs, uint64_t *offsets,
                              ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_stats_pairs_walk walk = {0};
    struct ss_stats_pair pair = {0};
    bool has = true;
    SS_TRY(ss_stats_pairs_begin(pairs, &walk, err));
    for (;;) {
        SS_TRY(ss_stats_pairs_next(&walk, &pair, &has, err));
        if (!has) {
            break;
        }
        offsets[pair.a + 1]++;
    }
    for (size_t f = 0; f < ss_stats_pairs_n_features(pairs); f++) {
        offsets[f + 1] += offsets[f];
    }
out:
    ss_stats_pairs_end(&walk);
    return status;
}

static struct ss_folder_npz_array array_of(const char *name, const char *descr,
                                           struct column *column)
{
    const uint64_t n = ss_stats_pairs_n(column->pairs);
    return (struct ss_folder_npz_array){.name = name,
                                        .descr = descr,
                                        .n_dims = 1,
                                        .shape = {n},
                                        .n_bytes = n * (column->part >= PART_PRODUCT ? 8 : 4),
                                        .rewind = rewind_column,
                                        .read = read_column,
                                        .user = column};
}

ss_status ss_folder_coactivation_write(const struct ss_stats_pairs *pairs, const char *path,
                                       ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n = ss_stats_pairs_n_features(pairs);
    const int64_t shape[] = {(int64_t)n, (int64_t)n};
    const uint64_t rows[] = {ss_stats_pairs_n_rows(pairs, SS_STATS_DESCRIBE),
                             ss_stats_pairs_n_rows(pairs, SS_STATS_SCORE)};
    struct column columns[] = {{.pairs = pairs, .part = PART_OTHER},
                               {.pairs = pairs, .part = PART_COUNT},
                               {.pairs = pairs, .part = PART_SCORE},
                               {.pairs = pairs, .part = PART_PRODUCT},
                               {.pairs = pairs, .part = PART_SCORE_PRODUCT}};
    struct ss__out out = SS__OUT_CLOSED;
    uint64_t *offsets = NULL;
    SS_ALLOC(offsets, n + 1);
    SS_TRY(find_offsets(pairs, offsets, err));
    const struct ss_folder_npz_array arrays[] = {
        array_of("indices", "<i4", &columns[0]),
        {.name = "indptr",
         .descr = "<i8",
         .n_dims = 1,
         .shape = {n + 1},
         .n_bytes = (n + 1) * sizeof *offsets,
         .data = offsets},
        {.name = "format", .descr = "|S3", .n_bytes = 3, .data = "csr"},
        {.name = "shape",
         .descr = "<i8",
         .n_dims = 1,
         .shape = {2},
         .n_bytes = sizeof shape,
         .data = shape},
        array_of("data", "<u4", &columns[1]),
        array_of("score", "<u4", &columns[2]),
        array_of("product", "<u8", &columns[3]),
        array_of("score_product", "<u8", &columns[4]),
        {.name = "features",
         .descr = "<u8",
         .n_dims = 2,
         .shape = {n, 5},
         .n_bytes = n * sizeof(struct ss_stats_pair_feature),
         .data = n > 0 ? ss_stats_pairs_feature(pairs, 0) : NULL},
        {.name = "rows",
         .descr = "<u8",
         .n_dims = 1,
         .shape = {SS_STATS_N_HALVES},
         .n_bytes = sizeof rows,
         .data = rows},
    };
    SS_TRY(ss__out_open(path, &out, err));
    SS_TRY(ss_folder_npz_write(&out, arrays, sizeof arrays / sizeof arrays[0], err));
out:
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        ss_stats_pairs_end(&columns[i].walk);
    }
    ss__out_abort(&out);
    ss__free(offsets);
    return status;
}

/* ---- reading ---- */

/* The arrays that are used, in the order of `owned`. */
enum { ROWS, FEATURES, INDPTR, INDICES, DATA, SCORE, PRODUCT, SCORE_PRODUCT, N_ARRAYS };
static const struct {
    const char *name;
    ss_weights_dtype dtype;
} arrays_read[N_ARRAYS] = {[ROWS] = {"rows", SS_WEIGHTS_U64},
                           [FEATURES] = {"features", SS_WEIGHTS_U64},
                           [INDPTR] = {"indptr", SS_WEIGHTS_I64},
                           [INDICES] = {"indices", SS_WEIGHTS_I32},
                           [DATA] = {"data", SS_WEIGHTS_U32},
                           [SCORE] = {"score", SS_WEIGHTS_U32},
                           [PRODUCT] = {"product", SS_WEIGHTS_U64},
                           [SCORE_PRODUCT] = {"score_product", SS_WEIGHTS_U64}};

/* Whether its numbers lie one behind the other. */
static bool is_row(const struct ss_weights_tensor *found)
{
    return found->n_elements == 0 || (found->n_dims == 1 && found->strides[0] == 1) ||
           (found->n_dims == 2 && found->strides[1] == 1 &&
            found->strides[0] == (int64_t)found->shape[1]);
}

/* An array of n whole numbers where it lies, or a copy that is aligned. */
static ss_status view_array(struct ss_folder_coactivation *read, const char *path, size_t array,
                            uint64_t n, const void **out, ss_err *err)
{
    const char *name = arrays_read[array].name;
    const ss_weights_dtype dtype = arrays_read[array].dtype;
    const struct ss_weights_tensor *found = ss_weights_find(read->weights, name);
    const size_t size = ss_weights_dtype_bytes(dtype);
    if (found == NULL || found->dtype != dtype || found->swaps || found->n_elements != n ||
        !is_row(found)) {
        return ss__fail_file(err, path, SS_E_DATA,
                             "its array '%s' is not the %llu numbers of type %s that there are",
                             name, (unsigned long long)n, ss_weights_dtype_name(dtype));
    }
    *out = found->data;
    if ((uintptr_t)found->data % size != 0) {
        read->owned[array] = ss__alloc((size_t)n, size);
        if (read->owned[array] == NULL) {
            return ss__fail_nomem(err, "an array");
        }
        memcpy(read->owned[array], found->data, (size_t)n * size);
        *out = read->owned[array];
    }
    return SS_OK;
}

static ss_status view_arrays(struct ss_folder_coactivation *read, const char *path, ss_err *err)
{
    struct ss_graph_table *table = &read->table;
    const uint64_t n_features = table->n_features;
    const void *views[N_ARRAYS] = {NULL};
    uint64_t lengths[N_ARRAYS] = {
        [ROWS] = SS_STATS_N_HALVES, [FEATURES] = 5 * n_features, [INDPTR] = n_features + 1};
    for (size_t i = 0; i < N_ARRAYS; i++) {
        if (i == INDICES) { /* the others are as long as those before say */
            const uint64_t n = ((const uint64_t *)views[INDPTR])[n_features];
            lengths[INDICES] = lengths[DATA] = lengths[SCORE] = lengths[PRODUCT] =
                lengths[SCORE_PRODUCT] = n;
        }
        SS_RETURN_IF_ERROR(view_array(read, path, i, lengths[i], &views[i], err));
    }
    memcpy(table->n_rows, views[ROWS], sizeof table->n_rows);
    table->features = views[FEATURES];
    table->offsets = views[INDPTR];
    table->others = views[INDICES];
    table->counts = views[DATA];
    table->scores = views[SCORE];
    table->products = views[PRODUCT];
    table->score_products = views[SCORE_PRODUCT];
    return SS_OK;
}

ss_status ss_folder_coactivation_open(const char *folder, size_t n_features,
                                      struct ss_folder_coactivation *out, ss_err *err)
{
    ss_status status = SS_OK;
    const char *fault = NULL;
    *out = (struct ss_folder_coactivation){.table = {.n_features = n_features}};
    char *path = ss__path_join(folder, SS_FOLDER_FILE_COACTIVATION);
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    if (ss__path_stat(path) == SS__PATH_NONE) {
        SS_FAIL_FILE(folder, SS_E_NOINPUT,
                     "this run has no counts of pairs of features; run saescope analyze again, "
                     "without `no_pairs`");
    }
    SS_TRY(ss_weights_open(path, NULL, &out->weights, err));
    SS_TRY(view_arrays(out, path, err));
    fault = ss_graph_table_fault(&out->table);
    if (fault != NULL) {
        SS_FAIL_FILE(path, SS_E_DATA, "%s", fault);
    }
out:
    ss__free(path);
    if (status != SS_OK) {
        ss_folder_coactivation_release(out);
    }
    return status;
}

void ss_folder_coactivation_release(struct ss_folder_coactivation *coactivation)
{
    for (size_t i = 0; i < sizeof coactivation->owned / sizeof coactivation->owned[0]; i++) {
        ss__free(coactivation->owned[i]);
    }
    ss_weights_close(coactivation->weights);
    *coactivation = (struct ss_folder_coactivation){0};
}
