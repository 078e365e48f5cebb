/* Files of a dataset that are elsewhere: two readers ahead take turns, so that the next file
 * comes while the present one is read. */
#ifndef SS_DATASET_DATASET_REMOTE_H
#define SS_DATASET_DATASET_REMOTE_H

#include "dataset/ahead.h"
#include "dataset/dataset_files.h"

struct ss__hub;

/* A zeroed struct is valid to release. Its address must not change while it is in use. */
struct ss__remotes {
    const struct ss__paths *paths; /* borrowed */
    const char *const *column;     /* the text column, once *column is known; borrowed */
    struct ss__ahead *readers[2];  /* of even and of odd files */
    size_t current;
    bool offline;
    struct ss_stop stop;
    struct ss__halt *halt; /* borrowed, as the log */
    struct ss_log *log;
    struct ss__hub *keeper; /* for files that are kept in the cache */
};

/* Find the files of paths into *use, whose paths are remotes->paths, and be ready for those
 * that are elsewhere. Errors: as ss_dataset_open. */
SS_MUST_USE ss_status ss__remotes_find(struct ss__remotes *remotes, const char *const *paths,
                                       size_t n_paths, const struct ss_dataset_options *options,
                                       struct ss__repo_use *use, ss_err *err);

/* Open file `current`, wherever it is, as a stream of its bytes; or, of a file elsewhere that
 * is read in parts, as a map with the reader that fills it, *ahead, which owns the map. Errors:
 * as ss__stream_open, ss__ahead_read, ss__ahead_head and ss__hub_get. */
SS_MUST_USE ss_status ss__remotes_open(struct ss__remotes *remotes, size_t current,
                                       struct ss__stream *stream, struct ss__map *map,
                                       struct ss__ahead **ahead, ss_err *err);

/* The file is not read any more; its map goes away. */
void ss__remotes_close(struct ss__remotes *remotes, size_t current);
void ss__remotes_release(struct ss__remotes *remotes);

/* The part of an address or path that ends like a file name does: without "?query#part". To be
 * released with ss__free; NULL when memory ran out. */
char *ss__remote_file_name(const char *name);

#endif
