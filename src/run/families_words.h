/* What the texts of families say: the meaning that a parent shares with its child where it was
 * not found, and phrases by contrast. */
#ifndef SS_RUN_FAMILIES_WORDS_H
#define SS_RUN_FAMILIES_WORDS_H

#include "folder/evidence_read.h"
#include "folder/families_file.h"

/* Counts of words of every feature's ten strongest texts of the score half; *out is NULL where
 * the run keeps no texts. Gives *out (ss_describe_meaning_free). */
struct ss_describe_meaning;
SS_MUST_USE ss_status ss_run_families_meaning(const struct ss_folder_evidence *evidence,
                                              struct ss_describe_meaning **out, ss_err *err);

/* Phrases of the largest families of four features or more: names [found.n] are written, labels
 * into the arena. A text is a family's where two of its features or more fire; at most the
 * tenth of the texts where it fires strongest. */
struct ss_run_families_naming {
    const struct ss_folder_evidence *evidence;
    const struct ss_run *run;
    const struct ss_graph_families *found;
    const ss_encoder *encoder;
    ss_work *work;
    struct ss_progress_callback stop;
    struct ss__arena *arena;
};
SS_MUST_USE ss_status ss_run_families_name(const struct ss_run_families_naming *naming,
                                           struct ss_folder_family_name *names, ss_err *err);

#endif
