/* A training under way, as its parts see it (training.c and training_*.c). */
#ifndef SS_RUN_TRAINING_H
#define SS_RUN_TRAINING_H

#include "base/buf.h"
#include "pass/encoder_fingerprint.h"
#include "run/training_rows.h"
#include "saescope_tools.h"
#include "train/train.h"
#include "weights/weights.h"

enum { SS_RUN_TRAINING_MOST_HELD_OUT = 8192, SS_RUN_TRAINING_MOST_TENSORS = 5 };

struct ss_run_training {
    const struct ss_train_options *options;
    const struct ss_train_extras *extras;
    const char *recipe; /* its name, a constant */
    struct ss_train_config config;
    struct ss_run_training_rows rows;
    const char *dataset;            /* to be recorded, "" if not known */
    struct ss_encoder_info encoder; /* the same; its width is 0 */
    char fingerprint[SS_PASS_FINGERPRINT_BYTES];
    bool is_half;       /* weights are saved as float16 */
    uint64_t log_every; /* steps between lines of the metrics */
    struct ss__buf identity, metrics;
    uint64_t cursor;                 /* in the order of rows */
    double threshold;                /* of all features, calibrated; 0: none */
    struct ss_train_weights weights; /* once it is done */
    struct ss_weights_tensor_out tensors[SS_RUN_TRAINING_MOST_TENSORS];
    size_t n_tensors;
    float *held_out; /* [n_held_out, width] */
    size_t n_held_out;
};

/* A training that is asked for. */
struct ss_run_training_call {
    const ss_encoder *encoder; /* nullable with embeddings or rows */
    ss_dataset *dataset;
    const struct ss_train_options *options;  /* that were read (SS_READ_OPTIONS) */
    const struct ss_train_extras *extras;    /* the same */
    const struct ss_run_training_rows *rows; /* borrowed; NULL: to be read */
};

/* As ss_train. */
SS_MUST_USE ss_status ss_run_training_do(const struct ss_run_training_call *call,
                                         const char *out, struct ss_train_result *done,
                                         ss_err *err);
/* The rows of a call; embeddings of a dataset are kept in OUT.training until they are forgotten.
 * Errors: those of ss_train. */
SS_MUST_USE ss_status ss_run_training_read_rows(const struct ss_run_training_call *call,
                                                const char *out,
                                                struct ss_run_training_rows *rows, ss_err *err);
void ss_run_training_forget(const char *out);

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
/* Take weights and tensors from the trainer, which is of no more use. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_training_take_weights(struct ss_run_training *training,
                                                   const struct ss_trainer *trainer,
                                                   ss_err *err);
/* sae.pt and sae.safetensors with config.json, metrics.csv and the curves, into an existing
 * folder. The first of these two functions is called again when the figures are known, which then
 * stand in config.json and in the second file. */
SS_MUST_USE ss_status ss_run_training_write_sae(const struct ss_run_training *training,
                                                const struct ss_evaluation *figures,
                                                const char *folder, ss_err *err);
SS_MUST_USE ss_status ss_run_training_write_curves(struct ss_run_training *training,
                                                   const char *folder, ss_err *err);

#endif
