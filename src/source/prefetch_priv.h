/* What the two sides of a prefetcher share: the thread (prefetch.c), what it does for a file
 * (prefetch_file.c) and its side of the ring (prefetch_ring.c), and the reader's side
 * (prefetch_reader.c). */
#ifndef SS_SOURCE_PREFETCH_PRIV_H
#define SS_SOURCE_PREFETCH_PRIV_H

#include <pthread.h>

#include "base/buf.h"
#include "net/hub.h"
#include "source/prefetch.h"

/* Under `lock` are the job's state, the notes, and the ring with its plan. The thread sleeps on
 * `changed` when the ring is full or the plan is used up, the reader when the ring is empty;
 * both wake the other by it. */
struct ss_source_prefetcher {
    struct ss_source_prefetch_options options;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* over all that follows, but for the last group */
    pthread_cond_t changed;

    bool is_posted, is_running, stops, quits; /* of the job */
    ss_status status;                         /* of the job that ended last */
    ss_err err;
    struct ss__buf notes; /* 'N' or 'W', a message, a NUL, … */

    char *ring; /* [SS_SOURCE_PREFETCH_BYTES] */
    size_t ring_start, n_ring;

    struct ss__map map; /* of the file, filled in parts */
    bool has_head, has_plan;
    bool is_idle; /* all of the plan, or of the stream, has come into the ring */
    struct ss_source_ranges plan;
    size_t n_begun; /* ranges that the thread has begun */
    size_t n_taken; /* ranges that the reader has wholly taken */
    uint64_t at;    /* offset in the file of the ring's first byte */
    uint64_t serial;

    char *name, *hint;          /* fixed while a job runs */
    ss_source_planner *planner; /* NULL: the file is a stream */
    bool told_idle;             /* of this file, by the reader's side */
    struct ss_net_hub *hub;     /* the thread's own */
};

/* The job, in the thread: prefetcher->name from its beginning to its end. */
SS_MUST_USE ss_status ss_source_prefetch_job(struct ss_source_prefetcher *prefetcher,
                                             ss_err *err);
void ss_source_prefetch_release_client(struct ss_source_prefetcher *prefetcher);

/* For the job: read a range into the ring; the next range of the plan, waiting for one, false
 * when the job is to end; and let the reader know that size and tail are there. */
SS_MUST_USE ss_status ss_source_prefetch_pull(struct ss_source_prefetcher *prefetcher,
                                              struct ss_net_remote *remote,
                                              struct ss_source_range range, uint64_t serial,
                                              ss_err *err);
bool ss_source_prefetch_next_range(struct ss_source_prefetcher *prefetcher,
                                   struct ss_source_range *range, uint64_t *serial);
void ss_source_prefetch_say_head(struct ss_source_prefetcher *prefetcher, struct ss__map map);

/* For the client's options. */
void ss_source_prefetch_note(void *user, ss_level level, const char *message);
int ss_source_prefetch_is_stopped(void *user);

/* The ranges that will be read, ascending and apart; `ranges` is taken. */
void ss_source_prefetch_plan(struct ss_source_prefetcher *prefetcher,
                             struct ss_source_ranges *ranges);

/* The same under the lock, and without a look at the plan that is there. */
void ss_source_prefetch_replace_plan(struct ss_source_prefetcher *prefetcher,
                                     struct ss_source_ranges *ranges);

#endif
