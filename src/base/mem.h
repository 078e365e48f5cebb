/* Memory: the only place of the library that calls the allocator, which is the C library's or
 * the one that ss_set_allocator was given.
 *
 * Every size is checked for overflow; failure is a NULL that the caller turns into SS_E_NOMEM
 * (SS_ALLOC does both). All of it is released with ss__free. Threads: any. */
#ifndef SS_BASE_MEM_H
#define SS_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* n * size zeroed bytes, or NULL. A zero size gives a pointer that can be released. */
void *ss__alloc(size_t n, size_t size);

/* As ss__alloc, aligned to 64 bytes and not zeroed. Large blocks ask for huge pages. */
void *ss__alloc_aligned(size_t n, size_t size);

/* Resize to n * size bytes; on failure NULL, and `block` stays as it is. */
void *ss__realloc(void *block, size_t n, size_t size);
void ss__free(void *block);

/* How many allocations of this thread have failed so far. Whoever guesses what a file is
 * compares it before and after, so that memory that ran out is no answer. */
size_t ss__mem_n_failed(void);

/* Copies, terminated; NULL where there is no memory. */
char *ss__strndup(const char *text, size_t n_bytes);
char *ss__strdup(const char *text);

/* Make room for n elements behind `pointer`, zeroed; needs `status`, `err` and `out`. */
#define SS_ALLOC(pointer, n)                                                                   \
    do {                                                                                       \
        (pointer) = ss__alloc((n), sizeof *(pointer));                                         \
        if ((pointer) == NULL) {                                                               \
            status = ss__fail_nomem(err, #pointer);                                            \
            goto out;                                                                          \
        }                                                                                      \
    } while (0)

/* The same where nothing is owned yet; needs `err`. */
#define SS_ALLOC_OR_RETURN(pointer, n)                                                         \
    do {                                                                                       \
        (pointer) = ss__alloc((n), sizeof *(pointer));                                         \
        if ((pointer) == NULL) {                                                               \
            return ss__fail_nomem(err, #pointer);                                              \
        }                                                                                      \
    } while (0)

/* As SS_ALLOC, 64-byte aligned and not zeroed. */
#define SS_ALLOC_ALIGNED(pointer, n)                                                           \
    do {                                                                                       \
        (pointer) = ss__alloc_aligned((n), sizeof *(pointer));                                 \
        if ((pointer) == NULL) {                                                               \
            status = ss__fail_nomem(err, #pointer);                                            \
            goto out;                                                                          \
        }                                                                                      \
    } while (0)

#define SS_ALLOC_ALIGNED_OR_RETURN(pointer, n)                                                 \
    do {                                                                                       \
        (pointer) = ss__alloc_aligned((n), sizeof *(pointer));                                 \
        if ((pointer) == NULL) {                                                               \
            return ss__fail_nomem(err, #pointer);                                              \
        }                                                                                      \
    } while (0)

/* *pointer grows to hold at least `needed` elements of `size` bytes, of which it holds
 * *capacity. New elements are not zeroed. False, and nothing changed, where there is no
 * memory. */
SS_MUST_USE bool ss__grow(void **pointer, size_t *capacity, size_t needed, size_t size);

/* SS_GROW(array, capacity, needed): ss__grow with the element size, failing to `out`. */
#define SS_GROW(pointer, capacity, needed)                                                     \
    do {                                                                                       \
        void *grown_ = (pointer);                                                              \
        if (!ss__grow(&grown_, &(capacity), (needed), sizeof *(pointer))) {                    \
            status = ss__fail_nomem(err, #pointer);                                            \
            goto out;                                                                          \
        }                                                                                      \
        (pointer) = grown_;                                                                    \
    } while (0)

/* The same where nothing is owned; needs `err`. */
#define SS_GROW_OR_RETURN(pointer, capacity, needed)                                           \
    do {                                                                                       \
        void *grown_ = (pointer);                                                              \
        if (!ss__grow(&grown_, &(capacity), (needed), sizeof *(pointer))) {                    \
            return ss__fail_nomem(err, #pointer);                                              \
        }                                                                                      \
        (pointer) = grown_;                                                                    \
    } while (0)

/* Checked arithmetic: false on overflow. */
static inline bool ss__mul(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

static inline bool ss__add(size_t a, size_t b, size_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

static inline bool ss__mul_u64(uint64_t a, uint64_t b, uint64_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

static inline bool ss__add_u64(uint64_t a, uint64_t b, uint64_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

static inline size_t ss__min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline uint64_t ss__min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline size_t ss__max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* How many parts of `by` make n, the last one perhaps smaller. */
static inline size_t ss__divide_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

/* The smallest multiple of `step` that is not below n. */
static inline size_t ss__round_up(size_t n, size_t step)
{
    return (n + step - 1) / step * step;
}

#endif
