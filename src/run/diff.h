/* What two sets of rows differ in: the parts of ss_diff. */
#ifndef SS_RUN_DIFF_H
#define SS_RUN_DIFF_H

#include "base/arena.h"
#include "base/error.h"
#include "stats/proportions.h"

struct ss_run_difference {
    size_t feature_a, feature_b;
    double similarity; /* cosine of their decoder directions; 1: the same feature */
    const char *group; /* in the arena; "" between runs */
    struct ss_stats_two_counts counts;
    struct ss_stats_two_shares shares;
    double log_q;
};

struct ss_diff {
    struct ss_run_difference *items; /* [n] the surest first */
    size_t n, capacity;
    bool is_same_sae;
    size_t n_unmatched_a, n_unmatched_b;
    struct ss__arena arena;
};

/* Add one, compared. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_diff_add(struct ss_diff *diff,
                                      const struct ss_run_difference *difference, ss_err *err);

/* Order them, the surest first, and set their q-values. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_diff_rank(struct ss_diff *diff, ss_err *err);

/* Groups of one run by a column that was kept (diff_groups.c). Errors: SS_E_NOINPUT (no
 * evidence, no such column), SS_E_DATA, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_diff_groups(const char *run_dir, const char *column,
                                         struct ss_diff *diff, ss_err *err);

/* Which feature of B is which of A, where their SAEs are not the same (diff_match.c): match_a
 * [n_a] is a feature of B, or SS_NO_FEATURE, with its cosine. Pairs are each other's nearest.
 * Errors: those of ss_sae_open; SS_E_SHAPE (embeddings of other widths). */
SS_MUST_USE ss_status ss_run_diff_match(const char *sae_a, const char *sae_b, size_t *match_a,
                                        double *cosines, ss_err *err);

#endif
