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

struct ss__fires {
    size_t n_features;
    uint64_t n_rows;
    uint64_t *counts;           /* [F] rows in which the feature is > 0 */
    float *maxima;              /* [F] */
    struct ss__exact_sum *sums; /* [F] of activations, exact */
};

SS_MUST_USE ss_status ss__fires_init(struct ss__fires *fires, size_t n_features, ss_err *err);
void ss__fires_add(struct ss__fires *fires, const struct ss_sparse *rows);
SS_MUST_USE ss_status ss__fires_merge(struct ss__fires *fires, const struct ss__fires *later,
                                      ss_err *err);
/* Percent of rows, rounded once from double to float. */
float ss__fires_rate_pct(const struct ss__fires *fires, size_t feature);
double ss__fires_mean(const struct ss__fires *fires, size_t feature);
void ss__fires_release(struct ss__fires *fires);

/* Wilson score interval of n_fires out of n_rows at 95 %, as fractions. */
void ss__wilson(uint64_t n_fires, uint64_t n_rows, double *low, double *high);

/* ---- top texts ---- */

/* The k strongest texts of every feature: larger activation first, then smaller row id. A text
 * is kept once in memory while some list needs it; an equal text enters a list once (unless
 * keep_duplicates). */
struct ss__top;

SS_MUST_USE ss_status ss__top_new(size_t n_features, size_t k, bool keep_duplicates,
                                  struct ss__top **out, ss_err *err);
/* texts[r] and row_ids[r] belong to row r of `rows`; texts are copied when needed. */
SS_MUST_USE ss_status ss__top_add(struct ss__top *top, const struct ss_sparse *rows,
                                  const struct ss_text *texts, const uint64_t *row_ids,
                                  ss_err *err);
SS_MUST_USE ss_status ss__top_merge(struct ss__top *top, const struct ss__top *later,
                                    ss_err *err);
size_t ss__top_n(const struct ss__top *top, size_t feature);
/* The rank-th text; ranks are in final order after ss__top_finish. */
void ss__top_finish(struct ss__top *top);
struct ss_top_text ss__top_at(const struct ss__top *top, size_t feature, size_t rank);
uint64_t ss__top_text_bytes(const struct ss__top *top); /* held now */
void ss__top_free(struct ss__top *top);

/* ---- histogram ---- */

/* Equal bins over [low, high], as numpy.histogram makes them for f32 data: f32 edges, the last
 * bin closed on the right; range of the data itself unless `fixed_range`; if all are equal, ±
 * 0.5. */
struct ss__histogram {
    size_t n_bins;
    uint64_t *counts; /* [n_bins] */
    float *edges;     /* [n_bins + 1] */
};
SS_MUST_USE ss_status ss__histogram_make(const float *values, size_t n, size_t n_bins,
                                         const float *fixed_range, struct ss__histogram *out,
                                         ss_err *err);
void ss__histogram_release(struct ss__histogram *histogram);

/* log10(rate_pct / 100 + 1e-10) in f32 arithmetic, as torch evaluates it. */
float ss__log_density(float rate_pct);

#endif
