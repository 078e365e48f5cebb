/* The thread's side of the ring between it and the reader: bytes in the order of the plan.
 *
 * The reader says which ranges it will read, in order, so the ring needs no offsets: the thread
 * puts the bytes of one range after the other, and the reader, who counts along (`at`,
 * `n_taken`), knows which offset the next byte has. The ring bounds what is fetched and not
 * read yet, whatever the size of the ranges, and costs no memory beyond that. A change of plan
 * raises `serial`: what the thread is reading for an old plan is then dropped, since the reader
 * has emptied the ring. */
#include <string.h>

#include "base/mem.h"
#include "source/prefetch_priv.h"

/* Put bytes into the ring, waiting while it is full; false when they are not wanted any more.
 */
static bool put_bytes(struct ss_source_prefetcher *prefetcher, uint64_t serial,
                      const char *data, size_t n)
{
    pthread_mutex_lock(&prefetcher->lock);
    while (n > 0 && !prefetcher->stops && prefetcher->serial == serial) {
        const size_t used = prefetcher->n_ring;
        const size_t at = (prefetcher->ring_start + used) % SS_SOURCE_PREFETCH_BYTES;
        size_t part = ss__min_size(n, SS_SOURCE_PREFETCH_BYTES - used);
        part = ss__min_size(part, SS_SOURCE_PREFETCH_BYTES - at);
        if (part == 0) {
            pthread_cond_wait(&prefetcher->changed, &prefetcher->lock);
            continue;
        }
        memcpy(prefetcher->ring + at, data, part);
        prefetcher->n_ring += part;
        data += part;
        n -= part;
        pthread_cond_broadcast(&prefetcher->changed);
    }
    const bool wanted = !prefetcher->stops && prefetcher->serial == serial;
    pthread_mutex_unlock(&prefetcher->lock);
    return wanted;
}

/* For the client's callback: which plan the bytes are for. */
struct putting {
    struct ss_source_prefetcher *prefetcher;
    uint64_t serial;
};

static ss_status take(void *user, const void *data, size_t n, bool *enough, ss_err *err)
{
    const struct putting *putting = user;
    (void)err;
    *enough = !put_bytes(putting->prefetcher, putting->serial, data, n);
    return SS_OK;
}

ss_status ss_source_prefetch_pull(struct ss_source_prefetcher *prefetcher,
                                  struct ss_net_remote *remote, struct ss_source_range range,
                                  uint64_t serial, ss_err *err)
{
    struct putting putting = {prefetcher, serial};
    const uint64_t n = range.end == SS_NOWHERE ? SS_NOWHERE : range.end - range.begin;
    return ss_net_remote_read(remote, range.begin, n, take, &putting, err);
}

bool ss_source_prefetch_next_range(struct ss_source_prefetcher *prefetcher,
                                   struct ss_source_range *range, uint64_t *serial)
{
    pthread_mutex_lock(&prefetcher->lock);
    while (!prefetcher->stops && prefetcher->n_begun == prefetcher->plan.n) {
        prefetcher->is_idle = prefetcher->has_plan;
        pthread_cond_broadcast(&prefetcher->changed);
        pthread_cond_wait(&prefetcher->changed, &prefetcher->lock);
    }
    const bool found = !prefetcher->stops;
    prefetcher->is_idle = false;
    if (found) {
        *range = prefetcher->plan.items[prefetcher->n_begun++];
        *serial = prefetcher->serial;
    }
    pthread_mutex_unlock(&prefetcher->lock);
    return found;
}

void ss_source_prefetch_say_head(struct ss_source_prefetcher *prefetcher, struct ss__map map)
{
    pthread_mutex_lock(&prefetcher->lock);
    prefetcher->map = map;
    prefetcher->has_head = true;
    pthread_cond_broadcast(&prefetcher->changed);
    pthread_mutex_unlock(&prefetcher->lock);
}

/* Messages of the client wait for the thread that reads. */
void ss_source_prefetch_note(void *user, ss_level level, const char *message)
{
    struct ss_source_prefetcher *prefetcher = user;
    pthread_mutex_lock(&prefetcher->lock);
    /* a server that makes every request fail must not fill the memory */
    if (prefetcher->notes.n_bytes < 4096) {
        ss__buf_add_byte(&prefetcher->notes, level == SS_LEVEL_WARNING ? 'W' : 'N');
        ss__buf_add(&prefetcher->notes, message, strlen(message) + 1);
    }
    pthread_mutex_unlock(&prefetcher->lock);
}

int ss_source_prefetch_is_stopped(void *user)
{
    struct ss_source_prefetcher *prefetcher = user;
    pthread_mutex_lock(&prefetcher->lock);
    const bool stops = prefetcher->stops || prefetcher->quits;
    pthread_mutex_unlock(&prefetcher->lock);
    return stops || (prefetcher->options.is_interrupted != NULL &&
                     atomic_load(prefetcher->options.is_interrupted));
}

/* ---- the plan ---- */

/* The ring is emptied with the plan that it was filled by; raising `serial` makes the thread
 * drop what it is in the middle of. */
void ss_source_prefetch_replace_plan(struct ss_source_prefetcher *prefetcher,
                                     struct ss_source_ranges *ranges)
{
    ss__free(prefetcher->plan.items);
    prefetcher->plan = *ranges;
    *ranges = (struct ss_source_ranges){.items = NULL};
    prefetcher->n_begun = prefetcher->n_taken = 0;
    prefetcher->at = prefetcher->plan.n == 0 ? 0 : prefetcher->plan.items[0].begin;
    prefetcher->n_ring = prefetcher->ring_start = 0;
    prefetcher->has_plan = true;
    prefetcher->is_idle = false;
    prefetcher->serial++;
    pthread_cond_broadcast(&prefetcher->changed);
}

static bool is_same_plan(const struct ss_source_ranges *a, const struct ss_source_ranges *b)
{
    return a->n == b->n &&
           (a->n == 0 || memcmp(a->items, b->items, a->n * sizeof *a->items) == 0);
}

void ss_source_prefetch_plan(struct ss_source_prefetcher *prefetcher,
                             struct ss_source_ranges *ranges)
{
    pthread_mutex_lock(&prefetcher->lock);
    if (prefetcher->has_plan && is_same_plan(&prefetcher->plan, ranges)) {
        ss__free(ranges->items);
        *ranges = (struct ss_source_ranges){.items = NULL};
    } else {
        ss_source_prefetch_replace_plan(prefetcher, ranges);
    }
    pthread_mutex_unlock(&prefetcher->lock);
}
