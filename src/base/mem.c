#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, HUGE_PAGE_BYTES = 2 << 20 };

void *ss__alloc(size_t n, size_t size)
{
    size_t n_bytes = 0;
    if (!ss__mul(n, size, &n_bytes)) {
        return NULL;
    }
    return calloc(1, n_bytes == 0 ? 1 : n_bytes);
}

void *ss__alloc_aligned(size_t n, size_t size)
{
    size_t n_bytes = 0;
    if (!ss__mul(n, size, &n_bytes) || n_bytes > SIZE_MAX - HUGE_PAGE_BYTES) {
        return NULL;
    }
    const size_t alignment = n_bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : ALIGNMENT;
    const size_t whole = ss__round_up(n_bytes == 0 ? 1 : n_bytes, ALIGNMENT);
    void *block = NULL;
    if (posix_memalign(&block, alignment, whole) != 0) {
        return NULL;
    }
    if (n_bytes >= HUGE_PAGE_BYTES) {
        (void)madvise(block, n_bytes, MADV_HUGEPAGE); /* a hint: failing changes only speed */
    }
    return block;
}

void *ss__realloc(void *block, size_t n, size_t size)
{
    size_t n_bytes = 0;
    if (!ss__mul(n, size, &n_bytes)) {
        return NULL;
    }
    return realloc(block, n_bytes == 0 ? 1 : n_bytes);
}

void ss__free(void *block)
{
    free(block);
}

char *ss__strndup(const char *text, size_t n_bytes)
{
    char *copy = n_bytes == SIZE_MAX ? NULL : ss__alloc(n_bytes + 1, 1);
    if (copy != NULL && n_bytes > 0) {
        memcpy(copy, text, n_bytes);
    }
    return copy;
}

char *ss__strdup(const char *text)
{
    return ss__strndup(text, strlen(text));
}

bool ss__grow(void **pointer, size_t *room, size_t needed, size_t size)
{
    if (needed <= *room) {
        return true;
    }
    size_t larger = *room < 16 ? 16 : *room + *room / 2;
    if (larger < needed) {
        larger = needed;
    }
    void *grown = ss__realloc(*pointer, larger, size);
    if (grown == NULL) {
        return false;
    }
    *pointer = grown;
    *room = larger;
    return true;
}
