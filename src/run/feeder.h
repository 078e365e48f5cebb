/* The thread that reads a dataset and tokenises it into batches. */
#ifndef SS_RUN_FEEDER_H
#define SS_RUN_FEEDER_H

#include "base/buf.h"
#include "run/pipeline.h"
#include "run/queue.h"

enum { SS_RUN_N_BATCHES = 3 }; /* one being encoded, one waiting, one being filled */

/* Sentences of the reading thread, kept until the calling thread passes them on. */
struct ss_run_relay {
    pthread_mutex_t lock;
    struct ss__buf messages; /* a level byte, then a terminated message, and so on */
};

struct ss_run_feeder {
    const struct ss_run_pipeline *pipeline;
    struct ss_run_batch_limits limits;
    struct ss_run_queue full, empty;
    struct ss_run_batch batches[SS_RUN_N_BATCHES];
    struct ss_run_relay relay;
    pthread_t thread;
    struct ss_log dataset_log; /* of the dataset, put back at the end */
    bool has_queues, is_started;
    bool is_done;     /* set by the caller once `full` said that it is closed */
    ss_status status; /* of the thread, once `full` is closed and empty */
    ss_err err;
    /* Where there is no thread: the consumer of batches. */
    ss_status (*on_batch)(void *user, const struct ss_run_batch *batch, ss_err *err);
    void *user;
};

/* Start reading. `feeder` stays where it is until it was stopped. Where the system starts no
 * thread, is_started is false and ss_run_feeder_run_inline is left. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_feeder_start(struct ss_run_feeder *feeder,
                                          const struct ss_run_pipeline *pipeline, ss_err *err);

/* Read in the calling thread, to the end, and give every batch to `on_batch`, whose failure
 * ends it. Errors: as ss_run_pipeline_run. */
SS_MUST_USE ss_status ss_run_feeder_run_inline(
    struct ss_run_feeder *feeder,
    ss_status (*on_batch)(void *user, const struct ss_run_batch *batch, ss_err *err),
    void *user, ss_err *err);

/* Pass the messages that came from the thread on to the log. Caller's thread only. */
void ss_run_feeder_flush_messages(struct ss_run_feeder *feeder);

/* End the thread, if need be before the end of the data, and release everything. */
void ss_run_feeder_stop(struct ss_run_feeder *feeder);

#endif
