/* What encoding with margins (sae_margin.c) and the filter of its result
 * (sae_margin_filter.c) share. */
#ifndef SS_SAE_MARGIN_H
#define SS_SAE_MARGIN_H

#include "sae/sae_priv.h"

/* What an error of embeddings means for an SAE, and scratch of a call. Owns all but the SAE. */
struct ss_sae_margins {
    const ss_sae *sae;
    double error;            /* of embeddings, relative */
    float *h_per_du;         /* [L] a row's margin of f is its |du| times h_per_du[f] */
    float *magnitude_per_du; /* [L] the same of the magnitudes of gated top-k; or NULL */
    double max_h_per_du;
    float *lowered; /* [L] thresholds */
    double *du;     /* [N] |du| of the rows of a call */
    float *sorted;  /* values of a row, or of a batch */
    size_t du_capacity, sorted_capacity;
    struct ss_sparse part, merged;
};

/* Rows encoded with lowered thresholds, from which what belongs to the result is kept in place.
 */
struct ss_sae_margin_filter {
    struct ss_sae_margins *margins; /* with the |du| of every row */
    const struct ss_sae_rule *rule; /* that the result is to have; bound */
    struct ss_sparse *rows;
    bool *is_ambiguous;           /* [n_rows] */
    struct ss_sae_counts *counts; /* of rows that are not ambiguous; nullable */
    size_t from, to;              /* the next entry to read, and where the next one goes */
};

/* Keep what fires of SS_SAE_SELECT_ABOVE. */
void ss_sae_margin_filter_above(struct ss_sae_margin_filter *filter);
/* Keep the k n_each largest of every n_each rows, of which the encoding kept n_most values of a
 * row at most. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_sae_margin_filter_topk(struct ss_sae_margin_filter *filter,
                                                size_t n_each, size_t n_most, ss_err *err);

#endif
