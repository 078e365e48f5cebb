/* A linear probe: what any label could say at most. */
#ifndef SS_DESCRIBE_PROBE_H
#define SS_DESCRIBE_PROBE_H

#include "describe/feature_sets.h"

/* w = (covariance + ridge)^-1 (mean of the describing texts - mean of idle texts), of the
 * embeddings in the describe half's pool; ridge: half the mean variance of a dimension. */
struct ss_describe_probe {
    size_t width;
    double *lower;    /* [width, width] of the Cholesky factorisation */
    double *pool_sum; /* [width] */
};
enum { SS_DESCRIBE_PROBE_MAX_WIDTH = 2048 };

/* Errors: SS_E_NOMEM, SS_E_STOPPED. */
SS_MUST_USE ss_status ss_describe_probe_init(struct ss_describe_probe *probe,
                                             const struct ss_describe_view *view, ss_err *err);
void ss_describe_probe_release(struct ss_describe_probe *probe);
/* w [width] of a feature; room [2, width]. All zeros where there is nothing to tell apart. */
void ss_describe_probe_fit(const struct ss_describe_probe *probe,
                           const struct ss_describe_view *view,
                           const struct ss_describe_sets *sets, double *room, float *w);

#endif
