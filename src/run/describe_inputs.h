/* What the step that describes features works from: a run's folder, its evidence, its encoder.
 */
#ifndef SS_RUN_DESCRIBE_INPUTS_H
#define SS_RUN_DESCRIBE_INPUTS_H

#include "describe/describe.h"
#include "folder/evidence_read.h"
#include "folder/results.h"

struct ss_run_describe_inputs {
    const char *dir;
    struct ss_progress_callback stop;
    struct ss_log log;
    ss_run *run;
    const ss_encoder *encoder;
    ss_encoder *own_encoder; /* opened from where the run had it; else NULL */
    const ss_sae *sae;       /* NULL: no sentence test */
    ss_sae *own_sae;         /* as own_encoder */
    ss_work *work;
    struct ss_folder_evidence evidence;
    double *rates; /* [n_features] */
    struct ss_describe_evidence described;
    struct ss_describe_view *view;
};

/* Open all of it. encoder NULL: the run's, from where it was. Errors: as ss_describe_run. */
SS_MUST_USE ss_status ss_run_describe_open(struct ss_run_describe_inputs *inputs,
                                           const char *dir, const ss_encoder *encoder,
                                           const struct ss_describe_options *options,
                                           ss_err *err);
void ss_run_describe_close(struct ss_run_describe_inputs *inputs);

/* Set the encoder, and the SAE unless there is to be no sentence test or it is gone
 * (describe_models.c). The run and the work are set before. */
SS_MUST_USE ss_status ss_run_describe_find_models(struct ss_run_describe_inputs *inputs,
                                                  const ss_encoder *encoder,
                                                  const struct ss_describe_options *options,
                                                  ss_err *err);

/* The encoder of a run alone, for whoever embeds with it. */
struct ss_run_own_encoder {
    const char *dir;
    ss_run *run;
    ss_work *work;
    size_t width; /* of the run's embeddings */
    struct ss_progress_callback stop;
    struct ss_log log;
    const ss_encoder *encoder; /* found: `given`, or own */
    ss_encoder *own; /* opened from where the run had it (ss_encoder_free); else NULL */
};
/* given NULL: the run's. own is to be freed after failure too. Errors: those of
 * ss_describe_run; SS_E_NOINPUT where it is gone. */
SS_MUST_USE ss_status ss_run_own_encoder_find(struct ss_run_own_encoder *self,
                                              const ss_encoder *given, ss_err *err);

/* Embeds with an encoder and the inputs' threads. */
struct ss_run_describe_model {
    const struct ss_run_describe_inputs *inputs;
    const ss_encoder *encoder;
};
struct ss_describe_embedder ss_run_describe_embedder(struct ss_run_describe_model *model);
/* What the SAE says, which is there. */
struct ss_describe_answers ss_run_describe_answers(struct ss_run_describe_inputs *inputs);

/* "contrast", "seed", "none". */
const char *ss_run_method_name(ss_label_method method);

/* Write the files of descriptions into the run's folder, those of the pass that speak of labels
 * anew, and the records of it (describe_write.c). */
SS_MUST_USE ss_status ss_run_describe_write(const struct ss_run_describe_inputs *inputs,
                                            const struct ss_describe_options *options,
                                            const ss_descriptions *descriptions, ss_err *err);

#endif
