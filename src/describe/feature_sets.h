/* The evidence made ready: centred vectors, lists of texts by feature, and the sets of a
 * feature. */
#ifndef SS_DESCRIBE_FEATURE_SETS_H
#define SS_DESCRIBE_FEATURE_SETS_H

#include "base/pool.h"
#include "describe/describe_priv.h"

struct ss_describe_view {
    const struct ss_describe_evidence *evidence;
    ss_work *work;
    struct ss__pool *pool;            /* of the work */
    size_t n_pool[SS_STATS_N_HALVES]; /* at most SS_DESCRIBE_POOL */
    float *mean;                      /* [width] of the describe pool */
    float *centred;                   /* [n_texts, width] of length 1 */
    float *lengths;                   /* [n_texts] of the embeddings, 1 for zeros */
    /* Texts of a half's pool on which a feature fires, rising. */
    size_t *active_offsets[SS_STATS_N_HALVES]; /* [n_features + 1] */
    uint32_t *active[SS_STATS_N_HALVES];
};

/* A label's vector, or a text's: what is left of x behind the mean, of length 1. */
void ss_describe_centre(const struct ss_describe_view *view, const float *x, float *out);

enum {
    SS_DESCRIBE_MIN_POSITIVES = 10,
    SS_DESCRIBE_MIN_NEGATIVES = 20,
    SS_DESCRIBE_MAX_RANDOM = 500, /* of the score half; of the describe half all */
    SS_DESCRIBE_MAX_NEAR = 100    /* the same; half as many of the describe half */
};

/* Texts of one feature, as rows of the evidence. */
struct ss_describe_set {
    size_t n;
    uint32_t *rows;
};
struct ss_describe_sets {
    struct ss_describe_set describe;  /* firing and strongest, rising */
    struct ss_describe_set positives; /* of the score half */
    float *activations;               /* [positives] */
    struct ss_describe_set negatives[SS_STATS_N_HALVES][SS_DESCRIBE_N_NEGATIVES];
    float *centroid; /* [width] mean embedding of the describing texts */
    struct ss_describe_nearest *nearest;
    uint32_t *rows; /* [n_rows] behind all sets */
    size_t n_rows;
};

/* Room for the sets of any feature. */
SS_MUST_USE ss_status ss_describe_sets_init(struct ss_describe_sets *sets,
                                            const struct ss_describe_view *view, ss_err *err);
void ss_describe_sets_release(struct ss_describe_sets *sets);
void ss_describe_sets_fill(struct ss_describe_sets *sets, const struct ss_describe_view *view,
                           size_t feature, bool without_tops);

/* The rows of a list of a feature, and their activations. */
struct ss_describe_list {
    size_t n;
    const uint32_t *rows;
    const float *activations;
};
struct ss_describe_list ss_describe_samples(const struct ss_describe_evidence *evidence,
                                            size_t feature, ss_stats_sample_kind kind);

#endif
