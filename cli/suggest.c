/* What a mistyped word most likely means: the nearest name by edits, if it is near enough. */
#include <string.h>

#include "cli.h"

const char *cli_suggest(const char *word, const char *(*name_at)(const void *, size_t),
                        const void *names, size_t n)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) < 4 ? 2 : 4;
    for (size_t i = 0; i < n; i++) {
        const char *name = name_at(names, i);
        const size_t n_word = strlen(word);
        size_t distance = ss_edit_distance(word, name);
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
