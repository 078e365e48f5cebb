/* Counts are texts: y_a of the n_a that describe the feature, y_b of the n_b of the pool on
 * which it does not fire. Weight: log-odds with an informative Dirichlet prior (Monroe,
 * Colaresi and Quinn 2008),
 *
 *   α = α0 (y_a + y_b) / (n_a + n_b)
 *   δ = ln((y_a + α) / (n_a + α0 - y_a - α)) - ln((y_b + α) / (n_b + α0 - y_b - α))
 *   z = δ / sqrt(1 / (y_a + α) + 1 / (y_b + α))
 *
 * A candidate inside a longer one that most of its texts hold as well is left out. */
#include "describe/candidates.h"

#include <math.h>
#include <stdlib.h>

#include "base/sort.h"

static const double prior = 100;
static const double least_share = 0.05;
static const double tiny = 1e-9; /* where every text holds a phrase */
static const double subsumed_share = 0.8;

ss_status ss_describe_counter_init(struct ss_describe_counter *counter, size_t n_phrases,
                                   ss_err *err)
{
    *counter = (struct ss_describe_counter){0};
    SS_ALLOC_OR_RETURN(counter->in_describe, n_phrases);
    SS_ALLOC_OR_RETURN(counter->in_active, n_phrases);
    return SS_OK;
}

void ss_describe_counter_release(struct ss_describe_counter *counter)
{
    ss__free(counter->in_describe);
    ss__free(counter->in_active);
    ss__free(counter->touched);
    ss__free(counter->found);
    *counter = (struct ss_describe_counter){0};
}

static void count_text(const struct ss_describe_phrases *phrases, size_t text, uint32_t *counts)
{
    for (size_t i = phrases->offsets[text]; i < phrases->offsets[text + 1]; i++) {
        counts[phrases->list[i]]++;
    }
}

static void uncount_text(const struct ss_describe_phrases *phrases, size_t text,
                         uint32_t *counts)
{
    for (size_t i = phrases->offsets[text]; i < phrases->offsets[text + 1]; i++) {
        counts[phrases->list[i]] = 0;
    }
}

void ss_describe_count_pool(const struct ss_describe_phrases *phrases, size_t n_pool,
                            uint32_t *counts)
{
    for (size_t t = 0; t < n_pool; t++) {
        count_text(phrases, t, counts);
    }
}

static double weigh(double y_a, double n_a, double y_b, double n_b)
{
    const double alpha = prior * (y_a + y_b) / (n_a + n_b);
    const double delta = log((y_a + alpha) / fmax(n_a + prior - y_a - alpha, tiny)) -
                         log((y_b + alpha) / fmax(n_b + prior - y_b - alpha, tiny));
    return delta / sqrt(1 / (y_a + alpha) + 1 / (y_b + alpha));
}

static size_t least_texts(size_t n_a)
{
    const size_t share = (size_t)ceil(least_share * (double)n_a);
    return n_a < 4 ? 1 : ss__max_size(2, share);
}

/* Phrases of the describing texts, each once, that `least` of them hold. */
static ss_status collect_from(const struct ss_describe_candidate_query *query,
                              struct ss_describe_counter *counter, size_t least, size_t *n,
                              ss_err *err)
{
    const struct ss_describe_phrases *phrases = query->phrases;
    const struct ss_describe_set *describe = &query->sets->describe;
    *n = 0;
    for (size_t t = 0; t < describe->n; t++) {
        const uint32_t text = describe->rows[t];
        for (size_t i = phrases->offsets[text]; i < phrases->offsets[text + 1]; i++) {
            /* when the count is reached, so that each comes once */
            if (++counter->in_describe[phrases->list[i]] == least) {
                SS_GROW_OR_RETURN(counter->touched, counter->touched_room, *n + 1);
                counter->touched[(*n)++] = phrases->list[i];
            }
        }
    }
    return SS_OK;
}

/* Phrases that enough texts hold; where texts are short there are few of them, and those of
 * fewer texts are taken, too. */
static ss_status collect(const struct ss_describe_candidate_query *query,
                         struct ss_describe_counter *counter, size_t *n, ss_err *err)
{
    const struct ss_describe_set *describe = &query->sets->describe;
    for (size_t least = least_texts(describe->n);; least = least > 2 ? 2 : 1) {
        SS_RETURN_IF_ERROR(collect_from(query, counter, least, n, err));
        if (*n >= SS_DESCRIBE_MAX_CANDIDATES || least == 1) {
            return SS_OK;
        }
        for (size_t t = 0; t < describe->n; t++) {
            uncount_text(query->phrases, describe->rows[t], counter->in_describe);
        }
    }
}

static const uint32_t *active_of(const struct ss_describe_candidate_query *query, size_t *n)
{
    const size_t *offsets = query->view->active_offsets[SS_STATS_DESCRIBE] + query->feature;
    *n = offsets[1] - offsets[0];
    return query->view->active[SS_STATS_DESCRIBE] + offsets[0];
}

static void weigh_all(const struct ss_describe_candidate_query *query,
                      struct ss_describe_counter *counter, size_t n)
{
    size_t n_active = 0;
    (void)active_of(query, &n_active);
    const double n_a = (double)query->sets->describe.n;
    const double n_b = (double)(query->view->n_pool[SS_STATS_DESCRIBE] - n_active);
    for (size_t i = 0; i < n; i++) {
        const uint32_t phrase = counter->touched[i];
        const uint32_t y_a = counter->in_describe[phrase];
        const uint32_t y_b = query->pool_counts[phrase] - counter->in_active[phrase];
        counter->found[i] = (struct ss_describe_candidate){
            .phrase = phrase, .n_texts = y_a, .z = weigh((double)y_a, n_a, (double)y_b, n_b)};
    }
}

/* ---- order ---- */

struct ordering {
    const struct ss_describe_phrases *phrases;
};

static int compare_phrases(const struct ss_describe_phrases *phrases, uint32_t a, uint32_t b)
{
    const struct ss_describe_phrase *x = &phrases->phrases[a];
    const struct ss_describe_phrase *y = &phrases->phrases[b];
    const uint32_t *words_x = ss_describe_phrase_words(phrases, a);
    const uint32_t *words_y = ss_describe_phrase_words(phrases, b);
    if (x->n_words != y->n_words) { /* the longer first */
        return x->n_words > y->n_words ? -1 : 1;
    }
    for (size_t i = 0; i < x->n_words; i++) {
        const int order = ss_describe_compare_texts(phrases->corpus->strings.texts[words_x[i]],
                                                    phrases->corpus->strings.texts[words_y[i]]);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

static int by_z(const void *left, const void *right, void *context)
{
    const struct ss_describe_candidate *a = left;
    const struct ss_describe_candidate *b = right;
    if (a->z != b->z) {
        return a->z > b->z ? -1 : 1;
    }
    return compare_phrases(((const struct ordering *)context)->phrases, a->phrase, b->phrase);
}

/* ---- candidates inside others ---- */

/* in_active is used again: for each phrase the most texts of a longer candidate around it. */
static void note_parts(const struct ss_describe_phrases *phrases,
                       const struct ss_describe_candidate *candidate, uint32_t *most)
{
    const uint32_t *words = ss_describe_phrase_words(phrases, candidate->phrase);
    const size_t n_words = phrases->phrases[candidate->phrase].n_words;
    for (size_t n = 1; n < n_words; n++) {
        for (size_t at = 0; at + n <= n_words; at++) {
            const uint32_t part = ss_describe_phrases_find(phrases, words + at, n);
            if (part != SS_DESCRIBE_NO_STRING && most[part] < candidate->n_texts) {
                most[part] = candidate->n_texts;
            }
        }
    }
}

static void forget_parts(const struct ss_describe_phrases *phrases,
                         const struct ss_describe_candidate *candidate, uint32_t *most)
{
    const uint32_t *words = ss_describe_phrase_words(phrases, candidate->phrase);
    const size_t n_words = phrases->phrases[candidate->phrase].n_words;
    for (size_t n = 1; n < n_words; n++) {
        for (size_t at = 0; at + n <= n_words; at++) {
            const uint32_t part = ss_describe_phrases_find(phrases, words + at, n);
            if (part != SS_DESCRIBE_NO_STRING) {
                most[part] = 0;
            }
        }
    }
}

static size_t choose(const struct ss_describe_phrases *phrases,
                     struct ss_describe_counter *counter, size_t n, const float *coherence,
                     struct ss_describe_candidate *out)
{
    size_t n_chosen = 0;
    for (size_t i = 0; i < n; i++) {
        note_parts(phrases, &counter->found[i], counter->in_active);
    }
    for (size_t i = 0; i < n && n_chosen < SS_DESCRIBE_MAX_CANDIDATES; i++) {
        const struct ss_describe_candidate *candidate = &counter->found[i];
        if ((double)counter->in_active[candidate->phrase] <
                subsumed_share * (double)candidate->n_texts &&
            coherence[candidate->phrase] >= SS_DESCRIBE_LEAST_COHERENCE) {
            out[n_chosen++] = *candidate;
        }
    }
    for (size_t i = 0; i < n; i++) {
        forget_parts(phrases, &counter->found[i], counter->in_active);
    }
    return n_chosen;
}

ss_status ss_describe_find_candidates(const struct ss_describe_candidate_query *query,
                                      struct ss_describe_counter *counter,
                                      struct ss_describe_candidate *out, size_t *n, ss_err *err)
{
    ss_status status = SS_OK;
    struct ordering ordering = {query->phrases};
    const struct ss_describe_set *describe = &query->sets->describe;
    size_t n_active = 0;
    size_t n_found = 0;
    const uint32_t *active = active_of(query, &n_active);
    *n = 0;
    SS_TRY(collect(query, counter, &n_found, err));
    SS_GROW(counter->found, counter->found_room, n_found);
    for (size_t i = 0; i < n_active; i++) {
        count_text(query->phrases, active[i], counter->in_active);
    }
    weigh_all(query, counter, n_found);
    for (size_t i = 0; i < n_active; i++) {
        uncount_text(query->phrases, active[i], counter->in_active);
    }
    if (n_found > 0) {
        ss__sort_with(counter->found, n_found, sizeof *counter->found, by_z, &ordering);
    }
    *n = choose(query->phrases, counter, n_found, query->coherence, out);
    for (size_t i = 0; i < *n; i++) {
        out[i].span = query->phrases->phrases[out[i].phrase];
        ss_describe_extend_phrase(query->phrases->corpus, describe->rows, describe->n,
                                  &out[i].span);
    }
out:
    for (size_t t = 0; t < describe->n; t++) {
        uncount_text(query->phrases, describe->rows[t], counter->in_describe);
    }
    return status;
}
