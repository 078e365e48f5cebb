/* Sizes are multiplied and added with a check; a size of 0 is served as 1, so that NULL means
 * failure and nothing else.
 *
 * This is the one place where a test can make the n-th allocation fail, and where a host's
 * allocator is called; so nothing else in the library calls malloc (tests/layers looks at the
 * symbols). */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SMALL_ALIGNMENT = 16, ALIGNMENT = 64, HUGE_PAGE_BYTES = 2 << 20 };

/* The caller's allocator, if there is one. It is set before anything is allocated, and then
 * never again, so that threads read it without a lock. */
static struct ss_allocator allocator;
static atomic_bool is_in_use;

ss_status ss_set_allocator(const struct ss_allocator *given, ss_err *err)
{
    if (given->allocate == NULL || given->reallocate == NULL || given->release == NULL) {
        return ss__fail(err, SS_E_USAGE, "an allocator needs all three functions");
    }
    if (atomic_load(&is_in_use)) {
        return ss__fail(err, SS_E_USAGE,
                        "the allocator cannot be changed any more: the library has memory "
                        "already; set it before the first call of another function");
    }
    allocator = *given;
    return SS_OK;
}

static bool has_allocator(void)
{
    if (!atomic_load_explicit(&is_in_use, memory_order_relaxed)) {
        atomic_store(&is_in_use, true);
    }
    return allocator.allocate != NULL;
}

static _Thread_local size_t n_failed;

size_t ss__mem_n_failed(void)
{
    return n_failed;
}

static void *counted(void *block)
{
    n_failed += block == NULL;
    return block;
}

void *ss__alloc(size_t n, size_t size)
{
    size_t n_bytes = 0;
    if (!ss__mul(n, size, &n_bytes)) {
        return NULL;
    }
    n_bytes = n_bytes == 0 ? 1 : n_bytes;
    if (!has_allocator()) {
        return counted(calloc(1, n_bytes));
    }
    void *block = allocator.allocate(allocator.user, n_bytes, SMALL_ALIGNMENT);
    if (block != NULL) {
        memset(block, 0, n_bytes);
    }
    return counted(block);
}

/* Weights and scratch are read by all cores in long runs: huge pages save most of the misses of
 * the address cache. Alignment to a cache line serves the widest loads. */
void *ss__alloc_aligned(size_t n, size_t size)
{
    size_t n_bytes = 0;
    if (!ss__mul(n, size, &n_bytes) || n_bytes > SIZE_MAX - HUGE_PAGE_BYTES) {
        return NULL;
    }
    const size_t alignment = n_bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : ALIGNMENT;
    const size_t whole = ss__round_up(n_bytes == 0 ? 1 : n_bytes, ALIGNMENT);
    void *block = NULL;
    if (has_allocator()) {
        return counted(allocator.allocate(allocator.user, whole, ALIGNMENT));
    }
    if (posix_memalign(&block, alignment, whole) != 0) {
        return counted(NULL);
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
    n_bytes = n_bytes == 0 ? 1 : n_bytes;
    return counted(has_allocator() ? allocator.reallocate(allocator.user, block, n_bytes)
                                   : realloc(block, n_bytes));
}

void ss__free(void *block)
{
    if (allocator.release != NULL) {
        allocator.release(allocator.user, block);
        return;
    }
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

/* By half, so that a list of n costs O(n) copies and at most a third of its memory stands
 * empty. */
bool ss__grow(void **pointer, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity) {
        return true;
    }
    size_t larger = *capacity < 16 ? 16 : *capacity + *capacity / 2;
    if (larger < needed) {
        larger = needed;
    }
    void *grown = ss__realloc(*pointer, larger, size);
    if (grown == NULL) {
        return false;
    }
    *pointer = grown;
    *capacity = larger;
    return true;
}
