/* Features of a run by what is asked for: a rate, words in their top texts, an order. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "base/sort.h"
#include "folder/results.h"
#include "run/text_words.h"

struct searching {
    const struct ss_run *run;
    const struct ss_feature_query *query;
    struct ss_run_words words;
};

static size_t count_texts(struct searching *searching, size_t feature)
{
    const struct ss_run *run = searching->run;
    size_t n = 0;
    for (size_t i = run->top_offsets[feature]; i < run->top_offsets[feature + 1]; i++) {
        n += ss_run_words_hold(&searching->words, run->tops[i].text);
    }
    return n;
}

static bool is_asked_for(const struct ss_feature_query *query, const struct ss_feature *facts)
{
    const double rate = (double)facts->rate_pct;
    return (!query->is_dead || facts->dead) &&
           (!query->has_rate ||
            (rate >= query->rate_least_pct && rate <= query->rate_most_pct));
}

/* What features are ordered by, the largest first. */
static double key_of(const struct ss_run *run, ss_feature_order order,
                     const struct ss_feature_match *match)
{
    const struct ss_feature *facts = &run->features[match->feature];
    switch (order) {
    case SS_ORDER_RATE:
        return (double)facts->n_fires;
    case SS_ORDER_MAX:
        return (double)facts->max_activation;
    case SS_ORDER_MEAN:
        return facts->mean_activation;
    case SS_ORDER_TEXTS:
        return (double)match->n_texts;
    default:
        return 0;
    }
}

struct keyed {
    double key;
    struct ss_feature_match match;
};

static int compare_keyed(const void *left, const void *right)
{
    const struct keyed *a = left, *b = right;
    if (a->key != b->key) {
        return a->key > b->key ? -1 : 1;
    }
    return (a->match.feature > b->match.feature) - (a->match.feature < b->match.feature);
}

static size_t find_matches(struct searching *searching, struct keyed *found)
{
    const struct ss_run *run = searching->run;
    size_t n = 0;
    for (size_t f = 0; f < run->info.n_features; f++) {
        if (!is_asked_for(searching->query, &run->features[f])) {
            continue;
        }
        struct ss_feature_match match = {.feature = f};
        match.n_texts = searching->words.n_parts > 0 ? count_texts(searching, f) : 0;
        if (searching->words.n_parts == 0 || match.n_texts > 0) {
            found[n++] = (struct keyed){key_of(run, searching->query->order, &match), match};
        }
    }
    ss__sort(found, n, sizeof *found, compare_keyed);
    return n;
}

ss_status ss_run_select(const ss_run *run, const struct ss_feature_query *query,
                        struct ss_feature_match *matches, size_t *n_matches, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_feature_query read = {.struct_size = sizeof read};
    struct searching searching = {.run = run, .query = &read};
    struct keyed *found = NULL;
    *n_matches = 0;
    SS_TRY(SS_READ_OPTIONS(&read, query, ss_feature_query, err));
    SS_ALLOC(found, run->info.n_features);
    if (read.words != NULL) {
        SS_TRY(ss_run_words_split(read.words, &searching.words, err));
    }
    *n_matches = find_matches(&searching, found);
    SS_TRY(ss__buf_check(&searching.words.text, err));
    for (size_t i = 0; i < *n_matches; i++) {
        matches[i] = found[i].match;
    }
out:
    ss_run_words_release(&searching.words);
    ss__free(found);
    return status;
}
