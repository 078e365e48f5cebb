/* Dataset cards and listings: the text before the first NUL is a README; of the lines behind it
 * the first two are the configuration and the split that are asked for, "-" for none, the
 * others paths. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "repo/repo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MAX_LINES = 64 };

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *wish_of(const char *line)
{
    return strcmp(line, "-") == 0 ? NULL : line;
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
    const char *items[MAX_LINES] = {"-", "-"};
    const char *const *paths = items + 2;
    char *save = NULL;
    size_t n_lines = 0;
    for (char *line = strtok_r(lines, "\n", &save); line != NULL && n_lines < MAX_LINES;
         line = strtok_r(NULL, "\n", &save)) {
        items[n_lines++] = line;
    }
    const size_t n_paths = n_lines > 2 ? n_lines - 2 : 0;
    const struct ss_repo_request request = {wish_of(items[0]), wish_of(items[1])};
    qsort(items + 2, n_paths, sizeof *items, compare);
    struct ss_repo_card card = {.configs = NULL};
    struct ss_repo_choice choice;
    ss_err err;
    if (ss_repo_card_read("fuzz", (struct ss_text){(const char *)data, n_card}, n_card % 2 == 1,
                          &card, &err) == SS_OK) {
        const struct ss_repo repo = {
            .name = "fuzz", .paths = paths, .n_paths = n_paths, .card = &card};
        if (ss_repo_choose(&repo, &request, &choice, &err) == SS_OK) {
            ss_repo_choice_release(&choice);
        }
    }
    ss_repo_card_release(&card);
    ss__free(lines);
    return 0;
}
