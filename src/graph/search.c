/* The search in float32: blocks of rows by groups of targets, each with a short sorted list per
 * row; then the lists of a row are put together. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "graph/nearest.h"

/* ---- targets ---- */

static double centre(const struct ss_graph_targets *targets, const double *x, float *out)
{
    double norm = 0;
    for (size_t j = 0; j < targets->width; j++) {
        out[j] = (float)(x[j] - targets->mean[j]);
        norm += (double)out[j] * (double)out[j];
    }
    return norm;
}

void ss_graph_targets_set(struct ss_graph_targets *targets, size_t at, const double *x,
                          float *scratch)
{
    const double norm = centre(targets, x, scratch);
    targets->norms[at] = (float)norm;
    targets->most = fmax(targets->most, norm);
    ss_tensor_matrix_fill(&targets->matrix, at, 1, scratch, SS_TENSOR_OUT_BY_IN);
}

static void find_mean(const struct ss_graph_rows *rows, double *scratch, double *mean)
{
    for (size_t i = 0; i < rows->n; i++) {
        const double *x = rows->row_of(rows->context, i, scratch);
        for (size_t j = 0; j < rows->width; j++) {
            mean[j] += x[j] / (double)rows->n;
        }
    }
}

ss_status ss_graph_targets_new(const struct ss_graph_rows *rows, struct ss_graph_targets *out,
                               ss_err *err)
{
    ss_status status = SS_OK;
    float *scratch = NULL;
    double *row = NULL;
    *out = (struct ss_graph_targets){.width = rows->width};
    SS_ALLOC(scratch, rows->width);
    SS_ALLOC(row, rows->width);
    SS_ALLOC(out->mean, rows->width);
    SS_ALLOC(out->norms, rows->n);
    find_mean(rows, row, out->mean);
    SS_TRY(ss_tensor_matrix_new(rows->n, rows->width, SS_PRECISION_HIGHEST, &out->matrix, err));
    for (size_t i = 0; i < rows->n; i++) {
        ss_graph_targets_set(out, i, rows->row_of(rows->context, i, row), scratch);
    }
out:
    ss__free(scratch);
    ss__free(row);
    if (status != SS_OK) {
        ss_graph_targets_release(out);
    }
    return status;
}

void ss_graph_targets_release(struct ss_graph_targets *targets)
{
    ss__free(targets->mean);
    ss__free(targets->norms);
    ss_tensor_matrix_release(&targets->matrix);
    *targets = (struct ss_graph_targets){0};
}

/* A sum of w products in float32 is within w u Σ|a b| ≤ w u (|a|² + |b|²) / 2 of the exact one
 * (u = 2⁻²⁴), it counts twice, and rounding of the operands, of the squared lengths and of their
 * sum adds a few more u. */
double ss_graph_targets_error(const struct ss_graph_targets *targets, const double *x)
{
    double norm = 0;
    for (size_t j = 0; j < targets->width; j++) {
        const double d = x[j] - targets->mean[j];
        norm += d * d;
    }
    return ((double)targets->width + 16) * 0x1p-24 * (norm + targets->most);
}

/* ---- the search ---- */

struct job {
    const struct ss_graph_search *search;
    struct ss_tensor_partition cut;
    float *rows;    /* [threads, block_rows, width] */
    float *scratch; /* [threads, scratch_floats] */
    double *made;   /* [threads, width] a row that is made */
    size_t scratch_floats;
    uint32_t *ids; /* [n_groups, n_rows, k] */
    float *keys;   /* the same */
};

/* What one task works on. */
struct part {
    const struct job *job;
    size_t first;       /* row */
    const float *norms; /* [block rows] */
    uint32_t *ids;      /* [block rows, k] */
    float *keys;
};

static void insert(uint32_t *ids, float *keys, size_t k, uint32_t id, float key)
{
    size_t at = k - 1;
    for (; at > 0 && keys[at - 1] > key; at--) {
        keys[at] = keys[at - 1];
        ids[at] = ids[at - 1];
    }
    keys[at] = key;
    ids[at] = id;
}

static void on_tile(void *context, const struct ss_tensor_tile_sums *sums)
{
    const struct part *part = context;
    const struct ss_graph_search *search = part->job->search;
    const float *norms = search->targets->norms + sums->output;
    const size_t k = search->k;
    for (size_t r = 0; r < sums->n_rows; r++) {
        float *at = sums->at + r * sums->stride;
        const float norm = part->norms[sums->row + r];
        uint32_t *ids = part->ids + (sums->row + r) * k;
        float *keys = part->keys + (sums->row + r) * k;
        for (size_t j = 0; j < sums->n_outputs; j++) {
            const float d = (norm + norms[j]) - 2 * at[j];
            at[j] = d > 0 ? d : 0;
        }
        if (search->rank != NULL) {
            search->rank(search->rank_context, part->first + sums->row + r, sums->output,
                         sums->n_outputs, at);
        }
        for (size_t j = 0; j < sums->n_outputs; j++) {
            if (at[j] < keys[k - 1]) {
                insert(ids, keys, k, (uint32_t)(sums->output + j), at[j]);
            }
        }
    }
}

static void search_part(void *context, size_t index, size_t worker)
{
    const struct job *job = context;
    const struct ss_graph_search *search = job->search;
    const size_t block = index / job->cut.n_groups, group = index % job->cut.n_groups;
    const size_t first = block * job->cut.block_rows, width = search->targets->width;
    const size_t n = ss__min_size(job->cut.block_rows, search->rows.n - first);
    float *rows = job->rows + worker * job->cut.block_rows * (width + 1);
    float *norms = rows + job->cut.block_rows * width;
    const size_t at = (group * search->rows.n + first) * search->k;
    struct part part = {.job = job,
                        .first = first,
                        .norms = norms,
                        .ids = job->ids + at,
                        .keys = job->keys + at};
    for (size_t r = 0; r < n; r++) {
        const double *x =
            search->rows.row_of(search->rows.context, first + r, job->made + worker * width);
        norms[r] = (float)centre(search->targets, x, rows + r * width);
    }
    for (size_t i = 0; i < n * search->k; i++) {
        part.ids[i] = SS_GRAPH_NONE;
        part.keys[i] = INFINITY;
    }
    ss_tensor_linear_tiles(&(struct ss_tensor_tile_callback){
        .w = &search->targets->matrix,
        .x = rows,
        .n_rows = n,
        .from = group * job->cut.group_outputs,
        .end =
            ss__min_size((group + 1) * job->cut.group_outputs, search->targets->matrix.n_out),
        .scratch = job->scratch + worker * job->scratch_floats,
        .on_tile = on_tile,
        .context = &part});
}

/* Groups come by rising ids, so a strict comparison leaves the smaller id of equal keys. */
static void join_groups(const struct job *job)
{
    const struct ss_graph_search *search = job->search;
    const size_t n = search->rows.n * search->k;
    memcpy(search->ids, job->ids, n * sizeof *job->ids);
    memcpy(search->keys, job->keys, n * sizeof *job->keys);
    for (size_t i = n; i < n * job->cut.n_groups; i++) {
        const size_t at = i % n / search->k * search->k;
        if (job->keys[i] < search->keys[at + search->k - 1]) {
            insert(search->ids + at, search->keys + at, search->k, job->ids[i], job->keys[i]);
        }
    }
}

ss_status ss_graph_search_run(const struct ss_graph_search *search, ss_work *work, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_tensor_matrix *matrix = &search->targets->matrix;
    struct ss__pool *pool = ss_tensor_work_pool(work);
    const size_t n_threads = ss__pool_n_threads(pool);
    struct job job = {.search = search,
                      .cut = ss_tensor_linear_partition(matrix, search->rows.n, n_threads)};
    job.scratch_floats =
        ss__round_up(ss_tensor_linear_tiles_floats(matrix, job.cut.block_rows), 16);
    SS_ALLOC_ALIGNED(job.rows, n_threads * job.cut.block_rows * (search->targets->width + 1));
    SS_ALLOC_ALIGNED(job.scratch, n_threads * job.scratch_floats);
    SS_ALLOC(job.made, n_threads * search->targets->width);
    SS_ALLOC(job.ids, job.cut.n_groups * search->rows.n * search->k);
    SS_ALLOC(job.keys, job.cut.n_groups * search->rows.n * search->k);
    ss__pool_run(pool, job.cut.n_blocks * job.cut.n_groups, search_part, &job);
    SS_TRY(ss_tensor_work_check(work, err));
    join_groups(&job);
out:
    ss__free(job.rows);
    ss__free(job.scratch);
    ss__free(job.made);
    ss__free(job.ids);
    ss__free(job.keys);
    return status;
}

int ss_graph_candidate_compare(const void *a, const void *b)
{
    const struct ss_graph_candidate *x = a;
    const struct ss_graph_candidate *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return x->id < y->id ? -1 : x->id > y->id;
}
