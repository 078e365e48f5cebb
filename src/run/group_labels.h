/* Names of groups of texts: of clusters, of families. Groups are to their texts what features
 * are to those on which they fire, so that labels by contrast and their scores are made by the
 * same code, from texts of the one half and on those of the other. */
#ifndef SS_RUN_GROUP_LABELS_H
#define SS_RUN_GROUP_LABELS_H

#include "describe/describe.h"
#include "folder/evidence_read.h"

/* A text of the pools that belongs to a group, or nearly does. */
struct ss_run_group_text {
    uint32_t row; /* of the evidence */
    uint32_t group;
    float strength; /* above 0 */
    bool is_miss;
};

struct ss_run_groups {
    const struct ss_folder_evidence *evidence;
    const ss_encoder *encoder;
    ss_work *work;
    struct ss_progress_callback stop;
    struct ss__arena *arena; /* of the labels */
    size_t n;
    const char *unit;                /* what progress calls a group */
    struct ss_run_group_text *texts; /* [n_texts] in any order; they are sorted */
    size_t n_texts;
};

/* labels, scores [groups->n] are written. Errors: SS_E_NOMEM, SS_E_STOPPED, those of the
 * encoder. */
SS_MUST_USE ss_status ss_run_groups_label(struct ss_run_groups *groups, struct ss_text *labels,
                                          struct ss_describe_score *scores, ss_err *err);

#endif
