/* The thread that reads a dataset and tokenises it into batches, ahead of the encoder.
 *
 * Three batches go round between two queues: `full` to the encoder, `empty` back to the
 * reader. So memory is that of three batches whatever the dataset's size, nothing is
 * allocated once they have grown, and rows come to the encoder in the order of the dataset.
 * What the reading thread logs is kept in `relay` until the calling thread passes it on, so
 * that a log is called by one thread. Without a second thread, where the system starts none,
 * the same batches are filled and emptied in turns. */
#ifndef SS_PASS_FEEDER_H
#define SS_PASS_FEEDER_H

#include "base/buf.h"
#include "pass/pipeline.h"
#include "pass/queue.h"

enum { SS_PASS_N_BATCHES = 3 }; /* one being encoded, one waiting, one being filled */

/* Sentences of the reading thread, kept until the calling thread passes them on. */
struct ss_pass_relay {
    pthread_mutex_t lock;
    struct ss__buf messages; /* a level byte, then a terminated message, and so on */
};

struct ss_pass_feeder {
    const struct ss_pass_pipeline *pipeline;
    struct ss_pass_batch_limits limits;
    struct ss_pass_queue full, empty;
    struct ss_pass_batch batches[SS_PASS_N_BATCHES];
    struct ss_pass_relay relay;
    pthread_t thread;
    struct ss_log dataset_log; /* of the dataset, put back at the end */
    bool has_queues, is_started;
    bool is_done;     /* set by the caller once `full` said that it is closed */
    ss_status status; /* of the thread, once `full` is closed and empty */
    ss_err err;
    /* Where there is no thread: the consumer of batches. */
    ss_status (*on_batch)(void *user, const struct ss_pass_batch *batch, ss_err *err);
    void *user;
};

/* Start reading. `feeder` stays where it is until it was stopped. Where the system starts no
 * thread, is_started is false and ss_pass_feeder_run_inline is left. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_feeder_start(struct ss_pass_feeder *feeder,
                                           const struct ss_pass_pipeline *pipeline,
                                           ss_err *err);

/* Read in the calling thread, to the end, and give every batch to `on_batch`, whose failure
 * ends it. Errors: as ss_pass_pipeline_run. */
SS_MUST_USE ss_status ss_pass_feeder_run_inline(
    struct ss_pass_feeder *feeder,
    ss_status (*on_batch)(void *user, const struct ss_pass_batch *batch, ss_err *err),
    void *user, ss_err *err);

/* Pass the messages that came from the thread on to the log. Caller's thread only. */
void ss_pass_feeder_flush_messages(struct ss_pass_feeder *feeder);

/* End the thread, if need be before the end of the data, and release everything. */
void ss_pass_feeder_stop(struct ss_pass_feeder *feeder);

#endif
