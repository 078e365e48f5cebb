/* Which features fire in the same rows: for every pair the number of rows of each half of the
 * texts (stats/evidence.h), and the sum of the products of both activations. Exact, within a
 * bound of memory: a triangle with a cell for every pair where it fits, else sorted runs in
 * temporary files. Both give the same answer, and it depends neither on the order of rows nor on
 * how parts were merged: products are cut to whole units of 2^-32, and sums stay at the largest
 * number once they reach it. */
#ifndef SS_STATS_PAIR_COUNTS_H
#define SS_STATS_PAIR_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "stats/evidence.h"

#define SS_STATS_PRODUCT_UNIT 0x1p-32

/* Features that fire together in a row or more. */
struct ss_stats_pair {
    uint32_t a, b;                        /* a < b */
    uint32_t counts[SS_STATS_N_HALVES];   /* rows in which both fire */
    uint64_t products[SS_STATS_N_HALVES]; /* sum of both activations' product, in units */
};

/* What is counted of a feature alone. */
struct ss_stats_pair_feature {
    uint64_t counts[SS_STATS_N_HALVES];  /* rows in which it fires */
    uint64_t partners;                   /* sum over those of the other features that fire */
    uint64_t squares[SS_STATS_N_HALVES]; /* sum of its activation's square, in units */
};

struct ss_stats_pairs;

/* Bytes of the triangle: with as much memory or more, there are no temporary files. */
uint64_t ss_stats_pairs_triangle_bytes(size_t n_features);

/* Errors: SS_E_LIMIT (2^32 features or more), SS_E_IO (a temporary file), SS_E_NOMEM. Gives *out
 * (ss_stats_pairs_free). */
SS_MUST_USE ss_status ss_stats_pairs_new(size_t n_features, uint64_t memory_bytes,
                                         struct ss_stats_pairs **out, ss_err *err);
void ss_stats_pairs_free(struct ss_stats_pairs *pairs);

/* Take rows, the half of each in halves [n]. Features of a row differ. Errors: SS_E_LIMIT (2^32
 * rows of a half), SS_E_IO, SS_E_NOMEM; the pairs are then only valid to be freed. Threads:
 * caller only. */
SS_MUST_USE ss_status ss_stats_pairs_add(struct ss_stats_pairs *pairs,
                                         const struct ss_sparse *rows, const uint8_t *halves,
                                         ss_err *err);
/* Take over what another part counted, which was finished. Errors: SS_E_SHAPE, as above. */
SS_MUST_USE ss_status ss_stats_pairs_merge(struct ss_stats_pairs *pairs,
                                           const struct ss_stats_pairs *other, ss_err *err);
/* Bring what was added into one run; more may be added afterwards, and then it is to be finished
 * again. Errors: SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_pairs_finish(struct ss_stats_pairs *pairs, ss_err *err);

/* ---- after ss_stats_pairs_finish ---- */

size_t ss_stats_pairs_n_features(const struct ss_stats_pairs *pairs);
uint64_t ss_stats_pairs_n_rows(const struct ss_stats_pairs *pairs, int half);
uint64_t ss_stats_pairs_n(const struct ss_stats_pairs *pairs); /* with a count */
const struct ss_stats_pair_feature *ss_stats_pairs_feature(const struct ss_stats_pairs *pairs,
                                                           size_t feature);

/* All pairs with a count, by rising a, then b. A zeroed walk is valid to end. */
struct ss_stats_pair_cursor;
struct ss_stats_pairs_walk {
    const struct ss_stats_pairs *pairs;
    size_t at; /* cell of the triangle, or byte of packed pairs, of the pair: */
    uint32_t a, b;
    uint64_t key;                        /* of packed pairs: that of the pair before, + 1 */
    struct ss_stats_pair_cursor *cursor; /* in a run */
};
SS_MUST_USE ss_status ss_stats_pairs_begin(const struct ss_stats_pairs *pairs,
                                           struct ss_stats_pairs_walk *walk, ss_err *err);
/* The next one; *has false: there are no more. Errors: SS_E_IO. */
SS_MUST_USE ss_status ss_stats_pairs_next(struct ss_stats_pairs_walk *walk,
                                          struct ss_stats_pair *pair, bool *has, ss_err *err);
void ss_stats_pairs_end(struct ss_stats_pairs_walk *walk);

/* Save in the form of docs/formats.md, the same bytes for equal counts; load into pairs that are
 * new, finished. The bytes are not trusted. Errors: those of `write`; SS_E_DATA, SS_E_IO,
 * SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_pairs_save(const struct ss_stats_pairs *pairs,
                                          ss_status (*write)(void *user, const void *data,
                                                             size_t n_bytes, ss_err *err),
                                          void *user, ss_err *err);
SS_MUST_USE ss_status ss_stats_pairs_load(const void *data, size_t n_bytes, const char *name,
                                          uint64_t memory_bytes, struct ss_stats_pairs **out,
                                          ss_err *err);

#endif
