/* qsort and bsearch for arrays that may be empty. */
#include "base/sort.h"

#include <stdlib.h>

void ss__sort(void *items, size_t n, size_t size, int (*compare)(const void *, const void *))
{
    if (n > 1) {
        qsort(items, n, size, compare);
    }
}

void ss__sort_with(void *items, size_t n, size_t size,
                   int (*compare)(const void *, const void *, void *), void *user)
{
    if (n > 1) {
        qsort_r(items, n, size, compare, user);
    }
}

void *ss__search(const void *key, const void *items, size_t n, size_t size,
                 int (*compare)(const void *, const void *))
{
    return n == 0 ? NULL : bsearch(key, items, n, size, compare);
}
