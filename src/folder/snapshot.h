/* What a pass has found so far, for who looks at it while it works.
 *
 * A file of the staging folder, RUN/.unfinished.…/snapshot.json, that is replaced as a whole every
 * few seconds, by names and counts alone: {"schema": 1, "dataset": {"name"}, "model": {"name"},
 * "sae": {"kind", "n_features"}, "rows": {"read", "used", "total"}, "seconds", "features":
 * {"n_fires": […], "max_activation": […], "mean_activation": […]}}. It goes with its folder. */
#ifndef SS_FOLDER_SNAPSHOT_H
#define SS_FOLDER_SNAPSHOT_H

#include "base/json.h"
#include "folder/folder.h"
#include "folder/results.h"

/* ---- writing ---- */

struct ss_folder_snapshot_names {
    const char *dataset, *model, *sae_kind;
};

struct ss_folder_snapshot_counts {
    uint64_t n_read, n_used, n_total; /* total 0: not known */
};

/* When the next one is due; zeroed before the first. */
struct ss_folder_snapshots {
    double started, due; /* monotonic; 0: not begun */
};

/* Whether one is due: the first a second after the first call. */
bool ss_folder_snapshots_due(struct ss_folder_snapshots *snapshots);

/* Write one. The time between two is five seconds, or a hundred times what the last one
 * took if that is more, so that a pass is slowed by a hundredth at most. What cannot be written
 * is left out: nobody's result depends on it. */
void ss_folder_snapshots_take(struct ss_folder_snapshots *snapshots,
                              const struct ss_folder *folder,
                              const struct ss_folder_snapshot_names *names,
                              const struct ss_stats_fires *fires,
                              const struct ss_folder_snapshot_counts *counts);

/* ---- reading ---- */

typedef enum ss_folder_state {
    SS_FOLDER_NONE,       /* nothing of a run is there */
    SS_FOLDER_COMPLETE,   /* run.json is there */
    SS_FOLDER_WRITTEN,    /* a process writes into it */
    SS_FOLDER_INTERRUPTED /* it was written into by a process that is gone */
} ss_folder_state;

/* What a folder is, without touching its lock. *snapshot gives the path of the newest snapshot
 * where a run is under way or was (ss__free); NULL where there is none. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_folder_look(const char *path, ss_folder_state *state, char **snapshot,
                                     ss_err *err);

/* A run of what a snapshot has, without texts: gives *out (ss_run_free), and the document
 * (ss__json_free). Errors: SS_E_DATA, SS_E_NOINPUT, SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_folder_snapshot_read(const char *path, struct ss_run **out,
                                              struct ss__json **document, ss_err *err);

#endif
