/* Bytes of files that are not here, read ahead by a thread with a client of its own.
 *
 * A reader ahead works on one file at a time, either from its start to its end (a stream), or
 * in parts (a map): memory as large as the file of which only those parts are filled that are
 * read. The thread runs ahead by at most SS__AHEAD_AHEAD_BYTES; nothing is kept on disk.
 *
 *   stream   ss__ahead_stream, then ss__ahead_read until it gives 0 bytes
 *   map      ss__ahead_map, then ss__ahead_head waits for the file's tail to be there;
 *            ss__ahead_plan says which parts will be wanted in which order, and
 *            ss__ahead_need waits for bytes. What was not planned is fetched when it is needed.
 *
 * Files are named as datasets name them: "hf://datasets/ORG/NAME@COMMIT/PATH" or an address.
 * Everything a server says is checked; errors name the file. */
#ifndef SS_DATASET_AHEAD_H
#define SS_DATASET_AHEAD_H

#include <stdatomic.h>

#include "base/error.h"
#include "base/file.h"

struct ss__ahead;

enum {
    SS__AHEAD_AHEAD_BYTES = 8 << 20,
    SS__AHEAD_TAIL_BYTES = 64 << 10,       /* of a map, read first */
    SS__AHEAD_MAX_FOOTER_BYTES = 256 << 20 /* of a Parquet file */
};

/* A part of a file. */
struct ss__range {
    uint64_t begin, end;
};

struct ss__ranges {
    struct ss__range *items;
    size_t n, room;
};

struct ss__ahead_options {
    bool offline;
    const atomic_bool *is_interrupted; /* ends waiting with SS_E_STOPPED */
    const struct ss_log *log;          /* called by the thread that reads */
    struct ss_stop stop;               /* asked by the thread that reads, while it waits */
    void (*when_idle)(void *user);     /* by that thread, once a file has wholly come */
    void *user;
};

/* Make a reader ahead, whose options live longer. No thread is started yet. Gives *out. */
SS_MUST_USE ss_status ss__ahead_new(const struct ss__ahead_options *options,
                                    struct ss__ahead **out, ss_err *err);
void ss__ahead_free(struct ss__ahead *ahead);

/* Whether a dataset's path is a file or repository elsewhere: "hf:…", "http://…", "https://…".
 */
bool ss__is_remote(const char *path);

/* Begin on a file; what was begun before ends. `column` (nullable): of a Parquet file, the
 * column whose parts are fetched without waiting for a plan. Both are copied. */
SS_MUST_USE ss_status ss__ahead_stream(struct ss__ahead *ahead, const char *name, ss_err *err);
SS_MUST_USE ss_status ss__ahead_map(struct ss__ahead *ahead, const char *name,
                                    const char *column, ss_err *err);

/* End what was begun; a map goes away. */
void ss__ahead_stop(struct ss__ahead *ahead);

/* The file that was begun last, NULL if none is under way. */
const char *ss__ahead_name(const struct ss__ahead *ahead);

/* Up to n bytes of a stream; *n_read is 0 at its end only. Errors: as ss__net_remote_read. */
SS_MUST_USE ss_status ss__ahead_read(struct ss__ahead *ahead, void *out, size_t n,
                                     size_t *n_read, ss_err *err);

/* Wait for the size and the tail of a map; *out is borrowed until the file ends.
 * Errors: as ss__net_remote_read; SS_E_UNSUPPORTED where the server does not send parts. */
SS_MUST_USE ss_status ss__ahead_head(struct ss__ahead *ahead, struct ss__map *out, ss_err *err);

/* The parts that will be wanted, ascending and apart; `ranges` is taken. */
void ss__ahead_plan(struct ss__ahead *ahead, struct ss__ranges *ranges);

/* Wait until the bytes [from, from + n) of a map are there, which end before `end`. More may
 * be there afterwards: up to *until. */
SS_MUST_USE ss_status ss__ahead_need(struct ss__ahead *ahead, uint64_t from, uint64_t n,
                                     uint64_t end, uint64_t *until, ss_err *err);

#endif
