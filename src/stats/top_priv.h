/* What top.c (the reducer) and top_state.c (saving and loading) share. */
#ifndef SS_STATS_TOP_PRIV_H
#define SS_STATS_TOP_PRIV_H

#include "stats/stats.h"
#include "stats/texts.h"

struct ss_stats_top_entry {
    uint64_t row;
    float activation;
    uint32_t text;
    uint32_t note; /* SS_STATS_TEXT_NONE where rows have none */
};

struct ss_stats_top {
    size_t n_features, k;
    bool keep_duplicates;
    struct ss_stats_top_entry *entries; /* [n_features, k] */
    uint32_t *n_entries;                /* [n_features] */
    float *thresholds;                  /* [n_features] activations below it cannot enter */
    struct ss_stats_texts texts, notes;
};

/* Of equal activations the later row ranks below. */
static inline bool ss_stats_top_ranks_below(const struct ss_stats_top_entry *a,
                                            const struct ss_stats_top_entry *b)
{
    return a->activation < b->activation || (a->activation == b->activation && a->row > b->row);
}

#endif
