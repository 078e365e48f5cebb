/* Between looking for rows that are near something (sae_margin.c) and looking at their pairs
 * (sae_sift.c). */
#ifndef SS_SAE_MARGIN_H
#define SS_SAE_MARGIN_H

#include "sae/sae_priv.h"

struct ss_sae_margins {
    const ss_sae *sae;
    double error;                  /* of embeddings, relative */
    float *lengths, *size_lengths; /* [L]: a row's margin of f is its reach times lengths[f] */
    double most_length;
    float *floors; /* [L] lowered */
    double *reach; /* [N] |du| */
    float *sorted; /* values of a row, or of a batch */
    size_t n_reach_room, n_sorted_room;
    struct ss_sparse part, merged;
};

/* Rows of the copy with lowered floors, from which what belongs to the result is kept in place.
 */
struct ss_sae_sifting {
    struct ss_sae_margins *margins; /* with the reach of every row */
    struct ss_sparse *rows;
    bool *is_near;                /* [n_rows] */
    struct ss_sae_counts *counts; /* of rows that are not near; nullable */
    size_t from, to;              /* the next entry to look at, and where the next one goes */
};

/* Keep what fires of SS_SAE_SELECT_ABOVE. */
void ss_sae_sift_above(struct ss_sae_sifting *sifting);
/* Keep the k n_each largest of every n_each rows; the copy gave n_most values of a row at most.
 * Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_sae_sift_largest(struct ss_sae_sifting *sifting, size_t n_each,
                                          size_t n_most, ss_err *err);

#endif
