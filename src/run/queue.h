/* A bounded queue of pointers between two threads. */
#ifndef SS_RUN_QUEUE_H
#define SS_RUN_QUEUE_H

#include <pthread.h>
#include <stddef.h>

#include "base/error.h"

enum { SS_RUN_QUEUE_CAPACITY = 4 };

typedef enum ss_run_popped {
    SS_RUN_POP_ITEM,
    SS_RUN_POP_TIMEOUT,
    SS_RUN_POP_CLOSED
} ss_run_popped;

struct ss_run_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *items[SS_RUN_QUEUE_CAPACITY];
    size_t first, n_items;
    bool is_closed;
};

SS_MUST_USE ss_status ss_run_queue_init(struct ss_run_queue *queue, ss_err *err);
void ss_run_queue_release(struct ss_run_queue *queue);

/* Wait for room and append; false when the queue was closed. */
bool ss_run_queue_push(struct ss_run_queue *queue, void *item);

/* Take the first item, waiting at most timeout_ms (below 0: as long as it takes). A closed
 * queue gives out what it still holds before it says SS_RUN_POP_CLOSED. */
ss_run_popped ss_run_queue_pop(struct ss_run_queue *queue, int timeout_ms, void **item);

/* No more pushes; wakes both sides. */
void ss_run_queue_close(struct ss_run_queue *queue);

#endif
