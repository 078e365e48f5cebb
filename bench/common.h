/* What the measuring programs share: a clock, an end with a sentence, and texts in memory. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stddef.h>

#include "saescope.h"

double bench_now(void); /* seconds */

/* End the program with the error's sentence and exit code, unless the status is SS_OK. */
void bench_stop_if(ss_status status, const ss_err *err);

struct bench_texts {
    struct ss_text *all;
    size_t n, n_room, n_bytes;
};

/* The precision of a name; ends the program where there is none of that name. */
ss_precision bench_precision(const char *name);

/* All texts of a dataset; ends the program on an error. */
void bench_texts_read(const char *path, struct bench_texts *out);
void bench_texts_release(struct bench_texts *texts);

#endif
