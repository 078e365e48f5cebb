/* Attention within sequences, by the same tiles as the matrix products. A task is one head or
 * all heads of one sequence: its keys (transposed) and values become panels once, then queries
 * go by blocks of a few tiles: scores = Q Kᵀ, weights = exp(scores scale + bias - maximum),
 * context = weights V / sum of weights. All of it stays in the thread's scratch; only the last
 * panel is padded, and the outputs of the padding are not read.
 *
 * Where the precision allows, the two products are of integers (attend_operands.c);
 * scores, their exponentials and the sums of these are floats always.
 *
 * A window is a bias of -infinity, so that far keys weigh exactly 0; whole panels of keys that
 * are too far for all queries of a block are skipped. Adding zeros changes no sum, so the
 * bytes do not depend on how many are skipped. */
#include <math.h>

#include "base/mem.h"
#include "tensor/attend_priv.h"

enum { QUERY_TILES = 4, MANY_PER_THREAD = 8 };

/* Offsets, in floats, of the parts of a worker's scratch. */
struct layout {
    size_t keys, key_scales, values, value_scales, packed, row_scales;
    size_t scores, weights, context, sums, bias, total;
};

struct attend_job {
    const struct ss_tensor_kernels *kernels;
    const struct ss_tensor_multiplier *multiplier;
    const struct ss_tensor_attention *attention;
    const float *qkv;
    const size_t *offsets;
    float *out;
    size_t
        heads_per_task; /* 1, or all heads where sequences are many: neighbours share lines */
    float *scratch;
    struct layout layout;
    const struct ss_tensor_attention_kernel *kernel; /* of whole heads; or NULL */
};

/* The offset of the next part, which begins at a whole group of lanes. */
static size_t take(size_t *total, size_t n_floats)
{
    const size_t at = *total;
    *total += ss__round_up(n_floats, SS_TENSOR_LANES);
    return at;
}

/* Weights of
 * integer formats take the place of the scores that they are made of, since they are packed
 * afterwards. */
static struct layout plan(const struct ss_tensor_multiplier *m, size_t width, size_t n_tokens)
{
    const size_t rows = QUERY_TILES * m->tile_rows;
    const size_t token_cols = ss__round_up(n_tokens, m->tile_cols);
    const size_t width_cols = ss__round_up(width, m->tile_cols);
    const size_t block_words =
        ss__round_up(ss_tensor_multiplier_words(m, m->k_block), SS_TENSOR_LANES);
    struct layout l = {0};
    l.keys = take(&l.total, token_cols * ss_tensor_multiplier_words(m, width));
    l.key_scales = take(&l.total, ss__divide_up(width, m->k_block) * token_cols);
    l.values = take(&l.total, width_cols * ss_tensor_multiplier_words(m, n_tokens));
    l.value_scales = take(&l.total, ss__divide_up(n_tokens, m->k_block) * width_cols);
    l.packed = take(&l.total, rows * block_words);
    l.row_scales = take(&l.total, rows);
    l.scores = take(&l.total, rows * token_cols);
    l.weights = m->scheme != NULL ? l.scores : take(&l.total, rows * token_cols);
    l.context = take(&l.total, rows * width_cols);
    l.sums = take(&l.total, rows);
    l.bias = take(&l.total, 2 * n_tokens);
    return l;
}

static bool has_bias(const struct ss_tensor_attention *attention)
{
    return attention->distance_bias != NULL || attention->window > 0;
}

/* bias[n_tokens - 1 + j - i] is the bias of key j on query i. */
static void spread_bias(const struct ss_tensor_attention *attention, size_t h, size_t n,
                        float *bias)
{
    const size_t max = attention->max_distance;
    const size_t window = attention->window == 0 ? n : attention->window;
    const float *table =
        attention->distance_bias == NULL ? NULL : attention->distance_bias + h * (2 * max + 1);
    for (size_t d = 0; d < n; d++) {
        const size_t clamped = ss__min_size(d, max);
        const float base = d < window ? 0.0F : -INFINITY;
        bias[n - 1 + d] = base + (table == NULL ? 0.0F : table[max + clamped]);
        bias[n - 1 - d] = base + (table == NULL ? 0.0F : table[max - clamped]);
    }
}

/* Queries first … first + n_rows - 1 with the keys that at least one of them looks at. */
struct block {
    size_t first, n_rows;
    size_t key, n_keys; /* key: where a panel and, of integers, a block of K begins */
    size_t stride;      /* of scores and weights: n_keys in whole panels */
};

/* With a window the first key begins a panel, and of integers a block of K as well: scales
 * belong to blocks counted from the first token, so a window that began elsewhere would change
 * them. */
static struct block block_at(const struct head *self, size_t first, size_t n_rows)
{
    const struct ss_tensor_multiplier *m = self->multiplier;
    const size_t window = self->attention->window, n = self->n_tokens;
    const size_t step = m->scheme == NULL ? SS_TENSOR_MAX_TILE_COLS : m->k_block;
    struct block block = {.first = first, .n_rows = n_rows, .n_keys = n};
    if (window > 0) {
        const size_t key = first + 1 > window ? first + 1 - window : 0;
        const size_t end =
            window < n - first ? ss__min_size(first + n_rows - 1 + window, n) : n;
        block.key = key / step * step;
        block.n_keys = end - block.key;
    }
    block.stride = ss__round_up(block.n_keys, m->tile_cols);
    return block;
}

/* Rows times columns col … col + n_cols - 1 of an operand, inputs k … k + n_k - 1: those of one
 * block of K of integers. */
struct product {
    struct packed_rows rows;
    const struct operand *operand;
    size_t n_rows, col, n_cols, k, n_k;
    float *c; /* [n_rows, c_stride] */
    size_t c_stride;
    bool is_first; /* else added to c */
};

/* Tile by tile over the columns; the rows of a few tiles stay in the L1 cache for all of
 * them. */
static void multiply(const struct head *self, const struct product *p)
{
    const struct ss_tensor_multiplier *m = self->multiplier;
    const float *panels = p->operand->panels + p->k / m->word_inputs * m->tile_cols;
    const float *scales = p->operand->scales + p->k / m->k_block * p->operand->n_cols;
    for (size_t j = 0; j < p->n_cols; j += m->tile_cols) {
        const float *b = panels + (p->col + j) * p->operand->n_words;
        for (size_t r = 0; r < p->n_rows; r += m->tile_rows) {
            const size_t n = ss__min_size(m->tile_rows, p->n_rows - r);
            m->tile[n - 1](&(struct ss_tensor_tile){
                .a = p->rows.words + r * p->rows.step + n * p->rows.skip,
                .b = b,
                .n_words = ss__divide_up(p->n_k, m->word_inputs),
                .c = p->c + r * p->c_stride + j,
                .c_stride = p->c_stride,
                .is_first = p->is_first,
                .prefetch = b,
                .a_scales = self->row_scales + r,
                .b_scales = scales + p->col + j,
            });
        }
    }
}

/* Scores of a block of queries with its keys, by blocks of K where the head is wider than
 * one. */
static void score_queries(const struct head *self, const struct block *block)
{
    const size_t k_block = self->multiplier->k_block, width = self->attention->head_width;
    const float *queries = self->queries + block->first * self->stride;
    for (size_t k = 0; k < width; k += k_block) {
        const size_t n_k = ss__min_size(k_block, width - k);
        const struct inputs inputs = {queries + k, self->stride, block->n_rows, width, k, n_k};
        multiply(self, &(struct product){
                           .rows = ss_tensor_pack_inputs(self, &inputs),
                           .operand = &self->keys,
                           .n_rows = block->n_rows,
                           .col = block->key,
                           .n_cols = block->n_keys,
                           .k = k,
                           .n_k = n_k,
                           .c = self->scores,
                           .c_stride = block->stride,
                           .is_first = k == 0,
                       });
    }
}

/* Weights of floats become A operands at once, those of integers stay rows. */
static void softmax_scores(const struct head *self, const struct block *block)
{
    const size_t width = self->attention->head_width, tile_rows = self->multiplier->tile_rows;
    const size_t first = block->first;
    const bool are_rows = self->multiplier->scheme != NULL;
    for (size_t r = 0; r < block->n_rows; r += tile_rows) {
        const size_t n = ss__min_size(tile_rows, block->n_rows - r);
        const float *bias = self->bias + (self->n_tokens - 1 - first - r + block->key);
        self->rows->softmax_scores(&(struct ss_tensor_score_tile){
            .n_rows = n,
            .n_keys = block->n_keys,
            .scores = self->scores + r * block->stride,
            .stride = block->stride,
            .scale = self->attention->scale,
            .bias = has_bias(self->attention) ? bias : NULL,
            .weights = self->weights + r * block->stride,
            .row_step = are_rows ? block->stride : SS_TENSOR_LANES,
            .group_step = are_rows ? SS_TENSOR_LANES : n * SS_TENSOR_LANES,
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
    const struct ss_tensor_multiplier *m = self->multiplier;
    const size_t width = self->attention->head_width;
    const size_t stride = ss__round_up(width, m->tile_cols);
    for (size_t k = 0; k < block->n_keys; k += m->k_block) {
        const size_t n_k = ss__min_size(m->k_block, block->n_keys - k);
        const struct packed_rows floats = {self->weights, block->stride, k};
        const struct inputs inputs = {self->weights + k, block->stride,  block->n_rows,
                                      self->n_tokens,    block->key + k, n_k};
        multiply(self,
                 &(struct product){
                     .rows = m->scheme == NULL ? floats : ss_tensor_pack_inputs(self, &inputs),
                     .operand = &self->values,
                     .n_rows = block->n_rows,
                     .n_cols = width,
                     .k = block->key + k,
                     .n_k = n_k,
                     .c = self->context,
                     .c_stride = stride,
                     .is_first = k == 0,
                 });
    }
    self->rows->store_context(&(struct ss_tensor_context_block){
        .n_rows = block->n_rows,
        .width = width,
        .context = self->context,
        .stride = stride,
        .sums = self->sums,
        .out = self->out + block->first * self->width,
        .out_stride = self->width,
    });
}

/* Inputs of an operand, at `panels` and `scales` of the scratch. */
static struct operand operand_at(const struct attend_job *job, float *panels, float *scales,
                                 size_t n_cols, size_t n_inputs)
{
    return (struct operand){.panels = panels,
                            .scales = scales,
                            .n_cols = ss__round_up(n_cols, job->multiplier->tile_cols),
                            .n_words = ss_tensor_multiplier_words(job->multiplier, n_inputs)};
}

/* A token's queries, keys and values stand side by side in qkv, and heads side by side in
 * each. */
static struct head head_at(const struct attend_job *job, size_t sequence, size_t h,
                           float *scratch)
{
    const struct ss_tensor_attention *attention = job->attention;
    const struct layout *l = &job->layout;
    const size_t width = attention->n_heads * attention->head_width;
    const size_t first = job->offsets[sequence], column = h * attention->head_width;
    const size_t n_tokens = job->offsets[sequence + 1] - first;
    const float *qkv = job->qkv + first * 3 * width + column;
    return (struct head){.multiplier = job->multiplier,
                         .rows = job->kernels->rows,
                         .attention = attention,
                         .queries = qkv,
                         .from_keys = qkv + width,
                         .from_values = qkv + 2 * width,
                         .out = job->out + first * width + column,
                         .n_tokens = n_tokens,
                         .stride = 3 * width,
                         .width = width,
                         .keys = operand_at(job, scratch + l->keys, scratch + l->key_scales,
                                            n_tokens, attention->head_width),
                         .values =
                             operand_at(job, scratch + l->values, scratch + l->value_scales,
                                        attention->head_width, n_tokens),
                         .packed = scratch + l->packed,
                         .row_scales = scratch + l->row_scales,
                         .scores = scratch + l->scores,
                         .weights = scratch + l->weights,
                         .context = scratch + l->context,
                         .sums = scratch + l->sums,
                         .bias = scratch + l->bias};
}

/* A block of queries at a time, from scores to the mixed values, so that scores are few. */
static void attend_head(const struct attend_job *job, size_t sequence, size_t h, bool is_last,
                        float *scratch)
{
    struct head head = head_at(job, sequence, h, scratch);
    head.is_last = is_last;
    ss_tensor_pack_keys(&head);
    ss_tensor_pack_values(&head);
    if (has_bias(job->attention)) {
        spread_bias(job->attention, h, head.n_tokens, head.bias);
    }
    const size_t step = QUERY_TILES * job->multiplier->tile_rows;
    for (size_t q = 0; q < head.n_tokens; q += step) {
        const struct block block = block_at(&head, q, ss__min_size(step, head.n_tokens - q));
        score_queries(&head, &block);
        softmax_scores(&head, &block);
        mix_values(&head, &block);
    }
}

/* By the kernel of whole heads; the bias stands behind its scratch. */
static void attend_whole_head(const struct attend_job *job, size_t sequence, size_t h,
                              bool is_last, float *scratch)
{
    const struct ss_tensor_attention *attention = job->attention;
    const size_t width = attention->n_heads * attention->head_width;
    const size_t first = job->offsets[sequence], n = job->offsets[sequence + 1] - first;
    const float *queries = job->qkv + first * 3 * width + h * attention->head_width;
    float *bias = scratch + job->layout.bias;
    if (has_bias(attention)) {
        spread_bias(attention, h, n, bias);
    }
    job->kernel->attend(
        &(struct ss_tensor_attention_head){
            .queries = queries,
            .keys = queries + width,
            .values = queries + 2 * width,
            .out = job->out + first * width + h * attention->head_width,
            .n_tokens = n,
            .head_width = attention->head_width,
            .stride = 3 * width,
            .out_stride = width,
            .scale = attention->scale,
            .bias = has_bias(attention) ? bias : NULL,
            .window = attention->window,
            .has_next = !is_last,
        },
        scratch);
}

static void attend_task(void *context, size_t index, size_t worker)
{
    const struct attend_job *job = context;
    const size_t n_heads = job->attention->n_heads;
    const size_t tasks_per_sequence = n_heads / job->heads_per_task;
    const size_t sequence = index / tasks_per_sequence;
    const size_t from = index % tasks_per_sequence * job->heads_per_task;
    float *scratch = job->scratch + worker * job->layout.total;
    for (size_t h = from; h < from + job->heads_per_task; h++) {
        const bool is_last = h + 1 == from + job->heads_per_task;
        if (job->kernel != NULL) {
            attend_whole_head(job, sequence, h, is_last, scratch);
        } else {
            attend_head(job, sequence, h, is_last, scratch);
        }
    }
    if (job->kernel != NULL) {
        job->kernel->finish();
    } else {
        ss_tensor_multiplier_finish(job->multiplier);
    }
}

/* For the longest sequence of the call, so that every task's scratch has one size. */
static struct layout layout_of(const struct attend_job *job, size_t longest)
{
    const size_t width = job->attention->head_width;
    if (job->kernel == NULL) {
        return plan(job->multiplier, width, longest);
    }
    struct layout l = {0};
    (void)take(&l.total, job->kernel->scratch_floats(&(struct ss_tensor_attention_head){
                             .n_tokens = longest, .head_width = width}));
    l.bias = take(&l.total, 2 * longest);
    return l;
}

ss_status ss_tensor_attend(ss_work *work, const struct ss_tensor_attention *attention,
                           const float *qkv, const size_t *offsets, size_t n_sequences,
                           float *out, ss_err *err)
{
    struct attend_job job = {.kernels = ss_tensor_kernels(),
                             .multiplier = ss_tensor_kernels()->attention[attention->precision],
                             .kernel = ss_tensor_kernels()->attend[attention->precision],
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
    job.layout = layout_of(&job, longest);
    job.scratch =
        ss_tensor_work_scratch(work, SS_TENSOR_SLOT_KERNEL,
                               ss_work_n_threads(work) * job.layout.total * sizeof(float));
    if (job.scratch == NULL) {
        return ss__fail_nomem(err, "attention scores");
    }
    /* with few sequences heads are what keeps all threads busy */
    const bool are_many = n_sequences >= MANY_PER_THREAD * ss_work_n_threads(work);
    job.heads_per_task = are_many ? attention->n_heads : 1;
    ss_tensor_work_run(work, n_sequences * attention->n_heads / job.heads_per_task, n_flops,
                       attend_task, &job);
    return SS_OK;
}
