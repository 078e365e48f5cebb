/* Sorting and searching arrays that may be empty: the functions of the C library want a pointer
 * even for no items, and empty arrays here have none. Items that compare equal come in any order, so
 * a comparison whose order shows in a file decides ties itself, by an index at the end. */
#ifndef SS_BASE_SORT_H
#define SS_BASE_SORT_H

#include <stddef.h>

/* Sort [n] items of `size` bytes in place; of none `items` may be NULL. Needs no memory of ours.
 *
 * Threads  any */
void ss__sort(void *items, size_t n, size_t size, int (*compare)(const void *, const void *));
/* The same with something for the comparison to look at. */
void ss__sort_with(void *items, size_t n, size_t size,
                   int (*compare)(const void *, const void *, void *), void *user);
/* An item of a sorted array that compares equal to `key`, or NULL. */
void *ss__search(const void *key, const void *items, size_t n, size_t size,
                 int (*compare)(const void *, const void *));

#endif
