/* What went into a run, as members of run.json and of states. */
#ifndef SS_PASS_INPUTS_JSON_H
#define SS_PASS_INPUTS_JSON_H

#include <time.h>

#include "base/json_write.h"
#include "base/stop.h"
#include "sae/sae.h"

/* How files are hashed. A file that changed since it was opened is not: the log says so. */
struct ss_pass_hashing {
    struct ss__asking *asking;
    struct ss_log log;
    const struct ss__json
        *known; /* with members model and sae whose files were hashed before, and
                                     are not again unless they changed; nullable */
};

/* 2026-11-30T07:10:17.123456789Z, as files have it in run.json. */
enum { SS_PASS_TIME_BYTES = 48 };
void ss_pass_format_time(struct timespec when, char text[SS_PASS_TIME_BYTES]);

/* An SAE and what became of it. */
struct ss_pass_sae_use {
    const ss_sae *sae;
    const char *rule; /* in words, with what was calibrated */
    double threshold; /* as ss_sae_activation_threshold */
    struct ss_sae_counts counts;
};

/* Members "model" and "sae" of an open object. Errors: SS_E_IO, SS_E_NOINPUT, SS_E_STOPPED. */
SS_MUST_USE ss_status ss_pass_put_model(struct ss__json_writer *writer,
                                        const struct ss_pass_hashing *hashing,
                                        const ss_encoder *encoder, ss_err *err);
SS_MUST_USE ss_status ss_pass_put_embeddings(struct ss__json_writer *writer,
                                             const struct ss_pass_hashing *hashing,
                                             const ss_embeddings *embeddings, ss_err *err);
SS_MUST_USE ss_status ss_pass_put_sae(struct ss__json_writer *writer,
                                      const struct ss_pass_hashing *hashing,
                                      const struct ss_pass_sae_use *use, ss_err *err);
/* An object of its own: the dataset (nullable). */
SS_MUST_USE ss_status ss_pass_put_dataset(struct ss__json_writer *writer,
                                          const struct ss_pass_hashing *hashing,
                                          const ss_dataset *dataset, const char *name,
                                          ss_err *err);
/* Member "dataset": what its rows depend on, for whoever compares (identity.c). A file is known by
 * its name, size, first and last bytes, and `with_times` by when it was written. Errors:
 * SS_E_IO, SS_E_NOINPUT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_put_rows_identity(struct ss__json_writer *writer,
                                                const ss_dataset *dataset, bool with_times,
                                                ss_err *err);
/* The options of the command under a key. */
void ss_pass_put_options(struct ss__json_writer *writer, const char *key,
                         const struct ss_analyze_options *options);

#endif
