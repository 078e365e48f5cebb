/* Figures of an SAE on rows. */
#ifndef SS_RUN_EVALUATION_H
#define SS_RUN_EVALUATION_H

#include "base/error.h"

struct ss_run_evaluation {
    const char *sae; /* folder or file */
    const struct ss_sae_options *options;
    const float *x; /* [n, width] */
    size_t n, width;
};

/* Open the SAE and measure it. Errors: those of ss_sae_open and ss_sae_encode, SS_E_SHAPE. */
SS_MUST_USE ss_status ss_run_evaluate(ss_work *work, const struct ss_run_evaluation *evaluation,
                                      struct ss_evaluation *out, ss_err *err);
/* As a value of a document. */
struct ss__json_writer;
void ss_run_evaluation_put(struct ss__json_writer *writer, const char *key,
                           const struct ss_evaluation *evaluation);
/* FOLDER/evaluation.json. */
SS_MUST_USE ss_status ss_run_evaluation_write(const struct ss_evaluation *evaluation,
                                              const char *folder, ss_err *err);

#endif
