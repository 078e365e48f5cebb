/* The callback is the caller's and may be slow, so it is asked by the clock and not by the
 * step: loops may ask after every row, and the callback hears of it ten times a second. */
#include "base/stop.h"

#include <time.h>

bool ss__stop_requested(const struct ss_progress_callback *stop)
{
    const struct ss_progress waiting = {
        .struct_size = sizeof waiting, .stage = SS_STAGE_WAIT, .name = ""};
    return stop->fn != NULL && stop->fn(stop->user, &waiting) != 0;
}

bool ss__is_stopped(struct ss__asking *asking)
{
    struct timespec now;
    if (asking == NULL || asking->stop.fn == NULL) {
        return false;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    const double seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
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
