/* Where test files of a family lie: in the collection beside the checkout, which holds other
 * projects' files too, else in the tree, which has our own (tools/take_corpora.py). */
#ifndef CORPORA_H
#define CORPORA_H

#include <stdio.h>
#include <unistd.h>

static inline void corpora_folder(char *out, size_t n, const char *family)
{
    snprintf(out, n, "%s/corpora/%s/MANIFEST.tsv", SS_TEST_SHARED, family);
    const char *place = access(out, R_OK) == 0 ? SS_TEST_SHARED : SS_TEST_DATA;
    snprintf(out, n, "%s/corpora/%s", place, family);
}

#endif
