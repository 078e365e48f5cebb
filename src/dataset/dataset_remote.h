/* Remote files of a dataset: two prefetchers take turns, so that the next file
 * comes while the present one is read. */
#ifndef SS_DATASET_DATASET_REMOTE_H
#define SS_DATASET_DATASET_REMOTE_H

#include "dataset/dataset_files.h"
#include "source/source.h"

struct ss_net_hub;

/* A zeroed struct is valid to release. Its address must not change while it is in use. */
struct ss_dataset_remotes {
    const struct ss_dataset_file_list *paths; /* borrowed */
    const char *const *column; /* the text column, once *column is known; borrowed */
    struct ss_source_prefetcher *readers[2]; /* of even and of odd files */
    size_t current;
    bool offline;
    struct ss_progress_callback stop;
    struct ss_source_halt *halt; /* borrowed, as the log */
    struct ss_log *log;
    struct ss_net_hub *keeper; /* for files that are kept in the cache */
};

/* Find the files of paths into *use, whose paths are remotes->paths, and be ready for those
 * that are elsewhere. Errors: as ss_dataset_open. */
SS_MUST_USE ss_status ss_dataset_remotes_find(struct ss_dataset_remotes *remotes,
                                              const char *const *paths, size_t n_paths,
                                              const struct ss_dataset_options *options,
                                              struct ss_dataset_found *use, ss_err *err);

/* Open the remote file `current`. Errors: as ss_source_prefetch_open and ss_net_hub_get. */
SS_MUST_USE ss_status ss_dataset_remotes_open(struct ss_dataset_remotes *remotes,
                                              size_t current, struct ss_source_input *out,
                                              ss_err *err);

void ss_dataset_remotes_release(struct ss_dataset_remotes *remotes);

#endif
