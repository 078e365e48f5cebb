/* Dataset cards and listings: the text before the first NUL is a README, the lines behind it
 * are paths, of which the first two are what is asked for. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/repo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MAX_PATHS = 64 };

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *zero = memchr(data, 0, n);
    const size_t n_card = zero == NULL ? n : (size_t)(zero - (const char *)data);
    char *lines = ss__strndup((const char *)data + n_card, 0);
    if (zero != NULL) {
        ss__free(lines);
        lines = ss__strndup(zero + 1, n - n_card - 1);
    }
    const char *paths[MAX_PATHS], *rest = NULL;
    char *save = NULL;
    size_t n_paths = 0;
    for (char *line = strtok_r(lines, "\n", &save); line != NULL && n_paths < MAX_PATHS;
         line = strtok_r(NULL, "\n", &save)) {
        paths[n_paths++] = line;
    }
    const struct ss__repo_wish wish = {n_paths > 3 ? paths[1] : rest,
                                       n_paths > 2 ? paths[0] : rest};
    qsort(paths, n_paths, sizeof *paths, compare);
    struct ss__repo_card card = {.configs = NULL};
    struct ss__repo_choice choice;
    ss_err err;
    if (ss__repo_card_read("fuzz", (struct ss_text){(const char *)data, n_card},
                           n_card % 2 == 1, &card, &err) == SS_OK) {
        const struct ss__repo repo = {"fuzz", paths, n_paths, &card};
        if (ss__repo_choose(&repo, &wish, &choice, &err) == SS_OK) {
            ss__repo_choice_release(&choice);
        }
    }
    ss__repo_card_release(&card);
    ss__free(lines);
    return 0;
}
