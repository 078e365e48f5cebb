/* A bounded queue of pointers between two threads: one pushes, one pops.
 *
 * The bound is what makes the reader wait for the encoder, and so what bounds memory. Popping
 * has a timeout, because the thread that called the library asks whether to stop about ten
 * times a second also while it waits (base/stop.h). Closing wakes both sides: a reader that
 * is done, or a consumer that failed, ends the other one so, and what is in the queue by then
 * is still given out. */
#ifndef SS_PASS_QUEUE_H
#define SS_PASS_QUEUE_H

#include <pthread.h>
#include <stddef.h>

#include "base/error.h"

enum { SS_PASS_QUEUE_CAPACITY = 4 };

typedef enum ss_pass_popped {
    SS_PASS_POP_ITEM,
    SS_PASS_POP_TIMEOUT,
    SS_PASS_POP_CLOSED
} ss_pass_popped;

struct ss_pass_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *items[SS_PASS_QUEUE_CAPACITY];
    size_t first, n_items;
    bool is_closed;
};

SS_MUST_USE ss_status ss_pass_queue_init(struct ss_pass_queue *queue, ss_err *err);
void ss_pass_queue_release(struct ss_pass_queue *queue);

/* Wait for room and append; false when the queue was closed. */
bool ss_pass_queue_push(struct ss_pass_queue *queue, void *item);

/* Take the first item, waiting at most timeout_ms (below 0: as long as it takes). A closed
 * queue gives out what it still holds before it says SS_PASS_POP_CLOSED. */
ss_pass_popped ss_pass_queue_pop(struct ss_pass_queue *queue, int timeout_ms, void **item);

/* No more pushes; wakes both sides. */
void ss_pass_queue_close(struct ss_pass_queue *queue);

#endif
