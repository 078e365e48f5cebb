/* What the two sides of a reader ahead share: the thread with its side of the ring (ahead.c),
 * what it does for a file (ahead_job.c), and the reader's side (ahead_reader.c). */
#ifndef SS_DATASET_AHEAD_PRIV_H
#define SS_DATASET_AHEAD_PRIV_H

#include <pthread.h>

#include "base/buf.h"
#include "dataset/ahead.h"
#include "net/hub.h"

struct ss_source_ahead {
    struct ss_source_ahead_options options;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock; /* over all that follows, but for the last group */
    pthread_cond_t changed;

    bool is_posted, is_running, stops, quits; /* of the job */
    ss_status status;                         /* of the job that ended last */
    ss_err err;
    struct ss__buf notes; /* 'N' or 'W', a sentence, a NUL, … */

    char *ring; /* [SS_SOURCE_AHEAD_AHEAD_BYTES] */
    size_t ring_start, n_ring;

    struct ss__map map; /* of the file, filled in parts */
    bool has_head, has_plan;
    bool is_idle; /* all of the plan, or of the stream, has come into the ring */
    struct ss_source_ranges plan;
    size_t n_begun; /* ranges that the thread has begun */
    size_t n_taken; /* ranges that the reader has wholly taken */
    uint64_t at;    /* offset in the file of the ring's first byte */
    uint64_t serial;

    char *name, *column; /* fixed while a job runs */
    bool is_map;
    bool told_idle;         /* of this file, by the reader's side */
    struct ss_net_hub *hub; /* the thread's own */
};

/* The job, in the thread: ahead->name from its beginning to its end. */
SS_MUST_USE ss_status ss_source_ahead_job(struct ss_source_ahead *ahead, ss_err *err);
void ss_source_ahead_release_client(struct ss_source_ahead *ahead);

/* For the job: read a range into the ring; the next range of the plan, waiting for one, false
 * when the job is to end; and let the reader know that size and tail are there. */
SS_MUST_USE ss_status ss_source_ahead_pull(struct ss_source_ahead *ahead,
                                           struct ss_net_remote *remote,
                                           struct ss_source_range range, uint64_t serial,
                                           ss_err *err);
bool ss_source_ahead_next_range(struct ss_source_ahead *ahead, struct ss_source_range *range,
                                uint64_t *serial);
void ss_source_ahead_say_head(struct ss_source_ahead *ahead, struct ss__map map);

/* For the client's options. */
void ss_source_ahead_note(void *user, ss_level level, const char *sentence);
int ss_source_ahead_is_stopped(void *user);

#endif
