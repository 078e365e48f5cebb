/* Asking whether to stop, in loops that are faster than the question is worth. */
#ifndef SS_BASE_STOP_H
#define SS_BASE_STOP_H

#include <stdbool.h>

#include "base/error.h"

enum { SS__ASK_MS = 100 };

/* Zeroed, nobody asks. */
struct ss__asking {
    struct ss_progress_callback stop;
    double asked; /* when, by a clock that only goes on */
};

/* Ask now. False where there is nobody to ask. */
bool ss__stop_says_so(const struct ss_progress_callback *stop);

/* Ask, but not within SS__ASK_MS of the last time. `asking` may be NULL. */
bool ss__is_stopped(struct ss__asking *asking);

/* The same as a status: SS_E_STOPPED, "stopped on request". */
SS_MUST_USE ss_status ss__check_stop(struct ss__asking *asking, ss_err *err);

SS_MUST_USE ss_status ss__fail_stopped(ss_err *err);

#endif
