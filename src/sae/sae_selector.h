/* How rows are encoded: a call is cut into parts, blocks of rows with groups of features, and a
 * task selects the activations of one part (sae_selector.c). At the end those of each row are
 * put together in feature order (sae_encode.c). Which thread took a part does not show.
 *
 * All memory is the work's and stays with it: a list of activations for each part, so that the
 * same call needs the same memory whatever its threads do, and one block with everything else.
 */
#ifndef SS_SAE_SELECTOR_H
#define SS_SAE_SELECTOR_H

#include "base/mem.h"
#include "sae/sae_priv.h"

/* An activation; `row` counts from the part's first. */
struct ss_sae_entry {
    uint32_t row, feature;
    float value;
};

/* What a thread notes. */
struct ss_sae_tally {
    uint64_t bad_input, bad_activation; /* first row with a number that is not finite */
    uint64_t n_tied_rows, n_borderline;
    bool no_memory;
};

/* A part at work. */
struct ss_sae_part {
    const struct ss_sae_parameters *parameters;
    const struct ss_sae_rule *rule; /* bound */
    const float *x;                 /* [n_rows, D] to multiply */
    size_t first_row, n_rows;
    const struct ss_sae_error_bounds *bounds; /* of all rows of the call; or NULL */
    size_t from, end;                         /* features */
    struct ss_tensor_list *list; /* of struct ss_sae_entry: by rising feature within a row */
    size_t n_entries;
    uint32_t *counts;           /* [n_rows] entries of a row; zero at first */
    char *scratch;              /* scratch_bytes, 64-byte aligned */
    struct ss_sae_tally *tally; /* of the thread */
};

/* How the activations of a selection are found. */
struct ss_sae_selector {
    /* Rows of a part at most, if it needs all features of its rows; else NULL. */
    size_t (*max_rows)(const struct ss_sae_parameters *parameters,
                       const struct ss_sae_rule *rule);
    size_t (*scratch_bytes)(const struct ss_sae_parameters *parameters,
                            const struct ss_sae_rule *rule, size_t n_rows);
    void (*select)(struct ss_sae_part *part);
};
const struct ss_sae_selector *ss_sae_selector_of(ss_sae_selection selection);

/* Have capacity for n more entries; NULL, and noted in the tally, where there is no memory: a
 * task has no way to fail, so the call is told at its end. */
struct ss_sae_entry *ss_sae_reserve_entries(struct ss_sae_part *part, size_t n);
/* Append a candidate of `row`, at least candidate_min, if it is kept; there is capacity. */
void ss_sae_append_if_above(struct ss_sae_part *part, size_t row, size_t feature, float value);

/* By way of the filter (sae_filter.c): whether this way is taken for the part's rule at all;
 * what it needs of scratch; and the selection itself. False: not for these rows, and nothing
 * was appended. */
bool ss_sae_filter_serves(const struct ss_sae_parameters *parameters,
                          const struct ss_sae_rule *rule);
/* Of rows and of weights: sums of longer ones might leave the range of floats in one product and
 * not in the other. */
#define SS_SAE_FILTER_MOST_NORM 1e15
size_t ss_sae_filter_bytes(const struct ss_sae_parameters *parameters, size_t n_rows);
bool ss_sae_filter_select(struct ss_sae_part *part);
/* The largest norm of the part's rows, and of what rounding takes from them; how far a rough sum
 * of a feature may be off then, with all roundings; h of n features of row r, as floats give it.
 */
struct ss_tensor_rounding ss_sae_filter_round_rows(const struct ss_sae_part *part);
float ss_sae_filter_margin(const struct ss_sae_part *part,
                           const struct ss_tensor_rounding *rows, size_t f);
void ss_sae_filter_multiply(const struct ss_sae_part *part, size_t r, const uint32_t *features,
                            size_t n, float *h);
/* The same for the k largest of a row (sae_filter_topk.c). Rows that it cannot decide are given
 * to `exact` as a part of their own, whose scratch begins where this one's ends. */
size_t ss_sae_filter_topk_k(const struct ss_sae_parameters *parameters,
                            const struct ss_sae_rule *rule);
size_t ss_sae_filter_topk_bytes(const struct ss_sae_parameters *parameters,
                                const struct ss_sae_rule *rule, size_t n_rows);
bool ss_sae_filter_topk(struct ss_sae_part *part, void (*exact)(struct ss_sae_part *part));

/* The offset of an array of n things in a block of memory, 64-byte aligned; *end is the block's
 * size so far. */
static inline size_t ss_sae_add_array(size_t *end, size_t n, size_t size)
{
    const size_t offset = *end;
    *end += ss__round_up(n * size, 64);
    return offset;
}

#endif
