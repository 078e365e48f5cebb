/* Bytes of files that are not here, read ahead by a thread with a client of its own.
 *
 * A reader ahead works on one file at a time, either from its start to its end (a stream), or
 * in parts (a map): memory as large as the file of which only those parts are filled that are
 * read. The thread runs ahead by at most SS_SOURCE_PREFETCH_BYTES; nothing is kept on disk.
 *
 *   stream   ss_source_prefetch_stream, then ss_source_prefetch_read until it gives 0 bytes
 *   map      ss_source_prefetch_map, then ss_source_prefetch_head waits for the file's tail to
 * be there; ss_source_prefetch_plan says which parts will be wanted in which order, and
 *            ss_source_prefetch_need waits for bytes. What was not planned is fetched when it
 * is needed.
 *
 * Files are named as datasets name them: "hf://datasets/ORG/NAME@COMMIT/PATH" or an address.
 * Everything a server says is checked; errors name the file. */
#ifndef SS_SOURCE_PREFETCH_H
#define SS_SOURCE_PREFETCH_H

#include <stdatomic.h>

#include "base/error.h"
#include "base/file.h"

struct ss_source_prefetcher;

enum { SS_SOURCE_PREFETCH_BYTES = 8 << 20 };

/* A part of a file. */
struct ss_source_range {
    uint64_t begin, end;
};

struct ss_source_ranges {
    struct ss_source_range *items;
    size_t n, room;
};

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
    struct ss_stop stop;               /* asked by the thread that reads, while it waits */
    void (*when_idle)(void *user);     /* by that thread, once a file has wholly come */
    void *user;
};

/* Make a reader ahead, whose options live longer. No thread is started yet. Gives *out. */
SS_MUST_USE ss_status ss_source_prefetch_new(const struct ss_source_prefetch_options *options,
                                             struct ss_source_prefetcher **out, ss_err *err);
void ss_source_prefetch_free(struct ss_source_prefetcher *prefetcher);

/* Begin on a file; what was begun before ends. Of a map, `planner` is called once its size is
 * known, with `hint` (nullable). Name and hint are copied. */
SS_MUST_USE ss_status ss_source_prefetch_stream(struct ss_source_prefetcher *prefetcher,
                                                const char *name, ss_err *err);
SS_MUST_USE ss_status ss_source_prefetch_map(struct ss_source_prefetcher *prefetcher,
                                             const char *name, ss_source_planner *planner,
                                             const char *hint, ss_err *err);

/* End what was begun; a map goes away. */
void ss_source_prefetch_stop(struct ss_source_prefetcher *prefetcher);

/* The file that was begun last, NULL if none is under way. */
const char *ss_source_prefetch_name(const struct ss_source_prefetcher *prefetcher);

/* Up to n bytes of a stream; *n_read is 0 at its end only. Errors: as ss_net_remote_read. */
SS_MUST_USE ss_status ss_source_prefetch_read(struct ss_source_prefetcher *prefetcher,
                                              void *out, size_t n, size_t *n_read, ss_err *err);

/* Wait for the size and the tail of a map; *out is borrowed until the file ends.
 * Errors: as ss_net_remote_read; SS_E_UNSUPPORTED where the server does not send parts. */
SS_MUST_USE ss_status ss_source_prefetch_head(struct ss_source_prefetcher *prefetcher,
                                              struct ss__map *out, ss_err *err);

/* The parts that will be wanted, ascending and apart; `ranges` is taken. */
void ss_source_prefetch_plan(struct ss_source_prefetcher *prefetcher,
                             struct ss_source_ranges *ranges);

/* Wait until the bytes [from, from + n) of a map are there, which end before `end`. More may
 * be there afterwards: up to *until. */
SS_MUST_USE ss_status ss_source_prefetch_need(struct ss_source_prefetcher *prefetcher,
                                              uint64_t from, uint64_t n, uint64_t end,
                                              uint64_t *until, ss_err *err);

#endif
