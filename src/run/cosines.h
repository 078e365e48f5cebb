/* Which of the texts that a run kept are near an embedding, by cosine. */
#ifndef SS_RUN_COSINES_H
#define SS_RUN_COSINES_H

#include "folder/evidence_read.h"

/* The texts of some evidence with the lengths of their embeddings. A zeroed struct is valid to
 * release. */
struct ss_run_cosines {
    const struct ss_folder_evidence *evidence; /* borrowed */
    double *lengths;                           /* [n_texts] */
};

/* Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_cosines_init(struct ss_run_cosines *cosines,
                                          const struct ss_folder_evidence *evidence,
                                          ss_err *err);
void ss_run_cosines_release(struct ss_run_cosines *cosines);

/* out [n_texts]: the cosine of each text's embedding with x [width], summed in double in the order
 * of dimensions; 0 where either has no length. */
void ss_run_cosines_with(const struct ss_run_cosines *cosines, const float *x, double *out);

/* The n_most texts of the largest scores [n_texts], rows of the evidence, by falling score; equal
 * ones by the row of the dataset. Of texts [n_most]; gives how many there are. */
size_t ss_run_cosines_largest(const struct ss_folder_evidence *evidence, const double *scores,
                              size_t n_most, uint32_t *texts);

/* How many texts come before one in that order. */
size_t ss_run_cosines_rank(const struct ss_folder_evidence *evidence, const double *scores,
                           uint32_t text);

#endif
