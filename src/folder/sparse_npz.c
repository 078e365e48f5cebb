/* A sparse matrix as scipy.sparse.save_npz writes one in CSR form (uncompressed):
 *
 *   indices  [n]         features, i4, or i8 where the number of values or features needs it
 *   indptr   [rows + 1]  where each row begins, of the same type
 *   format   "csr"
 *   shape    [2] i8      rows, features
 *   data     [n] f4      activations
 *   rows     [rows] i8   the dataset's row of each row, only where rows may be left out
 *
 * The last one is not of scipy, which passes over it. The parts are gathered in files without a
 * name until the number of rows is known. */
#include "base/mem.h"
#include "base/spool.h"
#include "folder/npy.h"
#include "folder/sparse_file.h"

struct state {
    const struct ss_folder_sparse_options *options;
    struct ss__spool lengths, features, values, ids; /* u64, u32, f32, u64 */
    uint64_t n_rows, n_values;
    uint64_t begin; /* while indptr is read: where the next row begins */
    size_t n_begun; /* … how many of its elements were given */
};

static void npz_close(void *opaque)
{
    struct state *state = opaque;
    if (state != NULL) {
        ss__spool_close(&state->lengths);
        ss__spool_close(&state->features);
        ss__spool_close(&state->values);
        ss__spool_close(&state->ids);
        ss__free(state);
    }
}

static ss_status npz_open(const struct ss_folder_sparse_options *options, void **out,
                          ss_err *err)
{
    ss_status status = SS_OK;
    struct state *state = NULL;
    SS_ALLOC(state, 1);
    state->options = options;
    SS_TRY(ss__spool_open(&state->lengths, err));
    SS_TRY(ss__spool_open(&state->features, err));
    SS_TRY(ss__spool_open(&state->values, err));
    SS_TRY(ss__spool_open(&state->ids, err));
    *out = state;
    state = NULL;
out:
    npz_close(state);
    return status;
}

static ss_status npz_add(void *opaque, const struct ss_folder_sparse_row *row, ss_err *err)
{
    struct state *state = opaque;
    const uint64_t n = row->n;
    SS_RETURN_IF_ERROR(ss__spool_add(&state->lengths, &n, sizeof n, err));
    SS_RETURN_IF_ERROR(
        ss__spool_add(&state->features, row->features, row->n * sizeof *row->features, err));
    SS_RETURN_IF_ERROR(
        ss__spool_add(&state->values, row->values, row->n * sizeof *row->values, err));
    if (state->options->has_gaps) {
        SS_RETURN_IF_ERROR(ss__spool_add(&state->ids, &row->id, sizeof row->id, err));
    }
    state->n_rows++;
    state->n_values += n;
    return SS_OK;
}

/* ---- the arrays, as their bytes are asked for ---- */

static ss_status rewind_spool(void *user, ss_err *err)
{
    return ss__spool_rewind(user, err);
}

static ss_status read_spool(void *user, void *out, size_t n_bytes, ss_err *err)
{
    return ss__spool_read(user, out, n_bytes, err);
}

static ss_status rewind_begins(void *user, ss_err *err)
{
    struct state *state = user;
    state->begin = 0;
    state->n_begun = 0;
    return ss__spool_rewind(&state->lengths, err);
}

/* The next element of indptr. */
static ss_status next_begin(struct state *state, uint64_t *begin, ss_err *err)
{
    uint64_t n = 0;
    const ss_status status =
        state->n_begun++ == 0 ? SS_OK : ss__spool_read(&state->lengths, &n, sizeof n, err);
    state->begin += n;
    *begin = state->begin;
    return status;
}

static ss_status read_begins_i4(void *user, void *out, size_t n_bytes, ss_err *err)
{
    ss_status status = SS_OK;
    uint64_t begin = 0;
    for (size_t i = 0; status == SS_OK && i < n_bytes / sizeof(int32_t); i++) {
        status = next_begin(user, &begin, err);
        ((int32_t *)out)[i] = (int32_t)begin;
    }
    return status;
}

static ss_status read_begins_i8(void *user, void *out, size_t n_bytes, ss_err *err)
{
    ss_status status = SS_OK;
    for (size_t i = 0; status == SS_OK && i < n_bytes / sizeof(uint64_t); i++) {
        status = next_begin(user, (uint64_t *)out + i, err);
    }
    return status;
}

static ss_status read_features_i8(void *user, void *out, size_t n_bytes, ss_err *err)
{
    ss_status status = SS_OK;
    uint32_t feature = 0;
    for (size_t i = 0; status == SS_OK && i < n_bytes / sizeof(int64_t); i++) {
        status = ss__spool_read(user, &feature, sizeof feature, err);
        ((int64_t *)out)[i] = feature;
    }
    return status;
}

static ss_status npz_commit(void *opaque, ss_err *err)
{
    struct state *state = opaque;
    const uint64_t n_features = state->options->n_features;
    const bool is_wide = state->n_values > INT32_MAX || n_features > INT32_MAX;
    const size_t index_bytes = is_wide ? sizeof(int64_t) : sizeof(int32_t);
    const int64_t shape[] = {(int64_t)state->n_rows, (int64_t)n_features};
    const struct ss_folder_npz_array arrays[] = {
        {.name = "indices",
         .descr = is_wide ? "<i8" : "<i4",
         .n_dims = 1,
         .shape = {state->n_values},
         .n_bytes = state->n_values * index_bytes,
         .rewind = rewind_spool,
         .read = is_wide ? read_features_i8 : read_spool, /* u32 below 2^31 are i32 */
         .user = &state->features},
        {.name = "indptr",
         .descr = is_wide ? "<i8" : "<i4",
         .n_dims = 1,
         .shape = {state->n_rows + 1},
         .n_bytes = (state->n_rows + 1) * index_bytes,
         .rewind = rewind_begins,
         .read = is_wide ? read_begins_i8 : read_begins_i4,
         .user = state},
        {.name = "format", .descr = "|S3", .n_bytes = 3, .data = "csr"},
        {.name = "shape",
         .descr = "<i8",
         .n_dims = 1,
         .shape = {2},
         .n_bytes = sizeof shape,
         .data = shape},
        {.name = "data",
         .descr = "<f4",
         .n_dims = 1,
         .shape = {state->n_values},
         .n_bytes = state->n_values * sizeof(float),
         .rewind = rewind_spool,
         .read = read_spool,
         .user = &state->values},
        {.name = "rows",
         .descr = "<i8",
         .n_dims = 1,
         .shape = {state->n_rows},
         .n_bytes = state->n_rows * sizeof(uint64_t),
         .rewind = rewind_spool,
         .read = read_spool,
         .user = &state->ids},
    };
    const size_t n = sizeof arrays / sizeof *arrays;
    return ss_folder_npz_write(state->options->out, arrays,
                               state->options->has_gaps ? n : n - 1, err);
}

const struct ss_folder_sparse_format ss_run_sparse_npz = {
    .extension = ".npz",
    .open = npz_open,
    .add = npz_add,
    .commit = npz_commit,
    .close = npz_close,
};
