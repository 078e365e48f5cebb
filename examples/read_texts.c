/* Print the texts of a dataset, one line each, with a line break in a text as \n; "-" stands
 * for an option that is not given: read_texts DATASET [COLUMN [SPLIT [CONFIG [CSV [FIELD]]]]] */
#include <stdio.h>
#include <string.h>

#include <saescope.h>

static const char *word(int n, char **words, int i)
{
    return i < n && strcmp(words[i], "-") != 0 ? words[i] : NULL;
}

static void print_text(struct ss_text text)
{
    for (const char *at = text.data, *end = at + text.n_bytes; at < end;) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        fwrite(at, 1, (size_t)((feed == NULL ? end : feed) - at), stdout);
        fputs(feed == NULL ? "" : "\\n", stdout);
        at = feed == NULL ? end : feed + 1;
    }
    putchar('\n');
}

static void say(void *user, ss_level level, const char *sentence)
{
    (void)user;
    fprintf(stderr, "%s: %s\n", level == SS_LEVEL_WARNING ? "warning" : "notice", sentence);
}

int main(int n, char **words)
{
    ss_dataset *dataset = NULL;
    struct ss_row row = {.struct_size = sizeof row};
    bool has_row = true;
    ss_err err;
    unsigned long long n_rows = 0, n_bytes = 0;
    if (n < 2 || n > 7) {
        fprintf(stderr, "usage: read_texts DATASET [COLUMN [SPLIT [CONFIG [CSV [FIELD]]]]]\n");
        return 64;
    }
    const char *const paths[] = {words[1]};
    const struct ss_dataset_options options = {.struct_size = sizeof options,
                                               .text_column = word(n, words, 2),
                                               .split = word(n, words, 3),
                                               .config = word(n, words, 4),
                                               .csv = word(n, words, 5),
                                               .field = word(n, words, 6),
                                               .log = {say, NULL}};
    ss_status status = ss_dataset_open(paths, 1, &options, &dataset, &err);
    while (status == SS_OK && has_row) {
        status = ss_dataset_next(dataset, &row, &has_row, &err);
        if (status == SS_OK && has_row && row.kind != SS_ROW_BAD) {
            print_text(row.text);
            n_rows++;
            n_bytes += row.text.n_bytes;
        }
    }
    ss_dataset_close(dataset);
    fprintf(stderr, "%llu rows, %llu bytes\n", n_rows, n_bytes);
    if (status != SS_OK) {
        fprintf(stderr, "%s\n", err.message);
    }
    return ss_status_exit_code(status);
}
