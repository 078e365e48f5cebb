/* Which texts a model is shown of a feature. For a description, of the describe half: the
 * strongest, some of each level of activation, random ones and near ones on which it does not
 * fire. For a score, of the score half: by level, random and near. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/pool.h"
#include "base/sort.h"
#include "describe/feature_sets.h"
#include "describe/llm_priv.h"

enum {
    N_STRONGEST = 8,
    N_BY_LEVEL = 8,
    N_RANDOM = 4,
    N_NEAR = 6,
    N_POSITIVES = 20,
    N_SCORE_RANDOM = 10,
    N_SCORE_NEAR = 10
};
_Static_assert(N_STRONGEST + N_BY_LEVEL + N_RANDOM + N_NEAR == SS_DESCRIBE_LLM_MAX_SHOWN, "");
_Static_assert(N_POSITIVES + N_SCORE_RANDOM + N_SCORE_NEAR == SS_DESCRIBE_LLM_MAX_SCORED, "");

/* A text on which the feature fires, or one by a hash. */
struct ranked {
    uint32_t row;
    float activation;
    uint64_t hash;
    struct ss_describe_llm_shown shown;
};

struct scratch {
    struct ss_describe_sets sets;
    struct ranked *ranked; /* [largest list] */
};

struct planning {
    const struct ss_describe_view *view;
    struct ss_describe_llm_plan *plan;
    struct scratch *scratch; /* [threads] */
};

static int by_activation(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;
    if (a->activation != b->activation) {
        return a->activation < b->activation ? -1 : 1;
    }
    return (a->row > b->row) - (a->row < b->row);
}

static int by_hash(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    return (a->row > b->row) - (a->row < b->row);
}

static uint8_t strength_of(float activation, float most)
{
    const double share = most > 0 ? ceil(10.0 * (double)activation / (double)most) : 1;
    return (uint8_t)(share < 1 ? 1 : share > 10 ? 10 : share);
}

static bool is_shown(const struct ss_describe_llm_shown *shown, size_t n, uint32_t row)
{
    for (size_t i = 0; i < n; i++) {
        if (shown[i].row == row) {
            return true;
        }
    }
    return false;
}

/* Some of a set, from a place that depends on the feature, so that not all see the same. */
static size_t add_random(struct ss_describe_llm_shown *shown, size_t n, size_t n_most,
                         const struct ss_describe_set *set, uint64_t feature)
{
    const size_t begin =
        set->n == 0 ? 0 : (size_t)(ss__hash64(&feature, sizeof feature) % set->n);
    for (size_t i = 0, n_added = 0; i < set->n && n_added < n_most; i++) {
        const uint32_t row = set->rows[(begin + i) % set->n];
        if (!is_shown(shown, n, row)) {
            shown[n++] = (struct ss_describe_llm_shown){row, 0, SS_DESCRIBE_RANDOM};
            n_added++;
        }
    }
    return n;
}

static size_t add_near(struct ss_describe_llm_shown *shown, size_t n, size_t n_most,
                       const struct ss_describe_set *set)
{
    for (size_t i = 0; i < set->n && i < n_most; i++) {
        shown[n++] = (struct ss_describe_llm_shown){set->rows[i], 0, SS_DESCRIBE_NEAR};
    }
    return n;
}

/* One of each of the n_levels lower tenths of the list, the first by key; then others of it
 * until there are so many. */
static size_t add_levels(struct ss_describe_llm_shown *shown, size_t n, struct ranked *ranked,
                         struct ss_describe_list list, float most)
{
    const size_t n_end = n + N_BY_LEVEL;
    for (size_t i = 0; i < list.n; i++) {
        ranked[i] = (struct ranked){.row = list.rows[i], .activation = list.activations[i]};
    }
    if (list.n > 0) {
        ss__sort(ranked, list.n, sizeof *ranked, by_activation);
    }
    for (size_t level = 0; level < N_BY_LEVEL; level++) {
        const size_t end = (level + 1) * list.n / SS_DESCRIBE_DECILES;
        const struct ranked *best = NULL;
        for (size_t i = level * list.n / SS_DESCRIBE_DECILES; i < end; i++) {
            if (!is_shown(shown, n, ranked[i].row) &&
                (best == NULL || ranked[i].row < best->row)) {
                best = &ranked[i];
            }
        }
        if (best != NULL) {
            shown[n++] = (struct ss_describe_llm_shown){best->row,
                                                        strength_of(best->activation, most), 0};
        }
    }
    for (size_t i = 0; i < list.n && n < n_end; i++) {
        if (!is_shown(shown, n, list.rows[i])) {
            shown[n++] = (struct ss_describe_llm_shown){
                list.rows[i], strength_of(list.activations[i], most), 0};
        }
    }
    return n;
}

static void plan_shown(const struct planning *planning, struct scratch *scratch, size_t feature)
{
    const struct ss_describe_evidence *evidence = planning->view->evidence;
    struct ss_describe_llm_shown *shown =
        planning->plan->shown + feature * SS_DESCRIBE_LLM_MAX_SHOWN;
    const struct ss_describe_list strongest =
        ss_describe_samples(evidence, feature, SS_STATS_SAMPLE_STRONGEST);
    const struct ss_describe_set *idle = scratch->sets.negatives[SS_STATS_DESCRIBE];
    const float most = strongest.n > 0 ? strongest.activations[0] : 0;
    size_t n = 0;
    for (; n < strongest.n && n < N_STRONGEST; n++) {
        shown[n] = (struct ss_describe_llm_shown){
            strongest.rows[n], strength_of(strongest.activations[n], most), 0};
    }
    n = add_levels(shown, n, scratch->ranked,
                   ss_describe_samples(evidence, feature, SS_STATS_SAMPLE_FIRING_DESCRIBE),
                   most);
    if (n > 0) {
        n = add_near(shown, n, N_NEAR, &idle[SS_DESCRIBE_NEAR]);
        n = add_random(shown, n, N_RANDOM, &idle[SS_DESCRIBE_RANDOM], feature);
    }
    planning->plan->n_shown[feature] = (uint8_t)n;
}

/* Two of each tenth of the positives, the first by key; all of them where there are few. */
static size_t add_positives(struct ss_describe_llm_shown *shown, struct scratch *scratch)
{
    const struct ss_describe_sets *sets = &scratch->sets;
    const size_t total = sets->positives.n;
    struct ranked *ranked = scratch->ranked;
    size_t n = 0;
    for (size_t i = 0; i < total; i++) {
        ranked[i] =
            (struct ranked){.row = sets->positives.rows[i], .activation = sets->activations[i]};
    }
    if (total == 0) {
        return 0;
    }
    ss__sort(ranked, total, sizeof *ranked, by_activation);
    const float most = ranked[total - 1].activation;
    for (size_t level = 0; level < SS_DESCRIBE_DECILES && total > N_POSITIVES; level++) {
        const size_t end = (level + 1) * total / SS_DESCRIBE_DECILES;
        for (size_t k = 0; k < N_POSITIVES / SS_DESCRIBE_DECILES; k++) {
            const struct ranked *best = NULL;
            for (size_t i = level * total / SS_DESCRIBE_DECILES; i < end; i++) {
                if (!is_shown(shown, n, ranked[i].row) &&
                    (best == NULL || ranked[i].row < best->row)) {
                    best = &ranked[i];
                }
            }
            if (best != NULL) {
                shown[n++] = (struct ss_describe_llm_shown){
                    best->row, strength_of(best->activation, most), 0};
            }
        }
    }
    for (size_t i = 0; i < total && total <= N_POSITIVES; i++) {
        shown[n++] = (struct ss_describe_llm_shown){ranked[i].row,
                                                    strength_of(ranked[i].activation, most), 0};
    }
    return n;
}

static float activation_of(const struct ss_describe_sets *sets, uint32_t row)
{
    for (size_t i = 0; i < sets->positives.n; i++) {
        if (sets->positives.rows[i] == row) {
            return sets->activations[i];
        }
    }
    return 0;
}

/* By a hash of the texts: neither kinds nor strengths can be told from places. */
static void shuffle(const struct planning *planning, struct ss_describe_llm_shown *shown,
                    size_t n)
{
    struct ranked ranked[SS_DESCRIBE_LLM_MAX_SCORED];
    for (size_t i = 0; i < n; i++) {
        const struct ss_text text = planning->view->evidence->texts[shown[i].row];
        ranked[i] = (struct ranked){.row = shown[i].row,
                                    .hash = ss__hash64(text.data, text.n_bytes),
                                    .shown = shown[i]};
    }
    if (n > 0) {
        ss__sort(ranked, n, sizeof *ranked, by_hash);
    }
    for (size_t i = 0; i < n; i++) {
        shown[i] = ranked[i].shown;
    }
}

static void plan_scored(const struct planning *planning, struct scratch *scratch,
                        size_t feature)
{
    const struct ss_describe_set *idle = scratch->sets.negatives[SS_STATS_SCORE];
    const size_t begin = feature * SS_DESCRIBE_LLM_MAX_SCORED;
    struct ss_describe_llm_shown *shown = planning->plan->scored + begin;
    size_t n = add_positives(shown, scratch);
    if (n > 0) {
        n = add_near(shown, n, N_SCORE_NEAR, &idle[SS_DESCRIBE_NEAR]);
        n = add_random(shown, n, N_SCORE_RANDOM, &idle[SS_DESCRIBE_RANDOM], feature);
    }
    shuffle(planning, shown, n);
    for (size_t i = 0; i < n; i++) {
        planning->plan->activations[begin + i] = activation_of(&scratch->sets, shown[i].row);
    }
    planning->plan->n_scored[feature] = (uint8_t)n;
}

static void plan_feature(void *context, size_t feature, size_t worker)
{
    const struct planning *planning = context;
    struct scratch *scratch = &planning->scratch[worker];
    ss_describe_sets_fill(&scratch->sets, planning->view, feature, false);
    plan_shown(planning, scratch, feature);
    plan_scored(planning, scratch, feature);
}

static ss_status init_plan(struct ss_describe_llm_plan *plan, size_t n, ss_err *err)
{
    plan->n_features = n;
    SS_ALLOC_OR_RETURN(plan->shown, n * SS_DESCRIBE_LLM_MAX_SHOWN);
    SS_ALLOC_OR_RETURN(plan->scored, n * SS_DESCRIBE_LLM_MAX_SCORED);
    SS_ALLOC_OR_RETURN(plan->activations, n * SS_DESCRIBE_LLM_MAX_SCORED);
    SS_ALLOC_OR_RETURN(plan->n_shown, n);
    SS_ALLOC_OR_RETURN(plan->n_scored, n);
    return SS_OK;
}

static size_t largest_list(const struct ss_describe_evidence *evidence)
{
    size_t most = 0;
    for (size_t i = 0; i < evidence->n_features * SS_STATS_N_SAMPLES; i++) {
        most =
            ss__max_size(most, evidence->sample_offsets[i + 1] - evidence->sample_offsets[i]);
    }
    return most;
}

ss_status ss_describe_llm_plan_make(const struct ss_describe_view *view,
                                    struct ss_describe_llm_plan *plan, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n_threads = ss__pool_n_threads(view->pool);
    const size_t n_largest = largest_list(view->evidence);
    struct planning planning = {.view = view, .plan = plan};
    *plan = (struct ss_describe_llm_plan){0};
    SS_TRY(init_plan(plan, view->evidence->n_features, err));
    SS_ALLOC(planning.scratch, n_threads);
    for (size_t i = 0; i < n_threads; i++) {
        SS_TRY(ss_describe_sets_init(&planning.scratch[i].sets, view, err));
        SS_ALLOC(planning.scratch[i].ranked, n_largest);
    }
    ss__pool_run(view->pool, plan->n_features, plan_feature, &planning);
    SS_TRY(ss__pool_check(view->pool, err));
out:
    for (size_t i = 0; planning.scratch != NULL && i < n_threads; i++) {
        ss_describe_sets_release(&planning.scratch[i].sets);
        ss__free(planning.scratch[i].ranked);
    }
    ss__free(planning.scratch);
    if (status != SS_OK) {
        ss_describe_llm_plan_release(plan);
    }
    return status;
}

void ss_describe_llm_plan_release(struct ss_describe_llm_plan *plan)
{
    ss__free(plan->shown);
    ss__free(plan->scored);
    ss__free(plan->activations);
    ss__free(plan->n_shown);
    ss__free(plan->n_scored);
    ss__free(plan->marked);
    ss__free(plan->n_marked);
    *plan = (struct ss_describe_llm_plan){0};
}

ss_status ss_describe_llm_plan_texts(const struct ss_describe_llm_plan *plan, size_t n_texts,
                                     bool with_scores, size_t *n, ss_err *err)
{
    bool *is_in = NULL;
    *n = 0;
    SS_ALLOC_OR_RETURN(is_in, n_texts);
    for (size_t f = 0; f < plan->n_features; f++) {
        for (size_t i = 0; i < plan->n_shown[f]; i++) {
            is_in[plan->shown[f * SS_DESCRIBE_LLM_MAX_SHOWN + i].row] = true;
        }
        for (size_t i = 0; with_scores && i < plan->n_scored[f]; i++) {
            is_in[plan->scored[f * SS_DESCRIBE_LLM_MAX_SCORED + i].row] = true;
        }
    }
    for (size_t row = 0; row < n_texts; row++) {
        *n += is_in[row];
    }
    ss__free(is_in);
    return SS_OK;
}
