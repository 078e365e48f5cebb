/* The decoder's direction of each feature of a run, from the SAE where the run had it. */
#ifndef SS_RUN_DIRECTIONS_H
#define SS_RUN_DIRECTIONS_H

#include "base/error.h"
#include "folder/families_file.h"

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

/* The cosine that the nearest of n random directions in `width` dimensions exceeds in one case of
 * twenty: a cosine of two random directions is nearly normal, with the variance 1 / width. */
double ss_run_neighbours_chance(size_t n, size_t width);

/* Nearest decoder directions of each feature. Where the run's SAE is gone or another one, the log
 * says so, and there is no file. */
SS_MUST_USE ss_status ss_run_neighbours_write(const struct ss_folder_families *families,
                                              const char *path, ss_err *err);

#endif
