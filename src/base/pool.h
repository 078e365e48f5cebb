/* A pool of threads that runs numbered tasks. Which thread runs which task is not fixed, so
 * tasks write to places of their own; then results do not depend on the number of threads. */
#ifndef SS_BASE_POOL_H
#define SS_BASE_POOL_H

#include <stddef.h>

#include "base/error.h"

struct ss__pool;

/* n_threads counts the caller's; 0: one per core that this process may use. Where the system
 * does not start as many, the pool has those that it did start. */
SS_MUST_USE ss_status ss__pool_new(size_t n_threads, struct ss__pool **out, ss_err *err);
void ss__pool_free(struct ss__pool *pool);
size_t ss__pool_n_threads(const struct ss__pool *pool);   /* that were started */
size_t ss__pool_n_requested(const struct ss__pool *pool); /* that were asked for */

/* Ask `stop` (its fn may be NULL) about ten times a second while tasks run, from the caller's
 * thread between two of its tasks. Once it asks to stop, tasks that have not begun are left
 * out, in this run and later ones, until ss__pool_set_stop is called again. */
void ss__pool_set_stop(struct ss__pool *pool, struct ss_progress_callback stop);

/* What is asked. */
struct ss_progress_callback ss__pool_stop_of(const struct ss__pool *pool);

/* SS_E_STOPPED if tasks were left out: what they would have written is not to be used. */
SS_MUST_USE ss_status ss__pool_check(const struct ss__pool *pool, ss_err *err);

/* Run task(context, i, worker) for i in 0 … n_tasks - 1 and return when all are done.
 * worker < n_threads names the thread, for scratch memory. Not from within a task. */
void ss__pool_run(struct ss__pool *pool, size_t n_tasks,
                  void (*task)(void *context, size_t index, size_t worker), void *context);

#endif
