/* Candidates for a label: phrases that a feature's texts hold more often than others. */
#ifndef SS_DESCRIBE_CANDIDATES_H
#define SS_DESCRIBE_CANDIDATES_H

#include "describe/corpus.h"
#include "describe/feature_sets.h"

struct ss_describe_candidate {
    uint32_t phrase;
    struct ss_describe_phrase span; /* where it stands, with the words that belong to it */
    uint32_t n_texts;               /* of the describing ones that hold it */
    double z;                       /* log-odds against idle texts, by its standard error */
    uint32_t string;                /* its number when it is embedded */
    double worth;                   /* as a label: contrast_measure.c */
    uint32_t place, row;            /* where its similarities stand: contrast.h */
    float length;
};

enum { SS_DESCRIBE_MAX_CANDIDATES = 60 };

#define SS_DESCRIBE_LEAST_COHERENCE 0.03F

/* A thread's room for counting. */
struct ss_describe_counter {
    uint32_t *in_describe, *in_active; /* [phrases] zero between calls */
    uint32_t *touched;
    size_t touched_room;
    struct ss_describe_candidate *found;
    size_t found_room;
};
SS_MUST_USE ss_status ss_describe_counter_init(struct ss_describe_counter *counter,
                                               size_t n_phrases, ss_err *err);
void ss_describe_counter_release(struct ss_describe_counter *counter);

/* Texts of the pool that hold each phrase: counts [phrases], zeroed before. */
void ss_describe_count_pool(const struct ss_describe_phrases *phrases, size_t n_pool,
                            uint32_t *counts);

/* coherence.c: how much the texts of the pool that hold a phrase are about one thing; out
 * [phrases], 1 where too few hold it. Errors: SS_E_NOMEM, SS_E_STOPPED. */
SS_MUST_USE ss_status ss_describe_find_coherence(const struct ss_describe_view *view,
                                                 const struct ss_describe_phrases *phrases,
                                                 const uint32_t *pool_counts, float *out,
                                                 ss_err *err);

struct ss_describe_candidate_query {
    const struct ss_describe_view *view;
    const struct ss_describe_phrases *phrases;
    const uint32_t *pool_counts;
    const float *coherence;
    const struct ss_describe_sets *sets;
    size_t feature;
};
/* The best candidates, at most SS_DESCRIBE_MAX_CANDIDATES into out, by falling z. */
SS_MUST_USE ss_status ss_describe_find_candidates(
    const struct ss_describe_candidate_query *query, struct ss_describe_counter *counter,
    struct ss_describe_candidate *out, size_t *n, ss_err *err);

#endif
