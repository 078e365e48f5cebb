/* A pool of threads that runs numbered tasks. Which thread runs which task is not fixed, so
 * tasks write to places of their own; then results do not depend on the number of threads. */
#ifndef SS_BASE_POOL_H
#define SS_BASE_POOL_H

#include <stddef.h>

#include "base/error.h"

struct ss__pool;

/* n_threads counts the caller's; 0: one per core that this process may use. */
SS_MUST_USE ss_status ss__pool_new(size_t n_threads, struct ss__pool **out, ss_err *err);
void ss__pool_free(struct ss__pool *pool);
size_t ss__pool_n_threads(const struct ss__pool *pool);

/* Run task(context, i, worker) for i in 0 … n_tasks - 1 and return when all are done.
 * worker < n_threads names the thread, for scratch memory. Not from within a task. */
void ss__pool_run(struct ss__pool *pool, size_t n_tasks,
                  void (*task)(void *context, size_t index, size_t worker), void *context);

#endif
