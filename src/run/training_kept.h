/* OUT.training/ beside the output folder of a training: what an interruption must not lose. */
#ifndef SS_RUN_TRAINING_KEPT_H
#define SS_RUN_TRAINING_KEPT_H

#include "saescope.h"

struct ss_run_training_kept {
    char *folder, *state; /* the state of the training, every so many steps */
    char *embeddings;     /* those of a dataset */
    char *key;            /* what they were made of */
    char *finished;       /* which SAE was trained: it may be in place */
};

/* Name the files, and make the folder; close after success and failure. Errors: SS_E_IO,
 * SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_training_kept_open(struct ss_run_training_kept *kept,
                                                const char *out, ss_err *err);
/* The folder goes if nothing is in it. */
void ss_run_training_kept_close(struct ss_run_training_kept *kept);
/* Remove all of it. */
void ss_run_training_kept_remove(const struct ss_run_training_kept *kept);

/* Have the embeddings of a dataset in their file: made, unless they are there from an earlier try
 * with the same encoder and the same rows. What can be read only once is embedded every time.
 * Errors: those of ss_embed_file. */
SS_MUST_USE ss_status ss_run_training_kept_embed(const struct ss_run_training_kept *kept,
                                                 const struct ss_train_options *options,
                                                 const ss_encoder *encoder, ss_dataset *dataset,
                                                 ss_err *err);

/* What an SAE is made of: rows and settings, and the type of its numbers. */
struct ss_run_training_mark {
    struct ss_text identity;
    const char *dtype;
};

/* Note that the SAE in `folder`, which is put in place next, is the one of the mark. Errors:
 * SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_training_kept_finish(const struct ss_run_training_kept *kept,
                                                  const struct ss_run_training_mark *mark,
                                                  const char *folder, ss_err *err);
/* Whether the SAE in `out` is that one, by its hash. Errors: the same. */
SS_MUST_USE ss_status ss_run_training_kept_is_finished(const struct ss_run_training_kept *kept,
                                                       const struct ss_run_training_mark *mark,
                                                       const char *out, bool *is_finished,
                                                       ss_err *err);

/* Remove what is kept of a training whose SAE is in `out`: the process was killed between the
 * two. Best effort. */
void ss_run_training_kept_tidy(const char *out);

#endif
