/* The callback is the caller's and may be slow, so it is asked by the clock and not by the
 * step: loops may ask after every row, and the callback hears of it ten times a second. */
#include "base/stop.h"

#include <time.h>

double ss__seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool ss__stop_requested(const struct ss_progress_callback *stop)
{
    const struct ss_progress waiting = {
        .struct_size = sizeof waiting, .stage = SS_STAGE_WAIT, .name = ""};
    return stop->fn != NULL && stop->fn(stop->user, &waiting) != 0;
}

bool ss__is_stopped(struct ss__asking *asking)
{
    if (asking == NULL || asking->stop.fn == NULL) {
        return false;
    }
    const double seconds = ss__seconds_now();
    if (seconds - asking->asked < 1e-3 * SS__ASK_MS) {
        return false;
    }
    asking->asked = seconds;
    return ss__stop_requested(&asking->stop);
}

ss_status ss__check_stop(struct ss__asking *asking, ss_err *err)
{
    return ss__is_stopped(asking) ? ss__fail_stopped(err) : SS_OK;
}

ss_status ss__fail_stopped(ss_err *err)
{
    return ss__fail(err, SS_E_STOPPED, "stopped on request");
}

/* ---- steps ---- */

void ss__step_begin(struct ss__step *step, struct ss_progress_callback callback,
                    const char *name, const char *unit)
{
    *step = (struct ss__step){
        .callback = callback, .name = name, .unit = unit, .began = ss__seconds_now()};
}

ss_status ss__step_tell(struct ss__step *step, uint64_t n_done, uint64_t n_total, ss_err *err)
{
    if (step->callback.fn == NULL) {
        return SS_OK;
    }
    const double now = ss__seconds_now();
    const bool is_end = n_done >= n_total;
    if (!is_end && n_done > 0 && now - step->told < 1e-3 * SS__ASK_MS) {
        return SS_OK;
    }
    step->told = now;
    const struct ss_progress progress = {.struct_size = sizeof progress,
                                         .stage = SS_STAGE_STEP,
                                         .n_rows_done = n_done,
                                         .n_rows_total = n_total,
                                         .seconds = now - step->began,
                                         .name = step->name,
                                         .is_end = is_end,
                                         .unit = step->unit};
    return step->callback.fn(step->callback.user, &progress) != 0 ? ss__fail_stopped(err)
                                                                  : SS_OK;
}
