/* The reader's side of reading ahead: it waits for bytes and takes them off the ring, as a
 * stream or into a map by a plan of ranges, in the thread that reads the dataset.
 *
 * The reader counts along with the plan (`n_taken`, `at`), so it knows which offset of the file
 * the ring's first byte has (prefetch_ring.c says why that is enough). A byte that the plan
 * will bring is waited for; bytes before it that nobody wants are dropped off the ring. A byte
 * that the plan has passed, or never had, replaces the plan: what was fetched for the old one
 * is thrown away.
 *
 * Users' callbacks (log, progress) are called from this thread alone, and never under the
 * lock. */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/stop.h"
#include "source/prefetch_priv.h"

/* ---- waiting ---- */

/* Say what the client noted; the lock is given up meanwhile. */
static void say_notes(struct ss_source_prefetcher *prefetcher)
{
    struct ss__buf notes = prefetcher->notes;
    if (notes.n_bytes == 0) {
        return;
    }
    prefetcher->notes = (struct ss__buf){.data = NULL};
    pthread_mutex_unlock(&prefetcher->lock);
    for (size_t at = 0; !notes.failed && at < notes.n_bytes;) {
        const char *note = notes.data + at;
        ss__log(prefetcher->options.log, note[0] == 'W' ? SS_LEVEL_WARNING : SS_LEVEL_NOTICE,
                "%s", note + 1);
        at += strlen(note) + 1;
    }
    ss__buf_release(&notes);
    pthread_mutex_lock(&prefetcher->lock);
}

/* Wait for a change, or a tenth of a second; then ask if there is a point in it. */
static ss_status wait_a_while(struct ss_source_prefetcher *prefetcher, ss_err *err)
{
    enum { ASK_NANOSECONDS = 100000000, SECOND_NANOSECONDS = 1000000000 };
    const struct ss_progress_callback *stop = &prefetcher->options.stop;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ASK_NANOSECONDS;
    until.tv_sec += until.tv_nsec / SECOND_NANOSECONDS;
    until.tv_nsec %= SECOND_NANOSECONDS;
    if (pthread_cond_timedwait(&prefetcher->changed, &prefetcher->lock, &until) == 0 ||
        stop->fn == NULL) {
        return SS_OK;
    }
    pthread_mutex_unlock(&prefetcher->lock);
    const bool stops = ss__stop_requested(stop);
    pthread_mutex_lock(&prefetcher->lock);
    return stops ? ss__fail_file(err, prefetcher->name, SS_E_STOPPED,
                                 "stopped while waiting for it")
                 : SS_OK;
}

/* Wait for a change, under the lock; the job's end without what is waited for is an error: the
 * job's own, or a fault of ours. */
static ss_status wait_more(struct ss_source_prefetcher *prefetcher, ss_err *err)
{
    say_notes(prefetcher);
    if (!prefetcher->is_running) {
        if (prefetcher->status == SS_OK) {
            return ss__fail_file(err, prefetcher->name, SS_E_INTERNAL,
                                 "the reading ahead ended");
        }
        if (err != NULL) {
            *err = prefetcher->err;
        }
        return prefetcher->status;
    }
    return wait_a_while(prefetcher, err);
}

/* Whether all that was asked for has come, so that the thread has nothing to do. */
static bool is_idle_now(struct ss_source_prefetcher *prefetcher)
{
    pthread_mutex_lock(&prefetcher->lock);
    const bool is_idle = prefetcher->is_idle;
    pthread_mutex_unlock(&prefetcher->lock);
    return is_idle;
}

/* Once in a file, when all of it has come, the next one may begin; without the lock. */
static void tell_idle(struct ss_source_prefetcher *prefetcher)
{
    if (!prefetcher->told_idle && prefetcher->options.when_idle != NULL &&
        is_idle_now(prefetcher)) {
        prefetcher->told_idle = true;
        prefetcher->options.when_idle(prefetcher->options.user);
    }
}

/* ---- a stream ---- */

/* Take up to n bytes off the ring, to `out` unless that is NULL. */
static size_t take_bytes(struct ss_source_prefetcher *prefetcher, char *out, size_t n)
{
    size_t taken = 0;
    while (taken < n && prefetcher->n_ring > 0) {
        size_t part = ss__min_size(n - taken, prefetcher->n_ring);
        part = ss__min_size(part, SS_SOURCE_PREFETCH_BYTES - prefetcher->ring_start);
        if (out != NULL) {
            memcpy(out + taken, prefetcher->ring + prefetcher->ring_start, part);
        }
        prefetcher->ring_start = (prefetcher->ring_start + part) % SS_SOURCE_PREFETCH_BYTES;
        prefetcher->n_ring -= part;
        taken += part;
    }
    if (taken > 0) {
        pthread_cond_broadcast(&prefetcher->changed);
    }
    return taken;
}

static ss_status read_stream(void *state, uint64_t offset, void *out, size_t n, size_t *n_read,
                             ss_err *err)
{
    struct ss_source_prefetcher *prefetcher = state;
    (void)offset;
    ss_status status = SS_OK;
    *n_read = 0;
    pthread_mutex_lock(&prefetcher->lock);
    while (status == SS_OK && prefetcher->n_ring == 0 &&
           (prefetcher->is_running || prefetcher->status != SS_OK)) {
        status = wait_more(prefetcher, err);
    }
    if (status == SS_OK) {
        *n_read = take_bytes(prefetcher, out, n);
    }
    pthread_mutex_unlock(&prefetcher->lock);
    tell_idle(prefetcher);
    return status;
}

/* The map of the file, once its size is known and the planner has read what it needs. */
static ss_status wait_for_head(void *state, bool in_parts, struct ss__map *out, ss_err *err)
{
    struct ss_source_prefetcher *prefetcher = state;
    (void)in_parts;
    ss_status status = SS_OK;
    pthread_mutex_lock(&prefetcher->lock);
    while (status == SS_OK && !prefetcher->has_head) {
        status = wait_more(prefetcher, err);
    }
    *out = prefetcher->map;
    pthread_mutex_unlock(&prefetcher->lock);
    return status;
}

/* ---- a map, by its plan ---- */

static void plan(void *state, struct ss_source_ranges *ranges)
{
    ss_source_prefetch_plan(state, ranges);
}

/* Fetch [from, until) next, in place of the plan. */
static ss_status plan_one(struct ss_source_prefetcher *prefetcher, uint64_t from,
                          uint64_t until, ss_err *err)
{
    struct ss_source_ranges ranges = {.items = NULL};
    SS_GROW_OR_RETURN(ranges.items, ranges.capacity, 1);
    ranges.items[ranges.n++] = (struct ss_source_range){from, until};
    ss_source_prefetch_replace_plan(prefetcher, &ranges);
    return SS_OK;
}

/* Whether the plan, from where the reader is, will come to a byte. */
static bool will_come(const struct ss_source_prefetcher *prefetcher, uint64_t offset)
{
    for (size_t i = prefetcher->n_taken; prefetcher->has_plan && i < prefetcher->plan.n; i++) {
        const struct ss_source_range range = prefetcher->plan.items[i];
        const uint64_t begin = i == prefetcher->n_taken && prefetcher->at > range.begin
                                   ? prefetcher->at
                                   : range.begin;
        if (offset < range.end) {
            return offset >= begin;
        }
    }
    return false;
}

/* Move bytes off the ring, under the lock: those before `from` are dropped, those from there on
 * go into the map. How many went there. A step at a time, so that the thread can put more in
 * meanwhile. Where a range ends, `at` jumps to the begin of the next. */
static uint64_t drain(struct ss_source_prefetcher *prefetcher, uint64_t from, uint64_t end)
{
    enum { STEP_BYTES = 1 << 20 };
    const struct ss_source_range range = prefetcher->plan.items[prefetcher->n_taken];
    const bool drops = prefetcher->at < from;
    const uint64_t limit = drops ? from : end;
    uint64_t n = (limit < range.end ? limit : range.end) - prefetcher->at;
    n = n > STEP_BYTES ? STEP_BYTES : n;
    char *out = drops ? NULL : (char *)(uintptr_t)prefetcher->map.data + prefetcher->at;
    const uint64_t n_taken = take_bytes(prefetcher, out, (size_t)n);
    prefetcher->at += n_taken;
    if (prefetcher->at == range.end && ++prefetcher->n_taken < prefetcher->plan.n) {
        prefetcher->at = prefetcher->plan.items[prefetcher->n_taken].begin;
    }
    return drops ? 0 : n_taken;
}

/* Bytes that no plan has are fetched in pieces of 1 MB at least: each costs a request. */
static ss_status need_range(void *state, uint64_t from, uint64_t n, uint64_t end,
                            uint64_t *until, ss_err *err)
{
    struct ss_source_prefetcher *prefetcher = state;
    enum { PIECE_BYTES = 1 << 20 };
    ss_status status = SS_OK;
    uint64_t wanted = from + n;
    pthread_mutex_lock(&prefetcher->lock);
    for (uint64_t at = from; status == SS_OK && at < wanted;) {
        if (!will_come(prefetcher, at)) {
            const uint64_t piece = wanted - at > PIECE_BYTES ? wanted - at : PIECE_BYTES;
            wanted = at + (piece < end - at ? piece : end - at);
            status = plan_one(prefetcher, at, wanted, err);
        } else if (prefetcher->n_ring == 0) {
            status = wait_more(prefetcher, err);
        } else {
            at += drain(prefetcher, at, end);
        }
        *until = at;
    }
    pthread_mutex_unlock(&prefetcher->lock);
    tell_idle(prefetcher);
    return status;
}

static ss_status read_range(void *state, uint64_t offset, void *out, size_t n, size_t *n_read,
                            ss_err *err)
{
    const struct ss_source_prefetcher *prefetcher = state;
    const uint64_t n_bytes = prefetcher->map.n_bytes; /* which does not change any more */
    uint64_t until = offset;
    *n_read = (size_t)ss__min_u64(n, n_bytes - offset);
    SS_RETURN_IF_ERROR(need_range(state, offset, *n_read, n_bytes, &until, err));
    if (*n_read > 0) {
        memcpy(out, prefetcher->map.data + offset, *n_read);
    }
    return SS_OK;
}

/* ---- inputs ---- */

static void stop(void *state)
{
    ss_source_prefetch_stop(state);
}

ss_status ss_source_prefetch_open(struct ss_source_prefetcher *prefetcher, const char *name,
                                  ss_source_planner *planner, struct ss_source_input *out,
                                  ss_err *err)
{
    static const struct ss_source_input_ops stream = {.read_at = read_stream, .close = stop};
    static const struct ss_source_input_ops ranges = {.read_at = read_range,
                                                      .map = wait_for_head,
                                                      .need = need_range,
                                                      .will_need = plan,
                                                      .close = stop};
    const bool is_begun = prefetcher->name != NULL && strcmp(prefetcher->name, name) == 0 &&
                          prefetcher->planner == planner;
    if (!is_begun) {
        SS_RETURN_IF_ERROR(ss_source_prefetch_begin(prefetcher, name, planner, NULL, err));
    }
    *out = (struct ss_source_input){.name = prefetcher->name,
                                    .ops = planner == NULL ? &stream : &ranges,
                                    .state = prefetcher};
    return SS_OK;
}
