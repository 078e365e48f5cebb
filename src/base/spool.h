/* Bytes that are written once and then read, in order, from a file without a name: what is too
 * much for memory and needed again before the end. */
#ifndef SS_BASE_SPOOL_H
#define SS_BASE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* A zeroed struct is closed. Bytes pass through one buffer, first of those to be written, then
 * of those that were read. */
struct ss__spool {
    int handle; /* descriptor + 1; 0: not open */
    bool is_reading;
    struct ss__buf buf; /* buffered bytes */
    size_t at;          /* of the next byte to read in it */
};

/* Open one in $TMPDIR, else /tmp. The space is given back when it is closed, or the program
 * ends. Errors: SS_E_IO. One thread at a time. */
SS_MUST_USE ss_status ss__spool_open(struct ss__spool *spool, ss_err *err);
SS_MUST_USE ss_status ss__spool_add(struct ss__spool *spool, const void *data, size_t n_bytes,
                                    ss_err *err);

/* Read from the beginning; nothing is added after the first call. */
SS_MUST_USE ss_status ss__spool_rewind(struct ss__spool *spool, ss_err *err);
/* The next n_bytes, all of which are there. */
SS_MUST_USE ss_status ss__spool_read(struct ss__spool *spool, void *out, size_t n_bytes,
                                     ss_err *err);
void ss__spool_close(struct ss__spool *spool);

#endif
