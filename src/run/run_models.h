/* The encoder and the SAE of a run, opened again from where it had them, to answer about texts
 * that were not in it. */
#ifndef SS_RUN_MODELS_H
#define SS_RUN_MODELS_H

#include "base/json.h"
#include "base/stop.h"

struct ss_run_models {
    ss_work *work;
    ss_encoder *encoder;
    ss_sae *sae;
};

struct ss_run_models_options {
    size_t n_threads; /* as ss_work_new */
    struct ss_progress_callback stop;
    bool no_encoder;                   /* the SAE alone, which runs over embeddings have, too */
    bool no_sae;                       /* the encoder alone */
    bool keeps_weights;                /* of an SAE that has them, for ss_sae_reconstruct */
    const char *model_path, *sae_path; /* where they are now; NULL: as recorded */
};

/* Open what run.json of a folder names, as it was used: prompt, limit of tokens, precision, rule
 * of the SAE. Files that changed since are refused.
 *
 * out      zeroed, or what an earlier call opened, to which it adds what is missing; gives
 *          (ss_run_models_close), on error, too
 * Errors   SS_E_NOINPUT (gone, or the run was made from embeddings), SS_E_DATA (other files),
 *          those of opening */
SS_MUST_USE ss_status ss_run_models_open(const char *folder,
                                         const struct ss_run_models_options *options,
                                         struct ss_run_models *out, ss_err *err);

/* The same of a record: members model, sae, precision and options as in run.json. `file` is for
 * messages. */
SS_MUST_USE ss_status ss_run_models_open_recorded(const char *file, const struct ss__json *root,
                                                  const struct ss_run_models_options *options,
                                                  struct ss_run_models *out, ss_err *err);

/* Open the encoder in the folder `path` as run.json (`root`) says that it was used: prompt, limit
 * of tokens, precision, and the width that embeddings were cut to. Gives *out (ss_encoder_free).
 * Errors: as ss_encoder_open. */
SS_MUST_USE ss_status ss_run_open_recorded_encoder(const char *path,
                                                   const struct ss__json *root, ss_work *work,
                                                   struct ss_progress_callback stop,
                                                   ss_encoder **out, ss_err *err);

void ss_run_models_close(struct ss_run_models *models);

#endif
