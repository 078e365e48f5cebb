/* How far two names are from each other, for messages that suggest what was meant: the distance
 * of Damerau and Levenshtein in its restricted form (insert, delete, change, swap of
 * neighbours), over bytes, by the table of all prefixes. Names are cut at MAX_BYTES, beyond
 * which nobody misspells one. */
#include <string.h>

#include "base/mem.h"
#include "saescope_tools.h"

enum { MAX_BYTES = 48 };

size_t ss_edit_distance(const char *a, const char *b)
{
    size_t table[MAX_BYTES + 1][MAX_BYTES + 1];
    const size_t n = ss__min_size(strlen(a), MAX_BYTES), m = ss__min_size(strlen(b), MAX_BYTES);
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                table[i][j] = i + j;
                continue;
            }
            const size_t change = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            table[i][j] =
                ss__min_size(change, 1 + ss__min_size(table[i - 1][j], table[i][j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                table[i][j] = ss__min_size(table[i][j], table[i - 2][j - 2] + 1);
            }
        }
    }
    return table[n][m];
}
