/* The sets of a feature: texts that describe it, texts that score its label, and texts on which
 * it does not fire. All are chosen by key or by a distance, so that they depend on nothing but
 * the evidence. */
#include <stdlib.h>

#include "base/sort.h"
#include "describe/feature_sets.h"
#include "tensor/tensor.h"

struct ss_describe_nearest {
    float cosine;
    uint32_t row;
};

struct ss_describe_list ss_describe_samples(const struct ss_describe_evidence *evidence,
                                            size_t feature, ss_stats_sample_kind kind)
{
    const size_t *offsets =
        evidence->sample_offsets + feature * SS_STATS_N_SAMPLES + (size_t)kind;
    return (struct ss_describe_list){offsets[1] - offsets[0],
                                     evidence->sample_texts + offsets[0],
                                     evidence->sample_activations + offsets[0]};
}

/* ---- room ---- */

/* The texts of a half on which a feature nearly fires. */
static ss_stats_sample_kind missed_in(int half)
{
    return half == 0 ? SS_STATS_SAMPLE_MISS_DESCRIBE : SS_STATS_SAMPLE_MISS_SCORE;
}

static size_t largest_list(const struct ss_describe_evidence *evidence,
                           ss_stats_sample_kind kind)
{
    size_t most = 0;
    for (size_t f = 0; f < evidence->n_features; f++) {
        most = ss__max_size(most, ss_describe_samples(evidence, f, kind).n);
    }
    return most;
}

ss_status ss_describe_sets_init(struct ss_describe_sets *sets,
                                const struct ss_describe_view *view, ss_err *err)
{
    const struct ss_describe_evidence *evidence = view->evidence;
    const size_t n_describe = largest_list(evidence, SS_STATS_SAMPLE_FIRING_DESCRIBE) +
                              largest_list(evidence, SS_STATS_SAMPLE_STRONGEST);
    const size_t n_positives = largest_list(evidence, SS_STATS_SAMPLE_FIRING_SCORE);
    size_t n = n_describe + n_positives;
    *sets = (struct ss_describe_sets){0};
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        n += SS_DESCRIBE_N_NEGATIVES * view->n_pool[half];
        n += largest_list(evidence, missed_in(half));
    }
    SS_ALLOC_OR_RETURN(sets->rows, n);
    sets->n_rows = n;
    SS_ALLOC_OR_RETURN(sets->activations, n_positives);
    SS_ALLOC_OR_RETURN(sets->centroid, evidence->width);
    SS_ALLOC_OR_RETURN(sets->nearest, SS_DESCRIBE_POOL);
    uint32_t *rows = sets->rows;
    sets->describe.rows = rows;
    sets->positives.rows = rows += n_describe;
    rows += n_positives;
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        for (int kind = 0; kind < SS_DESCRIBE_N_NEGATIVES; kind++) {
            sets->negatives[half][kind].rows = rows;
            rows += view->n_pool[half];
        }
        rows += largest_list(evidence, missed_in(half));
    }
    return SS_OK;
}

void ss_describe_sets_release(struct ss_describe_sets *sets)
{
    ss__free(sets->rows);
    ss__free(sets->activations);
    ss__free(sets->centroid);
    ss__free(sets->nearest);
    *sets = (struct ss_describe_sets){0};
}

/* ---- filling ---- */

static int by_row(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left;
    const uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void fill_describe(struct ss_describe_sets *sets,
                          const struct ss_describe_evidence *evidence, size_t feature)
{
    static const ss_stats_sample_kind kinds[] = {SS_STATS_SAMPLE_FIRING_DESCRIBE,
                                                 SS_STATS_SAMPLE_STRONGEST};
    struct ss_describe_set *set = &sets->describe;
    size_t n = 0;
    set->n = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        const struct ss_describe_list list = ss_describe_samples(evidence, feature, kinds[k]);
        for (size_t i = 0; i < list.n; i++) {
            set->rows[n++] = list.rows[i];
        }
    }
    if (n > 0) {
        ss__sort(set->rows, n, sizeof *set->rows, by_row);
    }
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || set->rows[i] != set->rows[set->n - 1]) {
            set->rows[set->n++] = set->rows[i];
        }
    }
}

static bool is_listed(struct ss_describe_list list, uint32_t row)
{
    for (size_t i = 0; i < list.n; i++) {
        if (list.rows[i] == row) {
            return true;
        }
    }
    return false;
}

static void fill_positives(struct ss_describe_sets *sets,
                           const struct ss_describe_evidence *evidence, size_t feature,
                           bool without_tops)
{
    const struct ss_describe_list tops =
        ss_describe_samples(evidence, feature, SS_STATS_SAMPLE_TOP);
    const struct ss_describe_list list =
        ss_describe_samples(evidence, feature, SS_STATS_SAMPLE_FIRING_SCORE);
    sets->positives.n = 0;
    for (size_t i = 0; i < list.n; i++) {
        if (!without_tops || !is_listed(tops, list.rows[i])) {
            sets->activations[sets->positives.n] = list.activations[i];
            sets->positives.rows[sets->positives.n++] = list.rows[i];
        }
    }
}

/* All texts of a half's pool on which the feature does not fire, by key. */
static void fill_idle(struct ss_describe_set *set, const struct ss_describe_view *view,
                      int half, size_t feature)
{
    const size_t begin = view->evidence->first[half];
    const uint32_t *active = view->active[half] + view->active_offsets[half][feature];
    const uint32_t *end = view->active[half] + view->active_offsets[half][feature + 1];
    set->n = 0;
    for (size_t t = begin; t < begin + view->n_pool[half]; t++) {
        if (active < end && *active == t) {
            active++;
        } else {
            set->rows[set->n++] = (uint32_t)t;
        }
    }
}

static void find_centroid(struct ss_describe_sets *sets, const struct ss_describe_view *view)
{
    const size_t width = view->evidence->width;
    for (size_t k = 0; k < width; k++) {
        sets->centroid[k] = 0;
    }
    for (size_t i = 0; i < sets->describe.n; i++) {
        ss_tensor_add_to(sets->centroid,
                         view->evidence->embeddings + sets->describe.rows[i] * width, width);
    }
    if (sets->describe.n > 0) {
        ss_tensor_scale(sets->centroid, 1 / (float)sets->describe.n, width);
    }
}

static int by_cosine(const void *left, const void *right)
{
    const struct ss_describe_nearest *a = left;
    const struct ss_describe_nearest *b = right;
    if (a->cosine != b->cosine) {
        return a->cosine > b->cosine ? -1 : 1;
    }
    return (a->row > b->row) - (a->row < b->row);
}

/* The idle texts nearest to the centroid by the cosine of embeddings as they are. */
static void fill_near(struct ss_describe_sets *sets, const struct ss_describe_view *view,
                      int half, size_t n_most)
{
    const size_t width = view->evidence->width;
    const struct ss_describe_set *idle = &sets->negatives[half][SS_DESCRIBE_RANDOM];
    struct ss_describe_set *near = &sets->negatives[half][SS_DESCRIBE_NEAR];
    for (size_t i = 0; i < idle->n; i++) {
        const uint32_t row = idle->rows[i];
        const float *x = view->evidence->embeddings + row * width;
        sets->nearest[i] = (struct ss_describe_nearest){
            ss_tensor_dot(x, sets->centroid, width) / view->lengths[row], row};
    }
    if (idle->n > 0) {
        ss__sort(sets->nearest, idle->n, sizeof *sets->nearest, by_cosine);
    }
    near->n = ss__min_size(n_most, idle->n);
    for (size_t i = 0; i < near->n; i++) {
        near->rows[i] = sets->nearest[i].row;
    }
}

static void fill_miss(struct ss_describe_sets *sets, const struct ss_describe_view *view,
                      int half, size_t feature)
{
    const struct ss_describe_list list =
        ss_describe_samples(view->evidence, feature, missed_in(half));
    struct ss_describe_set *miss = &sets->negatives[half][SS_DESCRIBE_MISS];
    miss->n = list.n;
    for (size_t i = 0; i < list.n; i++) {
        miss->rows[i] = list.rows[i];
    }
}

void ss_describe_sets_fill(struct ss_describe_sets *sets, const struct ss_describe_view *view,
                           size_t feature, bool without_tops)
{
    fill_describe(sets, view->evidence, feature);
    fill_positives(sets, view->evidence, feature, without_tops);
    find_centroid(sets, view);
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        struct ss_describe_set *random = &sets->negatives[half][SS_DESCRIBE_RANDOM];
        const bool is_score = half == SS_STATS_SCORE;
        fill_idle(random, view, half, feature);
        fill_near(sets, view, half, is_score ? SS_DESCRIBE_MAX_NEAR : SS_DESCRIBE_MAX_NEAR / 2);
        fill_miss(sets, view, half, feature);
        if (is_score) {
            random->n = ss__min_size(random->n, SS_DESCRIBE_MAX_RANDOM);
        }
    }
}
