/* How rows are encoded: a call is cut into parts, blocks of rows with groups of features, and a
 * task finds what one part keeps (sae_find.c). At the end the finds of each row are put
 * together in feature order (sae_encode.c). Which thread took a part does not show.
 *
 * All memory is the work's and stays with it: a list of finds for each part, so that the same
 * call needs the same memory whatever its threads do, and one block with everything else. */
#ifndef SS_SAE_FIND_H
#define SS_SAE_FIND_H

#include "base/mem.h"
#include "sae/sae_priv.h"

/* An activation; `row` counts from the part's first. */
struct ss_sae_find {
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
    const struct ss_sae *sae;
    const float *x; /* [n_rows, D] to multiply */
    size_t first_row, n_rows;
    const struct ss_sae_doubt *doubt; /* of all rows of the call; or NULL */
    size_t from, end;                 /* features */
    struct ss_tensor_list *list; /* of struct ss_sae_find: by rising feature within a row */
    size_t n_found;
    uint32_t *counts;           /* [n_rows] finds of a row; zero at first */
    char *scratch;              /* scratch_bytes, 64-byte aligned */
    struct ss_sae_tally *tally; /* of the thread */
};

/* How a selection finds. */
struct ss_sae_finder_fn {
    /* Rows of a part at most, if it needs all features of its rows; else NULL. */
    size_t (*most_rows)(const struct ss_sae *sae);
    size_t (*scratch_bytes)(const struct ss_sae *sae, size_t n_rows);
    void (*find)(struct ss_sae_part *part);
};
const struct ss_sae_finder_fn *ss_sae_finder(ss_sae_selection selection);

/* A place for n things in a block of memory, 64-byte aligned; *end is its size so far. */
static inline size_t ss_sae_place(size_t *end, size_t n, size_t size)
{
    const size_t place = *end;
    *end += ss__round_up(n * size, 64);
    return place;
}

#endif
