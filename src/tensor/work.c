/* Workspaces: a thread pool and scratch buffers by purpose, so that a call allocates nothing
 * once its sizes have been seen. A workspace belongs to one caller at a time; its threads see
 * it only while a call runs. */
#include <string.h>

#include "base/mem.h"
#include "tensor/tensor_priv.h"

struct slot {
    void *block;
    size_t n_bytes;
};

struct ss_work {
    struct ss__pool *pool;
    struct slot slots[SS_TENSOR_N_SLOTS];
    struct ss_tensor_list *lists;
    size_t n_lists;
    void *object;
    void (*release_object)(void *object);
};

/* Below this a job ends before a sleeping thread would have woken. */
static const double FEW_FLOPS = 4e5;

ss_status ss_work_new(size_t n_threads, ss_work **out, ss_err *err)
{
    ss_status status = SS_OK;
    ss_work *work = NULL;
    *out = NULL;
    SS_ALLOC(work, 1);
    SS_TRY(ss__pool_new(n_threads, &work->pool, err));
    *out = work;
    work = NULL;
out:
    ss_work_free(work);
    return status;
}

size_t ss_work_n_threads(const ss_work *work)
{
    return ss__pool_n_threads(work->pool);
}

void ss_work_set_progress(ss_work *work, struct ss_progress_callback stop)
{
    ss__pool_set_stop(work->pool, stop);
}

struct ss_progress_callback ss_tensor_work_swap_progress(ss_work *work,
                                                         struct ss_progress_callback progress)
{
    const struct ss_progress_callback before = ss__pool_stop_of(work->pool);
    ss__pool_set_stop(work->pool, progress);
    return before;
}

void *ss_tensor_work_object(const ss_work *work)
{
    return work->object;
}

/* One object of another room lives as long as the workspace (the tokenizer's scratch): this
 * room knows only how to release it. */
void ss_tensor_work_set_object(ss_work *work, void *object, void (*release)(void *object))
{
    if (work->object != NULL) {
        work->release_object(work->object);
    }
    work->object = object;
    work->release_object = release;
}

ss_status ss_tensor_work_check(const ss_work *work, ss_err *err)
{
    return ss__pool_check(work->pool, err);
}

void ss_tensor_work_warn_threads(const ss_work *work, const struct ss_log *log)
{
    const size_t n = ss__pool_n_threads(work->pool),
                 n_wanted = ss__pool_n_requested(work->pool);
    if (n < n_wanted) {
        ss__log(log, SS_LEVEL_WARNING,
                "only %zu of %zu threads could be started; the work goes on with them, and "
                "takes longer",
                n, n_wanted);
    }
}

void ss_work_free(ss_work *work)
{
    if (work == NULL) {
        return;
    }
    ss__pool_free(work->pool);
    ss_tensor_work_set_object(work, NULL, NULL);
    for (size_t i = 0; i < SS_TENSOR_N_SLOTS; i++) {
        ss__free(work->slots[i].block);
    }
    for (size_t i = 0; i < work->n_lists; i++) {
        ss__free(work->lists[i].items);
    }
    ss__free(work->lists);
    ss__free(work);
}

struct ss__pool *ss_tensor_work_pool(ss_work *work)
{
    return work->pool;
}

/* A slot grows and never shrinks, and its content is lost when it grows: callers fill it anew
 * each time. Nothing is allocated once the largest batch has been seen. NULL: no memory. */
void *ss_tensor_work_scratch(ss_work *work, ss_tensor_slot slot, size_t n_bytes)
{
    struct slot *self = &work->slots[slot];
    if (self->block == NULL || self->n_bytes < n_bytes) {
        ss__free(self->block);
        *self = (struct slot){.block = ss__alloc_aligned(n_bytes, 1), .n_bytes = n_bytes};
    }
    return self->block;
}

/* Lists that are there keep their memory: their number only grows. */
struct ss_tensor_list *ss_tensor_work_lists(ss_work *work, size_t n)
{
    if (n > work->n_lists) {
        struct ss_tensor_list *lists = ss__realloc(work->lists, n, sizeof *lists);
        if (lists == NULL) {
            return NULL;
        }
        memset(lists + work->n_lists, 0, (n - work->n_lists) * sizeof *lists);
        work->lists = lists;
        work->n_lists = n;
    }
    return work->lists;
}

/* Waking threads costs some microseconds, which is more than a small product takes: those are
 * done by the caller's thread. Which thread does a task changes no result. */
void ss_tensor_work_run(ss_work *work, size_t n_tasks, double n_flops,
                        void (*task)(void *context, size_t index, size_t worker), void *context)
{
    if (n_flops < FEW_FLOPS) {
        for (size_t i = 0; i < n_tasks; i++) {
            task(context, i, 0);
        }
        return;
    }
    ss__pool_run(work->pool, n_tasks, task, context);
}
