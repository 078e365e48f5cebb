/* A bounded queue of pointers between two threads. */
#ifndef SS_RUN_QUEUE_H
#define SS_RUN_QUEUE_H

#include <pthread.h>
#include <stddef.h>

#include "base/error.h"

enum { SS__QUEUE_ROOM = 4 };

typedef enum ss__popped { SS__POP_ITEM, SS__POP_TIMEOUT, SS__POP_CLOSED } ss__popped;

struct ss__queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *items[SS__QUEUE_ROOM];
    size_t first, n_items;
    bool is_closed;
};

SS_MUST_USE ss_status ss__queue_init(struct ss__queue *queue, ss_err *err);
void ss__queue_release(struct ss__queue *queue);

/* Wait for room and append; false when the queue was closed. */
bool ss__queue_push(struct ss__queue *queue, void *item);

/* Take the first item, waiting at most timeout_ms (below 0: as long as it takes). A closed
 * queue gives out what it still holds before it says SS__POP_CLOSED. */
ss__popped ss__queue_pop(struct ss__queue *queue, int timeout_ms, void **item);

/* No more pushes; wakes both sides. */
void ss__queue_close(struct ss__queue *queue);

#endif
