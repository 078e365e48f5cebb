/* Workspaces of an encoder or SAE: one for each call that runs at the same time. */
#include "core.h"

#include <unistd.h>

ss_work *core_work_take(struct core_works *works)
{
    ss_work *work = NULL;
    ss_err err;
    struct core_call call = {.progress = Py_None, .log = Py_None};
    if (works->pid != (long)getpid()) {
        works->n_free = 0; /* their threads stayed in the parent; to free them would wait */
        works->pid = (long)getpid();
    }
    if (works->n_free > 0) {
        return works->free[--works->n_free];
    }
    const ss_status status = ss_work_new(works->n_threads, &work, &err);
    return core_succeeded(&call, status, &err) ? work : NULL;
}

void core_work_give(struct core_works *works, ss_work *work)
{
    ss_work_set_progress(work, (struct ss_progress_callback){NULL, NULL});
    if (works->n_free < CORE_MAX_WORKS && works->pid == (long)getpid()) {
        works->free[works->n_free++] = work;
    } else {
        ss_work_free(work);
    }
}

void core_works_release(struct core_works *works)
{
    const bool is_mine = works->pid == (long)getpid();
    while (is_mine && works->n_free > 0) {
        ss_work_free(works->free[--works->n_free]);
    }
}
