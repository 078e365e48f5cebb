/* An analysis under way: rows are gathered into a state (analyze.c, or states that are there,
 * merge.c), and the folder is written from the state (finish.c). */
#ifndef SS_PASS_ANALYSIS_H
#define SS_PASS_ANALYSIS_H

#include "base/hash.h"
#include "folder/folder.h"
#include "folder/snapshot.h"
#include "pass/append.h"
#include "pass/state.h"

enum { SS_PASS_DEFAULT_TOP_K = 10 };
enum { SS_PASS_MAX_WARNINGS = 100, SS_PASS_MAX_FILES_WRITTEN = 64 };

/* Passes sentences on and keeps them for the manifest. */
struct ss_pass_recorder {
    struct ss_log log; /* the user's */
    struct ss_pass_facts *facts;
};
void ss_pass_recorder_note(void *user, ss_level level, const char *sentence);

/* What the pass counted beside its rows when they were gathered. */
struct ss_pass_reached {
    uint64_t n_reembedded;
    struct ss_sae_counts sae_counts;
    double largest_error;
};

/* Where an analysis keeps how far it is (checkpoint.c). A zeroed struct is valid to release. */
struct ss_pass_checkpoint {
    char *path;
    bool is_on, is_written;
    double seconds, due, started, seconds_before;
    struct ss__json *identity;       /* NULL until it is needed */
    struct ss_pass_reached reached;  /* of this pass */
    uint64_t n_tokens, n_reembedded; /* of all rows that were gathered: */
    struct ss_sae_counts sae_counts;
    double largest_error;
};

/* A zeroed struct is valid to release, but for the kinds of evidence: SS_PASS_ANALYSIS_EMPTY is one. */
#define SS_PASS_ANALYSIS_EMPTY                                                                 \
    .state = {.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}},                           \
    .append = {.before = {.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}}}
struct ss_pass_analysis {
    const ss_encoder *encoder; /* NULL with options->embeddings */
    const ss_sae *sae;
    ss_dataset *dataset; /* NULL with them, and where states are merged */
    const struct ss_analyze_options *options;
    struct ss_pass pass;
    struct ss_pass_state state;
    struct ss_pass_recorder recorder;
    struct ss_folder folder;
    struct ss_folder_snapshots snapshots;
    struct ss_pass_checkpoint checkpoint;
    struct ss_pass_append append;
    size_t top_k;
    unsigned steps; /* bits */
    bool is_written;
    const char *files[SS_PASS_MAX_FILES_WRITTEN]; /* of the folder */
};

/* What the dataset says of itself, into the facts, once rows were read. Errors: those of hashing
 * its files, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_take_facts(struct ss_pass_analysis *analysis, ss_err *err);

/* The SHA-256 of the first and the last bytes of a file; "" where it is no regular one. Errors:
 * SS_E_IO, SS_E_NOINPUT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_hash_edges(const char *path, char hex[SS__HASH_HEX_BYTES],
                                         ss_err *err);
/* What the state is made of and how, as a document that is equal for all parts of one analysis
 * (identity.c); the models' members of run.json go into the facts. `with_times`: a file that was
 * written again counts as another. Gives *out. Errors: those of hashing
 * files, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_identity(struct ss_pass_analysis *analysis, uint64_t n_parts,
                                       bool with_times, struct ss__json **out, ss_err *err);

/* Look for a checkpoint of that name in out_dir, and go on behind its rows; before the pass runs.
 * Errors: SS_E_DATA (damaged, or of another analysis), those of reading. */
SS_MUST_USE ss_status ss_pass_checkpoint_start(struct ss_pass_analysis *analysis,
                                               const char *name, ss_err *err);
/* After the rows of a batch were gathered: write one if it is time. The log says where that
 * fails. */
void ss_pass_checkpoint_take(struct ss_pass_analysis *analysis,
                             const struct ss_pass_rows *rows);
/* When the pass was stopped: write one, if there is something to lose. Whether there is one. */
bool ss_pass_checkpoint_stop(struct ss_pass_analysis *analysis);
/* Remove one of that name that is of the run of `n_files` files in the folder, which is complete: its
 * process died before it could. One of a run that is appended to has more files. */
void ss_pass_checkpoint_clean(const char *folder, const char *name, size_t n_files);
/* When results are there: it is removed. */
void ss_pass_checkpoint_drop(struct ss_pass_analysis *analysis);
void ss_pass_checkpoint_release(struct ss_pass_checkpoint *checkpoint);

/* Refuse a dataset that is not that of a plan (plan.c); *n_parts 0 becomes the plan's. Errors:
 * SS_E_DATA (files that changed, with what differs; a file that is no plan), SS_E_USAGE (no part; another
 * number of parts), those of reading. */
SS_MUST_USE ss_status ss_pass_plan_check(const char *path, const ss_dataset *dataset,
                                         uint64_t part, uint64_t *n_parts, ss_err *err);

/* A part (part.c). Refuse what cannot be done in parts, with the way out: SS_E_USAGE. */
SS_MUST_USE ss_status ss_pass_part_check(const struct ss_pass_analysis *analysis, ss_err *err);
/* Read its rows and write its state, unless it is there. Errors: those of the pass and of files;
 * SS_E_DATA (the file is there, of another analysis). */
SS_MUST_USE ss_status ss_pass_part_make(struct ss_pass_analysis *analysis, ss_err *err);

#endif
