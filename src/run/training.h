/* A training under way, as its parts see it (training.c and training_*.c). */
#ifndef SS_RUN_TRAINING_H
#define SS_RUN_TRAINING_H

#include "base/buf.h"
#include "run/training_rows.h"
#include "train/train.h"

enum { SS_RUN_TRAINING_MOST_HELD_OUT = 8192 };

struct ss_run_training {
    const struct ss_train_options *options;
    const char *recipe; /* its name, a constant */
    struct ss_train_config config;
    struct ss_run_training_rows rows;
    const char *model_name, *dataset; /* to be recorded, "" if not known */
    uint64_t log_every;               /* steps between lines of the metrics */
    struct ss__buf identity, metrics;
    uint64_t cursor;  /* in the order of rows */
    double threshold; /* of all features, calibrated; 0: none */
    float *held_out;  /* [n_held_out, width] */
    size_t n_held_out;
};

/* What the options ask for, as a config of these rows (training_settings.c). Errors: SS_E_USAGE,
 * SS_E_DATA with a sentence. */
SS_MUST_USE ss_status ss_run_training_settle(struct ss_run_training *training, ss_err *err);
/* All that decides the result, for the state of an unfinished training: another one's is
 * refused. */
SS_MUST_USE ss_status ss_run_training_identify(struct ss_run_training *training, ss_err *err);

/* ---- files (training_files.c) ---- */

/* A line of metrics.csv, and the line above all. */
void ss_run_training_add_metrics(struct ss_run_training *training,
                                 const struct ss_train_figures *figures);
extern const char ss_run_training_metrics_header[];
/* sae.pt and config.json, metrics.csv and the curves, into an existing folder. */
SS_MUST_USE ss_status ss_run_training_write_sae(const struct ss_run_training *training,
                                                const struct ss_trainer *trainer,
                                                const char *folder, ss_err *err);
SS_MUST_USE ss_status ss_run_training_write_curves(struct ss_run_training *training,
                                                   const char *folder, ss_err *err);

#endif
