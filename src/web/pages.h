/* The data of the pages: an .npz archive made of a run folder, the same for the file that
 * `report` writes and for what `view` serves (docs/pages.md lists its arrays). */
#ifndef SS_WEB_PAGES_H
#define SS_WEB_PAGES_H

#include "base/json.h"
#include "base/stop.h"
#include "folder/evidence_read.h"
#include "folder/results.h"
#include "web/deflated_zip.h"

/* What is known of a run: read once. A zeroed struct is valid to release. */
struct ss_web_source {
    const char *folder; /* borrowed */
    bool is_partial;    /* of a pass that is not done */
    struct ss_run *run;
    struct ss__json *manifest;
    ss_descriptions *descriptions; /* NULL: it has none */
    bool has_evidence;
    struct ss_folder_evidence evidence;
    struct ss__asking *asking; /* nullable */
    /* What it is compared with (pages_compare.c); NULL: nothing. */
    struct ss_run *other;
    ss_diff *diff;
    ss_descriptions *other_descriptions;
};

/* Errors: those of ss_run_open; what is there beside the run and damaged is SS_E_DATA. */
SS_MUST_USE ss_status ss_web_source_open(const char *folder, struct ss__asking *asking,
                                         struct ss_web_source *source, ss_err *err);
/* The numbers of a pass under way, by its snapshot; `folder` has nothing else. Errors: those of
 * ss_folder_snapshot_read. */
SS_MUST_USE ss_status ss_web_source_open_snapshot(const char *path, const char *folder,
                                                  struct ss__asking *asking,
                                                  struct ss_web_source *source, ss_err *err);
/* Compare it with another run; NULL: with none. Errors: those of ss_diff_run. */
SS_MUST_USE ss_status ss_web_source_compare(struct ss_web_source *source, const char *folder,
                                            ss_err *err);
void ss_web_source_release(struct ss_web_source *source);

/* How much of a run goes into the pages. */
struct ss_web_level {
    size_t n_chars; /* code points of a text; 0: all */
    size_t n_tops;  /* texts of each kind for a feature */
    size_t n_samples;
    size_t n_map_texts; /* of the map, beside those of features */
    bool has_histograms;
    bool no_texts; /* no word of the texts, nor of columns that were kept */
};

struct ss_web_counts {
    size_t n_texts; /* distinct ones that are shown */
    uint64_t n_raw; /* bytes of what is shown of them */
    size_t n_cut;   /* of which this many are cut */
};

/* Make the archive.
 *
 * n_most    give up early where the texts alone are so many bytes that the archive cannot stay
 *           below this; 0: never
 * zip       written; its bytes are empty where it was given up
 * Errors    SS_E_NOMEM, SS_E_LIMIT, SS_E_STOPPED */
SS_MUST_USE ss_status ss_web_pages_build(const struct ss_web_source *source,
                                         const struct ss_web_level *level, uint64_t n_most,
                                         struct ss_web_zip *zip, struct ss_web_counts *counts,
                                         ss_err *err);

#endif
