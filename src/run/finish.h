/* Results and the folder of an analysis whose rows are in its state. */
#ifndef SS_RUN_FINISH_H
#define SS_RUN_FINISH_H

#include "pass/analysis.h"

/* Names of all files that a run's folder may have, the one that makes it complete last. */
const char *const *ss_run_analysis_files(const char *names[SS_PASS_MAX_FILES_WRITTEN]);

/* Whether out_dir holds a finished run already, which is not to be replaced. */
bool ss_run_has_finished(const struct ss_analyze_options *options);
/* Whether it is the run that is asked for (finished.c): then steps that it lacks are made, and it
 * is read, and *out gives it; else *out is NULL, and opening the folder refuses it. The reducers
 * have begun. Errors: SS_E_EXISTS (of another analysis, with what differs), those of the steps. */
SS_MUST_USE ss_status ss_run_finished_find(struct ss_pass_analysis *analysis, ss_run **out,
                                           ss_err *err);

/* The run in memory and, where a folder was opened, its files and steps. The reducers are in
 * order; threads of the pass are given up. Gives *out. Errors: SS_E_DATA (no row was of use),
 * those of writing and of the steps. */
SS_MUST_USE ss_status ss_run_analysis_finish(struct ss_pass_analysis *analysis, ss_run **out,
                                             ss_err *err);
void ss_run_analysis_release(struct ss_pass_analysis *analysis);

#endif
