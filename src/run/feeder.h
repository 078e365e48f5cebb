/* The thread that reads a dataset and tokenises it into batches. */
#ifndef SS_RUN_FEEDER_H
#define SS_RUN_FEEDER_H

#include "base/buf.h"
#include "run/pipeline.h"
#include "run/queue.h"

enum { SS__N_BATCHES = 3 }; /* one being encoded, one waiting, one being filled */

/* Sentences of the reading thread, kept until the calling thread passes them on. */
struct ss__relay {
    pthread_mutex_t lock;
    struct ss__buf sentences; /* a level byte, then a terminated sentence, and so on */
};

struct ss__feeder {
    const struct ss__pipeline *pipeline;
    struct ss__batch_limits limits;
    struct ss__queue full, empty;
    struct ss__batch batches[SS__N_BATCHES];
    struct ss__relay relay;
    pthread_t thread;
    struct ss_log dataset_log; /* of the dataset, put back at the end */
    bool has_queues, is_started;
    bool is_done;     /* set by the caller once `full` said that it is closed */
    ss_status status; /* of the thread, once `full` is closed and empty */
    ss_err err;
    /* Where there is no thread: who takes batches. */
    ss_status (*take)(void *user, const struct ss__batch *batch, ss_err *err);
    void *user;
};

/* Start reading. `feeder` stays where it is until it was stopped. Where the system starts no
 * thread, is_started is false and ss__feeder_run_here is left. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss__feeder_start(struct ss__feeder *feeder,
                                       const struct ss__pipeline *pipeline, ss_err *err);

/* Read in the calling thread, to the end, and give every batch to `take`, whose failure ends
 * it. Errors: as ss__pipeline_run. */
SS_MUST_USE ss_status ss__feeder_run_here(struct ss__feeder *feeder,
                                          ss_status (*take)(void *user,
                                                            const struct ss__batch *batch,
                                                            ss_err *err),
                                          void *user, ss_err *err);

/* Pass the sentences that came from the thread on to the log. Caller's thread only. */
void ss__feeder_speak(struct ss__feeder *feeder);

/* End the thread, if need be before the end of the data, and release everything. */
void ss__feeder_stop(struct ss__feeder *feeder);

#endif
