/* What a mistyped word most likely means: the nearest name by edits, if it is near enough. */
#include <string.h>

#include "cli.h"

enum { MAX_WORD = 40 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits (insert, drop, change, swap of neighbours) from a to b. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t table[MAX_WORD + 1][MAX_WORD + 1];
    const size_t n = least(strlen(a), MAX_WORD), m = least(strlen(b), MAX_WORD);
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                table[i][j] = i + j;
                continue;
            }
            const size_t change = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            table[i][j] = least(change, 1 + least(table[i - 1][j], table[i][j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                table[i][j] = least(table[i][j], table[i - 2][j - 2] + 1);
            }
        }
    }
    return table[n][m];
}

const char *cli_suggest(const char *word, const char *(*name_at)(const void *, size_t),
                        const void *names, size_t n)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) < 4 ? 2 : 4;
    for (size_t i = 0; i < n; i++) {
        const char *name = name_at(names, i);
        const size_t n_word = strlen(word);
        size_t distance = edit_distance(word, name);
        if (n_word >= 3 && strncmp(word, name, n_word) == 0) {
            distance = 1; /* the beginning of a name */
        }
        if (distance < best_distance && distance < strlen(name)) {
            best = name;
            best_distance = distance;
        }
    }
    return best;
}
