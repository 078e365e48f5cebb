/* A failure is remembered in the buffer, so that callers append without asking and check
 * once at the end (ss__buf_check); nothing is appended behind a failure. */
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"

/* Room behind the content; nothing counts as written until the caller adds to n_bytes. */
void *ss__buf_reserve(struct ss__buf *buf, size_t n_bytes)
{
    size_t needed = 0;
    void *data = buf->data;
    if (buf->failed || !ss__add(buf->n_bytes, n_bytes, &needed) ||
        !ss__grow(&data, &buf->capacity, needed, 1)) {
        buf->failed = true;
        return NULL;
    }
    buf->data = data;
    return buf->data + buf->n_bytes;
}

void ss__buf_add(struct ss__buf *buf, const void *data, size_t n_bytes)
{
    void *end = n_bytes == 0 ? NULL : ss__buf_reserve(buf, n_bytes);
    if (end != NULL) {
        memcpy(end, data, n_bytes);
        buf->n_bytes += n_bytes;
    }
}

void ss__buf_add_text(struct ss__buf *buf, const char *text)
{
    ss__buf_add(buf, text, strlen(text));
}

void ss__buf_add_byte(struct ss__buf *buf, char byte)
{
    ss__buf_add(buf, &byte, 1);
}

/* Twice over the arguments: for the length, and then in place. */
void ss__buf_printf(struct ss__buf *buf, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int length = ss__vsnprintf(NULL, 0, format, arguments);
    char *end = length < 0 ? NULL : ss__buf_reserve(buf, (size_t)length + 1);
    if (end != NULL) {
        ss__vsnprintf(end, (size_t)length + 1, format, again);
        buf->n_bytes += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

ss_status ss__buf_check(const struct ss__buf *buf, ss_err *err)
{
    return buf->failed ? ss__fail_nomem(err, "text") : SS_OK;
}

bool ss__buf_begin_item(struct ss__buf *list, size_t i, size_t n)
{
    enum { MAX_LIST_BYTES = 500 };
    if (list->n_bytes > MAX_LIST_BYTES) {
        ss__buf_printf(list, " and %zu more", n - i);
        return false;
    }
    ss__buf_add_text(list, i == 0 ? "" : ", ");
    return true;
}

/* The 0 byte is behind the content and not counted, so more can be appended over it. */
const char *ss__buf_text(struct ss__buf *buf)
{
    char *end = ss__buf_reserve(buf, 1);
    if (end == NULL) {
        return NULL;
    }
    *end = '\0';
    return buf->data;
}

void ss__buf_release(struct ss__buf *buf)
{
    ss__free(buf->data);
    *buf = (struct ss__buf){0};
}
