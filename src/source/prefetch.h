/* Remote files, read ahead by a thread with a client of its own.
 *
 * A prefetcher works on one file at a time, either from its start to its end, or by ranges:
 * memory as large as the file, of which only those parts are filled that are read. The thread
 * runs ahead by at most SS_SOURCE_PREFETCH_BYTES; nothing is kept on disk. Which ranges will be
 * read in which order is said by the format: by a planner before the file is opened, by
 * `will_need` of the input later. What was not planned is fetched when it is needed.
 *
 * Files are named as datasets name them: "hf://datasets/ORG/NAME@COMMIT/PATH" or a URL.
 * Everything a server says is checked; errors name the file. */
#ifndef SS_SOURCE_PREFETCH_H
#define SS_SOURCE_PREFETCH_H

#include <stdatomic.h>

#include "base/error.h"
#include "base/file.h"
#include "source/input.h"

/* Belongs to the one thread that reads: all functions below are called there, but for the
 * callbacks that say otherwise. */
struct ss_source_prefetcher;

enum { SS_SOURCE_PREFETCH_BYTES = 8 << 20 };

/* A file of which only some parts are there: memory of its size. */
struct ss_source_partial {
    const char *name;
    struct ss__map map;
    /* Have bytes [begin, end) read into the map. Errors: as ss_net_remote_read. */
    ss_status (*fill)(struct ss_source_partial *file, size_t begin, size_t end, ss_err *err);
    void *user; /* of `fill` */
};

/* What a format knows about where its data is: reads what it needs for that, and, if the hint
 * is enough to tell, gives the ranges that will be read, ascending and apart, and sets
 * *is_planned. Called in the thread of the prefetcher, once a file. */
typedef ss_status ss_source_planner(struct ss_source_partial *file, const char *hint,
                                    struct ss_source_ranges *ranges, bool *is_planned,
                                    ss_err *err);

struct ss_source_prefetch_options {
    bool offline;
    const atomic_bool *is_interrupted; /* ends waiting with SS_E_STOPPED */
    const struct ss_log *log;          /* called by the thread that reads */
    struct ss_progress_callback stop;  /* asked by the thread that reads, while it waits */
    void (*when_idle)(void *user);     /* by that thread, once a file has wholly come */
    void *user;
};

/* Make a prefetcher, whose options live longer. No thread is started yet. Gives *out. */
SS_MUST_USE ss_status ss_source_prefetch_new(const struct ss_source_prefetch_options *options,
                                             struct ss_source_prefetcher **out, ss_err *err);
void ss_source_prefetch_free(struct ss_source_prefetcher *prefetcher);

/* Begin on a file; what was begun before ends. Without a planner it comes from its start to its
 * end, with one in ranges: the planner is called once the size is known, with `hint`
 * (nullable). Name and hint are copied. */
SS_MUST_USE ss_status ss_source_prefetch_begin(struct ss_source_prefetcher *prefetcher,
                                               const char *name, ss_source_planner *planner,
                                               const char *hint, ss_err *err);

/* The file as an input, begun now if it was not. Closing it ends what was begun. Errors of its
 * functions: those of ss_net_remote_read; of `map`, which waits for the size and what the
 * planner reads, also SS_E_UNSUPPORTED where the server does not send ranges. */
SS_MUST_USE ss_status ss_source_prefetch_open(struct ss_source_prefetcher *prefetcher,
                                              const char *name, ss_source_planner *planner,
                                              struct ss_source_input *out, ss_err *err);

/* End what was begun; a map goes away. */
void ss_source_prefetch_stop(struct ss_source_prefetcher *prefetcher);

/* The file that was begun last, NULL if none is under way. */
const char *ss_source_prefetch_name(const struct ss_source_prefetcher *prefetcher);

#endif
