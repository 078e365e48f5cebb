/* A growing run of bytes. A zeroed struct is an empty buffer. One thread at a time.
 *
 * Appending never fails on the spot, so that code which writes text reads like the text;
 * whoever needs the result asks once. */
#ifndef SS_BASE_BUF_H
#define SS_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/error.h"

/* Owned by whoever declares it (ss__buf_release), which may take `data` out of it
 * (ss__free). */
struct ss__buf {
    char *data; /* not terminated unless ss__buf_text was called */
    size_t n_bytes;
    size_t capacity;
    bool failed; /* an append ran out of memory; later ones do nothing */
};

/* Appending never fails on the spot: it sets `failed`, which ss__buf_check turns into a status,
 * so that writers of text need one test at the end. */
void ss__buf_add(struct ss__buf *buf, const void *data, size_t n_bytes);
void ss__buf_add_text(struct ss__buf *buf, const char *text);
void ss__buf_add_byte(struct ss__buf *buf, char byte);
void ss__buf_printf(struct ss__buf *buf, const char *format, ...) SS_PRINTF(2, 3);

/* Begin item i of the n in a list within a message: put ", " between items, and true. Where
 * the list has grown long, one " and 12 more" for what is left of it, and false. */
bool ss__buf_begin_item(struct ss__buf *list, size_t i, size_t n);

/* Have capacity for n_bytes more and return where they go, or NULL; the caller adds to n_bytes.
 * The pointer holds until the next append. */
void *ss__buf_reserve(struct ss__buf *buf, size_t n_bytes);

/* SS_E_NOMEM if an append failed; then the content is incomplete and not to be used. */
SS_MUST_USE ss_status ss__buf_check(const struct ss__buf *buf, ss_err *err);

/* The content as a terminated string, or NULL when memory ran out. The NUL is not counted in
 * n_bytes, and the next append overwrites it. */
const char *ss__buf_text(struct ss__buf *buf);

void ss__buf_release(struct ss__buf *buf);

#endif
