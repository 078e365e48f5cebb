/* Attention within sequences, by the same tiles as the matrix products. A task is one head or
 * all heads of one sequence: its keys (transposed) and values become panels once, then queries
 * go by blocks of a few tiles: scores = Q Kᵀ, weights = exp(scores scale + bias - maximum),
 * context = weights V / sum of weights. All of it stays in the thread's scratch; nothing is
 * padded but the last panel, whose outputs nobody reads.
 *
 * A window is a bias of -infinity, so that far keys weigh exactly 0; whole panels of keys that
 * are too far for all queries of a block are passed over. Adding zeros changes no sum, so the
 * bytes do not depend on how many are passed over. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/tensor_priv.h"

enum { QUERY_TILES = 4, MANY_PER_THREAD = 8 };

/* Offsets, in floats, of the parts of a worker's scratch. */
struct attend_layout {
    size_t keys, values, queries, scores, weights, context, sums, bias, total;
};

struct attend_job {
    const struct ss__kernels *kernels;
    const struct ss__attention *attention;
    const float *qkv;
    const size_t *offsets;
    float *out;
    size_t
        heads_per_task; /* 1, or all heads where sequences are many: neighbours share lines */
    float *scratch;
    struct attend_layout layout;
};

/* One head of one sequence at work. */
struct head {
    const struct ss__kernels *kernels;
    const struct ss__attention *attention;
    const float *queries, *from_keys, *from_values; /* rows `stride` apart */
    float *out;                                     /* rows `width` apart */
    size_t n_tokens, stride, width;
    bool is_last; /* of this task's heads: the next one need not be asked for */
    float *keys, *values, *packed, *scores, *weights, *context, *sums, *bias;
};

static size_t take(size_t *total, size_t n_floats)
{
    const size_t at = *total;
    *total += ss__round_up(n_floats, SS__LANES);
    return at;
}

static struct attend_layout plan(const struct ss__kernels *kernels,
                                 const struct ss__attention *attention, size_t n_tokens)
{
    const size_t rows = QUERY_TILES * kernels->fp32->tile_rows, width = attention->head_width;
    const size_t token_cols = ss__round_up(n_tokens, kernels->fp32->tile_cols);
    const size_t width_cols = ss__round_up(width, kernels->fp32->tile_cols);
    struct attend_layout l = {0};
    l.keys = take(&l.total, token_cols * width);
    l.values = take(&l.total, width_cols * n_tokens);
    l.queries = take(&l.total, rows * ss__round_up(width, SS__LANES));
    l.scores = take(&l.total, rows * token_cols);
    l.weights = take(&l.total, rows * ss__round_up(n_tokens, SS__LANES));
    l.context = take(&l.total, rows * width_cols);
    l.sums = take(&l.total, rows);
    l.bias = take(&l.total, 2 * n_tokens);
    return l;
}

static void pack_keys_and_values(struct head *self)
{
    const size_t cols = self->kernels->fp32->tile_cols, width = self->attention->head_width;
    for (size_t j = 0; j < self->n_tokens; j += cols) {
        const size_t n = ss__min_size(cols, self->n_tokens - j);
        float *panel = self->keys + j * width;
        if (n < cols) {
            memset(panel, 0, cols * width * sizeof *panel);
        }
        ss__pack_transposed(self->from_keys + j * self->stride, self->stride, n, width, panel,
                            cols);
    }
    ss__pack_columns(self->from_values, self->stride, width, self->n_tokens, self->values);
}

static bool has_bias(const struct ss__attention *attention)
{
    return attention->distance_bias != NULL || attention->window > 0;
}

/* bias[n_tokens - 1 + j - i] is the bias of key j on query i. */
static void spread_bias(struct head *self, size_t h)
{
    const struct ss__attention *attention = self->attention;
    const size_t max = attention->max_distance, n = self->n_tokens;
    const size_t window = attention->window == 0 ? n : attention->window;
    const float *table =
        attention->distance_bias == NULL ? NULL : attention->distance_bias + h * (2 * max + 1);
    for (size_t d = 0; d < n; d++) {
        const size_t clamped = ss__min_size(d, max);
        const float base = d < window ? 0.0F : -INFINITY;
        self->bias[n - 1 + d] = base + (table == NULL ? 0.0F : table[max + clamped]);
        self->bias[n - 1 - d] = base + (table == NULL ? 0.0F : table[max - clamped]);
    }
}

/* Queries first … first + n_rows - 1 with the keys that at least one of them looks at. */
struct block {
    size_t first, n_rows;
    size_t key, n_keys; /* key: of a whole panel and a whole group of lanes */
};

static struct block block_at(const struct head *self, size_t first, size_t n_rows)
{
    const size_t window = self->attention->window, n = self->n_tokens;
    struct block block = {.first = first, .n_rows = n_rows, .n_keys = n};
    if (window > 0) {
        const size_t key = first + 1 > window ? first + 1 - window : 0;
        const size_t end =
            window < n - first ? ss__min_size(first + n_rows - 1 + window, n) : n;
        block.key = key / SS__MAX_TILE_COLS * SS__MAX_TILE_COLS;
        block.n_keys = end - block.key;
    }
    return block;
}

/* Scores and weights of a block. */
static void weigh_queries(const struct head *self, const struct block *block)
{
    const size_t cols = self->kernels->fp32->tile_cols,
                 tile_rows = self->kernels->fp32->tile_rows;
    const size_t width = self->attention->head_width, n_rows = block->n_rows;
    const size_t first = block->first, n_keys = block->n_keys;
    const size_t packed_width = ss__round_up(width, SS__LANES);
    const size_t token_cols = ss__round_up(n_keys, cols);
    const float *keys = self->keys + block->key * width;
    for (size_t r = 0; r < n_rows; r += tile_rows) {
        const size_t n = ss__min_size(tile_rows, n_rows - r);
        ss__pack_rows(self->queries + (first + r) * self->stride, self->stride, n, width,
                      self->packed + r * packed_width);
    }
    for (size_t j = 0; j < n_keys; j += cols) {
        for (size_t r = 0; r < n_rows; r += tile_rows) {
            const size_t n = ss__min_size(tile_rows, n_rows - r);
            self->kernels->fp32->tile[n - 1](&(struct ss__tile){
                .a = self->packed + r * packed_width,
                .b = keys + j * width,
                .n_words = width,
                .c = self->scores + r * token_cols + j,
                .c_stride = token_cols,
                .is_first = true,
                .ahead = keys + j * width,
            });
        }
    }
    for (size_t r = 0; r < n_rows; r += tile_rows) {
        const float *bias = self->bias + (self->n_tokens - 1 - first - r + block->key);
        self->kernels->rows->weigh_scores(&(struct ss__score_tile){
            .n_rows = ss__min_size(tile_rows, n_rows - r),
            .n_keys = n_keys,
            .scores = self->scores + r * token_cols,
            .stride = token_cols,
            .scale = self->attention->scale,
            .bias = has_bias(self->attention) ? bias : NULL,
            .weights = self->weights + r * ss__round_up(n_keys, SS__LANES),
            .sums = self->sums + r,
            .next = self->is_last ? NULL : self->queries + (first + r) * self->stride + width,
            .next_stride = self->stride,
            .next_part = self->width,
            .head_width = width,
        });
    }
}

/* Context of the same queries, out of their weights. */
static void mix_values(const struct head *self, const struct block *block)
{
    const struct ss__kernels *kernels = self->kernels;
    const size_t cols = kernels->fp32->tile_cols, tile_rows = kernels->fp32->tile_rows;
    const size_t width = self->attention->head_width, n_rows = block->n_rows;
    const size_t n_keys = block->n_keys;
    const size_t width_cols = ss__round_up(width, cols);
    for (size_t j = 0; j < width; j += cols) {
        const float *panel = self->values + j * self->n_tokens + block->key * cols;
        for (size_t k = 0; k < n_keys; k += SS__K_BLOCK) {
            const size_t n_k = ss__min_size(SS__K_BLOCK, n_keys - k);
            for (size_t r = 0; r < n_rows; r += tile_rows) {
                const size_t n = ss__min_size(tile_rows, n_rows - r);
                kernels->fp32->tile[n - 1](&(struct ss__tile){
                    .a = self->weights + r * ss__round_up(n_keys, SS__LANES) + k * n,
                    .b = panel + k * cols,
                    .n_words = n_k,
                    .c = self->context + r * width_cols + j,
                    .c_stride = width_cols,
                    .is_first = k == 0,
                    .ahead = panel,
                });
            }
        }
    }
    kernels->rows->put_context(&(struct ss__context_block){
        .n_rows = n_rows,
        .width = width,
        .context = self->context,
        .stride = width_cols,
        .sums = self->sums,
        .out = self->out + block->first * self->width,
        .out_stride = self->width,
    });
}

static void attend_head(const struct attend_job *job, size_t sequence, size_t h, bool is_last,
                        float *scratch)
{
    const struct ss__attention *attention = job->attention;
    const size_t width = attention->n_heads * attention->head_width;
    const size_t first = job->offsets[sequence], column = h * attention->head_width;
    const float *qkv = job->qkv + first * 3 * width + column;
    struct head head = {.kernels = job->kernels,
                        .attention = attention,
                        .queries = qkv,
                        .from_keys = qkv + width,
                        .from_values = qkv + 2 * width,
                        .out = job->out + first * width + column,
                        .n_tokens = job->offsets[sequence + 1] - first,
                        .stride = 3 * width,
                        .width = width,
                        .is_last = is_last,
                        .keys = scratch + job->layout.keys,
                        .values = scratch + job->layout.values,
                        .packed = scratch + job->layout.queries,
                        .scores = scratch + job->layout.scores,
                        .weights = scratch + job->layout.weights,
                        .context = scratch + job->layout.context,
                        .sums = scratch + job->layout.sums,
                        .bias = scratch + job->layout.bias};
    pack_keys_and_values(&head);
    if (has_bias(attention)) {
        spread_bias(&head, h);
    }
    const size_t step = QUERY_TILES * job->kernels->fp32->tile_rows;
    for (size_t q = 0; q < head.n_tokens; q += step) {
        const struct block block = block_at(&head, q, ss__min_size(step, head.n_tokens - q));
        weigh_queries(&head, &block);
        mix_values(&head, &block);
    }
}

static void attend_task(void *context, size_t index, size_t worker)
{
    const struct attend_job *job = context;
    const size_t n_heads = job->attention->n_heads;
    const size_t tasks_per_sequence = n_heads / job->heads_per_task;
    const size_t from = index % tasks_per_sequence * job->heads_per_task;
    for (size_t h = from; h < from + job->heads_per_task; h++) {
        const bool is_last = h + 1 == from + job->heads_per_task;
        attend_head(job, index / tasks_per_sequence, h, is_last,
                    job->scratch + worker * job->layout.total);
    }
}

ss_status ss__attend(ss_work *work, const struct ss__attention *attention, const float *qkv,
                     const size_t *offsets, size_t n_sequences, float *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct attend_job job = {.kernels = ss__kernels(),
                             .attention = attention,
                             .qkv = qkv,
                             .offsets = offsets,
                             .out = out};
    size_t longest = 0;
    double n_flops = 0;
    for (size_t s = 0; s < n_sequences; s++) {
        const size_t n = offsets[s + 1] - offsets[s];
        longest = ss__max_size(longest, n);
        n_flops +=
            4.0 * (double)n * (double)n * (double)(attention->n_heads * attention->head_width);
    }
    job.layout = plan(job.kernels, attention, longest);
    job.scratch = ss__work_scratch(work, SS__SLOT_KERNEL,
                                   ss_work_n_threads(work) * job.layout.total * sizeof(float));
    if (job.scratch == NULL) {
        status = ss__fail_nomem(err, "attention scores");
        goto out;
    }
    const bool are_many = n_sequences >= MANY_PER_THREAD * ss_work_n_threads(work);
    job.heads_per_task = are_many ? attention->n_heads : 1;
    ss__work_run(work, n_sequences * attention->n_heads / job.heads_per_task, n_flops,
                 attend_task, &job);
out:
    return status;
}
