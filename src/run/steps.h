/* Finishing steps of an analysis: what is made of a run's folder when it is complete, without
 * its dataset. Each is also a verb of its own, which replaces the step's files. */
#ifndef SS_RUN_STEPS_H
#define SS_RUN_STEPS_H

#include "base/json.h"
#include "folder/results.h"

/* What steps work from. All borrowed. */
struct ss_run_steps {
    const char *folder;
    const struct ss_run *run;
    const ss_encoder *encoder; /* NULL: the run is of embeddings */
    const ss_sae *sae;
    bool has_evidence, has_texts, has_pairs, has_centroids;
    size_t n_threads;
    struct ss_log log;
    struct ss_progress_callback progress;
};

enum { SS_RUN_N_STEPS = 3 };

/* Which steps are meant, a bit for each of the table: by names with commas between, "all", or
 * "none", as which NULL counts. Errors: SS_E_USAGE. */
SS_MUST_USE ss_status ss_run_steps_choose(const char *names, unsigned *chosen, ss_err *err);

/* Leave out those of which run.json (`root`) has a record. */
void ss_run_steps_leave_done(const struct ss__json *root, unsigned *chosen);

/* Leave out those that lack something: the log says why, and a record in the run.json of
 * `folder`, where the run is being written. Errors: SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_steps_skip(const struct ss_run_steps *steps, const char *folder,
                                        unsigned *chosen, ss_err *err);

/* Do the others, in the order of the table, when the run is complete. Errors: those of the
 * steps; the run stays complete. */
SS_MUST_USE ss_status ss_run_steps_do(const struct ss_run_steps *steps, unsigned chosen,
                                      ss_err *err);

/* Files of step i, NULL at the end. */
const char *const *ss_run_step_files(size_t i);

/* ---- records in run.json (steps_record.c) ---- */

/* A file of the pass that a step wrote anew. */
struct ss_run_output {
    const char *name, *sha256;
};

/* Put the members that `record` holds, an object in the style of run.json at depth 2, under
 * "steps" → name, in the place of an older one, and the hash of `changed` (nullable) under
 * "outputs". The rest of the file keeps its bytes. */
SS_MUST_USE ss_status ss_run_steps_record(const char *folder, const char *name,
                                          const char *record,
                                          const struct ss_run_output *changed, ss_err *err);

#endif
