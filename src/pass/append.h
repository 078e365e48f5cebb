/* Rows of further files for a finished run, whose state lies in its folder: what comes of it is the
 * run over all files, those of the run first. */
#ifndef SS_PASS_APPEND_H
#define SS_PASS_APPEND_H

#include "pass/state.h"

#define SS_PASS_FILE_STATE "analysis.state"
#define SS_PASS_FILE_KNOWN UINT32_MAX

/* A zeroed struct is valid to release, but for the kind of evidence. */
struct ss_pass_append {
    bool is_on;
    struct ss_pass_state before; /* of the run as it was */
    uint32_t *file_of; /* [n_files] of the dataset: their numbers in the run to come, or
                                   SS_PASS_FILE_KNOWN of those that are in */
    bool *is_known;    /* [n_archives] */
    size_t n_files, n_new, n_archives;
    struct ss_pass_numbering numbering;
};

struct ss_pass_analysis;

/* Read the state, and find out which files are new; before the folder is opened. n_new 0: nothing
 * is to be done. Errors: SS_E_USAGE (rows that cannot be appended), SS_E_NOINPUT (no such run, or
 * one without a state), SS_E_DATA (another analysis; a file that changed since). */
SS_MUST_USE ss_status ss_pass_append_start(struct ss_pass_analysis *analysis, ss_err *err);
/* Take over what the run has gathered, unless a checkpoint has it already. Errors: those of the
 * reducers. */
SS_MUST_USE ss_status ss_pass_append_merge(struct ss_pass_analysis *analysis, ss_err *err);
/* Make the facts of the new rows those of all. Errors: those of ss_pass_facts_merge. */
SS_MUST_USE ss_status ss_pass_append_facts(struct ss_pass_analysis *analysis, ss_err *err);
void ss_pass_append_release(struct ss_pass_append *append);

/* The identity of the new files in the place of that of all: *identity is replaced. */
SS_MUST_USE ss_status ss_pass_append_join_identity(const struct ss_pass_append *append,
                                                   struct ss__json **identity, ss_err *err);
/* What run.json says of the dataset, in the same way. */
SS_MUST_USE ss_status ss_pass_append_join_dataset(const struct ss_pass_append *append,
                                                  const char *name, struct ss__json **dataset,
                                                  ss_err *err);

/* Put what was written in the place of *document, which is freed; the writer is released, after
 * failure too. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_append_replace(struct ss__json_writer *writer,
                                             struct ss__json **document, ss_err *err);

#endif
