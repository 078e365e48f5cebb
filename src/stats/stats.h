/* Streaming reducers over sparse activations. Each sees every row once, in row order, and has
 * the verbs init, add, merge, finish (its getters) and release. merge(a, b) of two consecutive
 * parts equals the single run over both: counts are integers, and floating sums are exact, so
 * that the order of additions does not show. */
#ifndef SS_STATS_H
#define SS_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* ---- fires: counts, maxima, means ---- */

/* An exact sum of positive floats, 2^-149 the unit, of which every float is a whole number: so
 * the sum does not depend on the order. The least significant word is the first. 2^64 terms of
 * the largest float, below 2^128, do not fill it. */
enum { SS_STATS_EXACT_SUM_WORDS = 6 };
struct ss_stats_exact_sum {
    uint64_t words[SS_STATS_EXACT_SUM_WORDS];
};

struct ss_stats_fires {
    size_t n_features;
    uint64_t n_rows;
    uint64_t *counts;                /* [F] rows in which the feature is > 0 */
    float *maxima;                   /* [F] */
    struct ss_stats_exact_sum *sums; /* [F] of activations, exact */
};

/* Zeros. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_fires_init(struct ss_stats_fires *fires, size_t n_features,
                                          ss_err *err);
/* Features of `rows` lie below n_features, values are finite and > 0. Threads: caller only. */
void ss_stats_fires_add(struct ss_stats_fires *fires, const struct ss_sparse *rows);
/* Add what another part counted, of any rows. Errors: SS_E_SHAPE. */
SS_MUST_USE ss_status ss_stats_fires_merge(struct ss_stats_fires *fires,
                                           const struct ss_stats_fires *later, ss_err *err);
/* Percent of rows, rounded once from double to float; 0 where there are no rows. */
float ss_stats_fires_rate_pct(const struct ss_stats_fires *fires, size_t feature);
/* Mean activation over the rows where the feature fires; 0 if none. */
double ss_stats_fires_mean(const struct ss_stats_fires *fires, size_t feature);
void ss_stats_fires_release(struct ss_stats_fires *fires);
/* Save in the form of docs/formats.md, the same bytes for equal counts; load into fires that were
 * not set before. The bytes are not trusted. Errors: those of `write`; SS_E_DATA, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_fires_save(const struct ss_stats_fires *fires,
                                          ss_status (*write)(void *user, const void *data,
                                                             size_t n_bytes, ss_err *err),
                                          void *user, ss_err *err);
SS_MUST_USE ss_status ss_stats_fires_load(struct ss_stats_fires *fires, const void *data,
                                          size_t n_bytes, const char *name, ss_err *err);

/* Wilson score interval of n_fires out of n_rows at 95 %, as fractions; [0, 1] of no rows. */
void ss_stats_wilson(uint64_t n_fires, uint64_t n_rows, double *low, double *high);

/* ---- top texts ---- */

/* The texts with the k largest activations of every feature, smaller row ids first where they
 * are equal. A text is kept once in memory while some list needs it; an equal text enters a
 * list once, by its best row (unless keep_duplicates). Rows may come in any order: the lists do
 * not depend on it. */
struct ss_stats_top;

/* k 0 keeps none. Errors: SS_E_USAGE (about `top_k`: n_features k of 2^32 or more), SS_E_NOMEM.
 * Gives *out (ss_stats_top_free). */
SS_MUST_USE ss_status ss_stats_top_new(size_t n_features, size_t k, bool keep_duplicates,
                                       struct ss_stats_top **out, ss_err *err);
/* What belongs to the rows of a batch. */
struct ss_stats_row_texts {
    const struct ss_text *texts; /* [n] */
    const struct ss_text *notes; /* [n] carried along with the rows in a list; nullable */
    const uint64_t *row_ids;     /* [n] each comes once */
};
/* Texts and notes are copied when needed; a run has notes always or never. Errors: SS_E_NOMEM;
 * the lists are then valid but lack rows. Threads: caller only.
 */
SS_MUST_USE ss_status ss_stats_top_add(struct ss_stats_top *top, const struct ss_sparse *rows,
                                       const struct ss_stats_row_texts *texts, ss_err *err);
/* Errors: SS_E_SHAPE (other sizes), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_top_merge(struct ss_stats_top *top,
                                         const struct ss_stats_top *later, ss_err *err);
size_t ss_stats_top_n_features(const struct ss_stats_top *top);
size_t ss_stats_top_k(const struct ss_stats_top *top);
bool ss_stats_top_keeps_duplicates(const struct ss_stats_top *top);
size_t ss_stats_top_n(const struct ss_stats_top *top, size_t feature);
/* Bring the lists into final order; more rows may be added afterwards. */
void ss_stats_top_finish(struct ss_stats_top *top);
/* The text of that rank, 0 the largest activation, after ss_stats_top_finish; borrowed until
 * the next change. */
struct ss_top_text ss_stats_top_at(const struct ss_stats_top *top, size_t feature, size_t rank);
/* Save lists that are finished in the form of docs/formats.md, the same bytes for equal lists;
 * load them back, finished. The bytes are not trusted. Errors: those of `write`; SS_E_DATA,
 * SS_E_USAGE, SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_top_save(const struct ss_stats_top *top,
                                        ss_status (*write)(void *user, const void *data,
                                                           size_t n_bytes, ss_err *err),
                                        void *user, ss_err *err);
SS_MUST_USE ss_status ss_stats_top_load(const void *data, size_t n_bytes, const char *name,
                                        struct ss_stats_top **out, ss_err *err);
uint64_t ss_stats_top_text_bytes(const struct ss_stats_top *top); /* kept now */
void ss_stats_top_free(struct ss_stats_top *top);

/* ---- histogram ---- */

/* Equal bins as numpy.histogram makes them for f32 data: f32 edges, every bin open on the right
 * but the last. The range is that of the data itself, whose edges are computed in f32, or
 * `fixed_range` [2], whose edges are computed in double and rounded; values outside are left
 * out. If all values are equal, or too close for distinct f32 edges (numpy refuses those), the
 * range is ± 0.5 around them; without values it is [0, 1] as if fixed. */
struct ss_stats_histogram {
    size_t n_bins;
    uint64_t *counts; /* [n_bins] */
    float *edges;     /* [n_bins + 1] */
};
/* Errors: SS_E_NONFINITE (err->row is the index), SS_E_USAGE (no bins, or so many that no f32
 * edges are distinct; an empty or infinite range), SS_E_NOMEM. Gives out->counts, out->edges.
 */
SS_MUST_USE ss_status ss_stats_histogram_make(const float *values, size_t n, size_t n_bins,
                                              const float *fixed_range,
                                              struct ss_stats_histogram *out, ss_err *err);
void ss_stats_histogram_release(struct ss_stats_histogram *histogram);

/* log10(rate_pct / 100 + 1e-10) in f32 arithmetic, as torch evaluates it: equal sums, and the
 * logarithm correctly rounded, within 1 ulp of torch's. A dead feature gives exactly -10. */
float ss_stats_log_density(float rate_pct);

#endif
