/* Cancellation: loops poll the caller's stop callback at most once in SS__ASK_MS, however fast
 * they run. */
#ifndef SS_BASE_STOP_H
#define SS_BASE_STOP_H

#include <stdbool.h>

#include "base/error.h"

enum { SS__ASK_MS = 100 };

/* Seconds of the monotonic clock, for lengths of time. Threads: any. */
double ss__seconds_now(void);

/* Zeroed: no callback, never stopped. */
struct ss__asking {
    struct ss_progress_callback stop;
    double asked; /* time of the last call, monotonic clock */
};

/* Call the callback now. False where there is none. */
bool ss__stop_requested(const struct ss_progress_callback *stop);

/* Call it, but not within SS__ASK_MS of the last time: returns false then. `asking` may be
 * NULL. */
bool ss__is_stopped(struct ss__asking *asking);

/* The same as a status: SS_E_STOPPED, "stopped on request". */
SS_MUST_USE ss_status ss__check_stop(struct ss__asking *asking, ss_err *err);

SS_MUST_USE ss_status ss__fail_stopped(ss_err *err);

/* Work that takes long and is no pass through rows, told of at SS_STAGE_STEP. `name` and `unit`
 * (a singular) are borrowed for as long as it is told of. */
struct ss__step {
    struct ss_progress_callback callback; /* zeroed: nobody is told */
    const char *name, *unit;
    double began, told; /* monotonic clock */
};
void ss__step_begin(struct ss__step *step, struct ss_progress_callback callback,
                    const char *name, const char *unit);
/* Tell that n_done of n_total parts are done, at most once in SS__ASK_MS but for the beginning
 * and the end. Errors: SS_E_STOPPED, if the callback asks for it. */
SS_MUST_USE ss_status ss__step_tell(struct ss__step *step, uint64_t n_done, uint64_t n_total,
                                    ss_err *err);

#endif
