/* The file has no name from the beginning (O_TMPFILE, else unlinked at once), so that
 * nothing of it is left whatever ends the process. */
#include "base/spool.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/temporary.h"

enum { CHUNK_BYTES = 1 << 18 };
#define WHAT SS__TEMPORARY_UNNAMED

ss_status ss__spool_open(struct ss__spool *spool, ss_err *err)
{
    int descriptor = -1;
    *spool = (struct ss__spool){0};
    const ss_status status = ss__temporary_unnamed(&descriptor, err);
    spool->handle = descriptor + 1;
    return status;
}

/* What was gathered goes to the file; the buffer keeps its memory. */
static ss_status flush(struct ss__spool *spool, ss_err *err)
{
    const ss_status status =
        ss__write_all(spool->handle - 1, WHAT, spool->buf.data, spool->buf.n_bytes, err);
    spool->buf.n_bytes = 0;
    return status;
}

ss_status ss__spool_add(struct ss__spool *spool, const void *data, size_t n_bytes, ss_err *err)
{
    ss__buf_add(&spool->buf, data, n_bytes);
    SS_RETURN_IF_ERROR(ss__buf_check(&spool->buf, err));
    if (spool->buf.n_bytes >= CHUNK_BYTES) {
        SS_RETURN_IF_ERROR(flush(spool, err));
    }
    return SS_OK;
}

/* From here on nothing is added: the buffer becomes that of reading. */
ss_status ss__spool_rewind(struct ss__spool *spool, ss_err *err)
{
    if (!spool->is_reading) {
        SS_RETURN_IF_ERROR(flush(spool, err));
        spool->is_reading = true;
    }
    spool->buf.n_bytes = spool->at = 0;
    if (lseek(spool->handle - 1, 0, SEEK_SET) < 0) {
        return ss__fail_errno(err, WHAT, "read", errno);
    }
    return SS_OK;
}

/* More bytes into the buffer, whose own were all read. */
static ss_status refill(struct ss__spool *spool, ss_err *err)
{
    spool->buf.n_bytes = spool->at = 0;
    char *place = ss__buf_reserve(&spool->buf, CHUNK_BYTES);
    SS_RETURN_IF_ERROR(ss__buf_check(&spool->buf, err));
    for (;;) {
        const ssize_t n = read(spool->handle - 1, place, CHUNK_BYTES);
        if (n > 0) {
            spool->buf.n_bytes = (size_t)n;
            break;
        }
        if (n == 0 || errno != EINTR) {
            return ss__fail_errno(err, WHAT, "read", n == 0 ? EIO : errno);
        }
    }
    return SS_OK;
}

/* Callers know how much there is, so an early end is a fault of the file and not of theirs. */
ss_status ss__spool_read(struct ss__spool *spool, void *out, size_t n_bytes, ss_err *err)
{
    for (char *to = out; n_bytes > 0;) {
        if (spool->at == spool->buf.n_bytes) {
            SS_RETURN_IF_ERROR(refill(spool, err));
        }
        const size_t n = ss__min_size(n_bytes, spool->buf.n_bytes - spool->at);
        memcpy(to, spool->buf.data + spool->at, n);
        spool->at += n;
        to += n;
        n_bytes -= n;
    }
    return SS_OK;
}

void ss__spool_close(struct ss__spool *spool)
{
    if (spool->handle > 0) {
        close(spool->handle - 1);
    }
    ss__buf_release(&spool->buf);
    *spool = (struct ss__spool){0};
}
