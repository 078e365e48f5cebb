/* Near misses: of each feature and half, the texts of the pool in which it does not fire and
 * whose pre-activation is the largest above 0. One product of the pool and the SAE finds them.
 */
#include <string.h>

#include "base/mem.h"
#include "pass/evidence_gather.h"
#include "sae/sae.h"

enum { BLOCK_ROWS = 64 };

struct finding {
    struct ss_pass_evidence_gathered *gathered;
    const struct ss_pass *pass;
    size_t n_features, width;
    struct ss__buf memory;
    float *x;        /* [BLOCK_ROWS, width] */
    float *h;        /* [BLOCK_ROWS, F] pre-activations, −1 where a feature fires */
    size_t *offsets; /* [BLOCK_ROWS + 1] into: */
    uint32_t *active;
    size_t active_capacity;
};

struct ss_stats_sample *ss_pass_evidence_miss(const struct ss_pass_evidence_gathered *gathered,
                                              size_t feature, int half, size_t rank)
{
    const uint32_t *n = ss_stats_evidence_options(gathered->evidence)->sizes.n_samples;
    const size_t n_describe = n[SS_STATS_SAMPLE_MISS_DESCRIBE];
    const size_t n_both = n_describe + n[SS_STATS_SAMPLE_MISS_SCORE];
    return &gathered
                ->misses[feature * n_both + (half == SS_STATS_SCORE ? n_describe : 0) + rank];
}

/* ---- a list: a heap with the worst miss first ---- */

static bool is_worse(const struct ss_stats_sample *a, const struct ss_stats_sample *b)
{
    return a->activation != b->activation ? a->activation < b->activation : a->text > b->text;
}

static void swap(struct ss_stats_sample *a, struct ss_stats_sample *b)
{
    const struct ss_stats_sample kept = *a;
    *a = *b;
    *b = kept;
}

static void sink(struct ss_stats_sample *heap, size_t n, size_t i)
{
    for (;;) {
        size_t worst = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < n; child++) {
            worst = is_worse(&heap[child], &heap[worst]) ? child : worst;
        }
        if (worst == i) {
            return;
        }
        swap(&heap[i], &heap[worst]);
        i = worst;
    }
}

static void offer(struct ss_stats_sample *heap, uint32_t *n, size_t k,
                  struct ss_stats_sample sample)
{
    if (*n < k) {
        size_t i = (*n)++;
        heap[i] = sample;
        for (; i > 0 && is_worse(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2) {
            swap(&heap[i], &heap[(i - 1) / 2]);
        }
    } else if (k > 0 && is_worse(&heap[0], &sample)) {
        heap[0] = sample;
        sink(heap, *n, 0);
    }
}

static void sort(struct ss_stats_sample *heap, size_t n)
{
    for (size_t left = n; left > 1; left--) { /* the best comes first */
        swap(&heap[0], &heap[left - 1]);
        sink(heap, left - 1, 0);
    }
}

/* ---- the product ---- */

/* The texts [first, first + n), with the features that fire in them. */
static ss_status read_texts(struct finding *finding, size_t first, size_t n, ss_err *err)
{
    const size_t width = finding->width;
    finding->offsets[0] = 0;
    for (size_t i = 0; i < n; i++) {
        struct ss_stats_evidence_text text;
        size_t *end = &finding->offsets[i + 1];
        SS_RETURN_IF_ERROR(ss_stats_evidence_text(finding->gathered->evidence, first + i,
                                                  &finding->memory, &text, err));
        memcpy(finding->x + i * width, text.embedding, width * sizeof *finding->x);
        *end = finding->offsets[i] + text.n_active;
        SS_GROW_OR_RETURN(finding->active, finding->active_capacity, *end);
        if (text.n_active > 0) {
            memcpy(finding->active + finding->offsets[i], text.features,
                   text.n_active * sizeof *text.features);
        }
    }
    return SS_OK;
}

static void look(struct finding *finding, int half, size_t first, size_t n, size_t k)
{
    struct ss_pass_evidence_gathered *gathered = finding->gathered;
    const size_t n_features = finding->n_features;
    for (size_t i = 0; i < n; i++) {
        float *h = finding->h + i * n_features;
        for (size_t j = finding->offsets[i]; j < finding->offsets[i + 1]; j++) {
            h[finding->active[j]] = -1;
        }
        for (size_t f = 0; f < n_features; f++) {
            if (h[f] > 0) {
                offer(ss_pass_evidence_miss(gathered, f, half, 0),
                      &gathered->n_misses[2 * f + (size_t)half], k,
                      (struct ss_stats_sample){(uint32_t)(first + i), h[f]});
            }
        }
    }
}

static ss_status find_half(struct finding *finding, int half, size_t first, size_t n_pool,
                           ss_err *err)
{
    struct ss_pass_evidence_gathered *gathered = finding->gathered;
    const struct ss_pass *pass = finding->pass;
    const size_t k =
        ss_stats_evidence_options(gathered->evidence)
            ->sizes.n_samples[half == SS_STATS_DESCRIBE ? SS_STATS_SAMPLE_MISS_DESCRIBE
                                                        : SS_STATS_SAMPLE_MISS_SCORE];
    for (size_t at = 0; at < n_pool; at += BLOCK_ROWS) {
        const size_t n = ss__min_size(BLOCK_ROWS, n_pool - at);
        SS_RETURN_IF_ERROR(read_texts(finding, first + at, n, err));
        SS_RETURN_IF_ERROR(
            ss_sae_pre_activations(pass->sae, pass->work, finding->x, n, finding->h, err));
        look(finding, half, first + at, n, k);
    }
    for (size_t f = 0; f < finding->n_features; f++) {
        sort(ss_pass_evidence_miss(gathered, f, half, 0),
             gathered->n_misses[2 * f + (size_t)half]);
    }
    return SS_OK;
}

static ss_status allocate(struct finding *finding, ss_err *err)
{
    struct ss_pass_evidence_gathered *gathered = finding->gathered;
    const uint32_t *n = ss_stats_evidence_options(gathered->evidence)->sizes.n_samples;
    const size_t n_both =
        (size_t)n[SS_STATS_SAMPLE_MISS_DESCRIBE] + n[SS_STATS_SAMPLE_MISS_SCORE];
    size_t n_misses = 0, n_values = 0, n_sums = 0;
    if (!ss__mul(finding->n_features, n_both, &n_misses) ||
        !ss__mul(BLOCK_ROWS, finding->width, &n_values) ||
        !ss__mul(BLOCK_ROWS, finding->n_features, &n_sums)) {
        return ss__fail_nomem(err, "near misses");
    }
    SS_ALLOC_OR_RETURN(gathered->misses, n_misses);
    SS_ALLOC_OR_RETURN(gathered->n_misses, 2 * finding->n_features);
    SS_ALLOC_ALIGNED_OR_RETURN(finding->x, n_values);
    SS_ALLOC_ALIGNED_OR_RETURN(finding->h, n_sums);
    SS_ALLOC_OR_RETURN(finding->offsets, BLOCK_ROWS + 1);
    return SS_OK;
}

ss_status ss_pass_evidence_find_misses(struct ss_pass_evidence_gathered *gathered,
                                       const struct ss_pass *pass, ss_err *err)
{
    ss_status status = SS_OK;
    if (gathered->kind == SS_EVIDENCE_NONE) {
        return SS_OK;
    }
    const struct ss_stats_evidence_options *options =
        ss_stats_evidence_options(gathered->evidence);
    struct finding finding = {.gathered = gathered,
                              .pass = pass,
                              .n_features = options->n_features,
                              .width = options->width};
    size_t first[SS_STATS_N_HALVES + 1], n_pool[SS_STATS_N_HALVES];
    if (!ss_sae_has_pre_activations(pass->sae)) {
        return SS_OK;
    }
    SS_TRY(allocate(&finding, err));
    ss_stats_evidence_halves(gathered->evidence, first, n_pool);
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        SS_TRY(find_half(&finding, half, first[half], n_pool[half], err));
    }
out:
    ss__buf_release(&finding.memory);
    ss__free(finding.x);
    ss__free(finding.h);
    ss__free(finding.offsets);
    ss__free(finding.active);
    return status;
}
