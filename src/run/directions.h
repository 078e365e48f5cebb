/* The decoder's direction of each feature of a run, from the SAE where the run had it. */
#ifndef SS_RUN_DIRECTIONS_H
#define SS_RUN_DIRECTIONS_H

#include "base/error.h"

/* A zeroed struct is valid to release. */
struct ss_run_directions {
    double *x;          /* [n, width] of length 1, */
    uint32_t *features; /* [n] of these features, rising; one of zeros has no direction */
    size_t n, width;
};

/* out gives (ss_run_directions_release), after failure too. Errors: SS_E_NOINPUT (the SAE is
 * gone), SS_E_DATA (it is another one), SS_E_NONFINITE, SS_E_NOMEM, those of reading an SAE. */
SS_MUST_USE ss_status ss_run_directions_read(const char *dir, size_t n_features,
                                             struct ss_run_directions *out, ss_err *err);
void ss_run_directions_release(struct ss_run_directions *directions);

#endif
