/* What a path is: a table of kinds, each with a look and a description. */
#ifndef SS_RUN_INSPECT_H
#define SS_RUN_INSPECT_H

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/stop.h"
#include "dataset/dataset.h"
#include "saescope_tools.h"

/* What a first look at a path found. */
struct ss_run_probe {
    const char *path;
    ss__path_kind kind;
    const char *weights;             /* format of a weights file by its first bytes, or NULL */
    struct ss_dataset_sniffer sniff; /* of a regular file */
    const char *extension;           /* of its name, ".json", without that of a compression */
    size_t n_extension;
};

struct ss_run_inspection {
    const char *path;
    const struct ss_inspect_options *options;
    struct ss_dataset_options dataset; /* those of the options, or the defaults */
    struct ss_sae_options sae;         /* the same */
    struct ss_report *report;
    struct ss__asking asking;
};

/* Describe one kind: facts, a table, and with options->check a reading of everything. */
ss_status ss_run_inspect_encoder(struct ss_run_inspection *inspection, ss_err *err);
ss_status ss_run_inspect_sae(struct ss_run_inspection *inspection, ss_err *err);
ss_status ss_run_inspect_saes(struct ss_run_inspection *inspection, ss_err *err);
ss_status ss_run_inspect_run(struct ss_run_inspection *inspection, ss_err *err);
ss_status ss_run_inspect_weights(struct ss_run_inspection *inspection, ss_err *err);
ss_status ss_run_inspect_archive(struct ss_run_inspection *inspection, ss_err *err);
ss_status ss_run_inspect_json(struct ss_run_inspection *inspection, ss_err *err);
ss_status ss_run_inspect_dataset(struct ss_run_inspection *inspection, ss_err *err);

/* ---- filling a report; running out of memory shows at the end ---- */

SS_MUST_USE ss_status ss_run_report_init(struct ss_report *report, ss_err *err);
SS_MUST_USE ss_status ss_run_report_finish(struct ss_report *report, ss_err *err);

/* Text is copied, with invalid UTF-8 replaced. `name` is a constant. */
void ss_run_report_text(struct ss_report *report, const char *name, const char *value);
void ss_run_report_count(struct ss_report *report, const char *name, uint64_t value);
void ss_run_report_number(struct ss_report *report, const char *name, double value);
void ss_run_report_bool(struct ss_report *report, const char *name, bool value);

/* Begin a table with n columns, constants; every cell then follows, row by row. */
void ss_run_report_table(struct ss_report *report, size_t n_columns, const char *const *header,
                         const ss_value_kind *kinds);
void ss_run_report_cell(struct ss_report *report, const char *text, size_t n_bytes);

/* Forget facts and table from `n_facts` on. */
void ss_run_report_truncate(struct ss_report *report, size_t n_facts);

#endif
