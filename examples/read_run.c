/* Read the results of an analysis and print the top texts of some features:
 *     read_run RUN FEATURE… */
#include <stdio.h>
#include <stdlib.h>

#include <saescope.h>

enum { N_TEXTS = 5, MAX_BYTES = 72 };

static void print_text(const struct ss_top_text *top)
{
    size_t n = top->text.n_bytes;
    if (n > MAX_BYTES) { /* cut between characters of UTF-8 */
        n = MAX_BYTES;
        while (n > 0 && ((unsigned char)top->text.data[n] & 0xC0) == 0x80) {
            n--;
        }
    }
    printf("    %6.2f  %.*s%s\n", (double)top->activation, (int)n, top->text.data,
           n < top->text.n_bytes ? "…" : "");
}

int main(int n, char **words)
{
    ss_run *run = NULL;
    struct ss_run_info info = {.struct_size = sizeof info};
    ss_err err;
    if (n < 3) {
        fprintf(stderr, "usage: read_run RUN FEATURE...\n");
        return 64;
    }
    const ss_status status = ss_run_open(words[1], NULL, &run, &err);
    if (status != SS_OK) {
        fprintf(stderr, "%s\n", err.message);
        return ss_status_exit_code(status);
    }
    ss_run_describe(run, &info);
    for (int i = 2; i < n; i++) {
        const size_t feature = (size_t)strtoul(words[i], NULL, 10);
        struct ss_feature facts = {.struct_size = sizeof facts};
        struct ss_top_text top = {.struct_size = sizeof top};
        if (feature >= info.n_features) {
            continue;
        }
        ss_run_feature(run, feature, &facts);
        printf("\n  feature %zu fires on %.2f %% of the texts\n", feature,
               (double)facts.rate_pct);
        for (size_t rank = 0; rank < facts.n_top && rank < N_TEXTS; rank++) {
            ss_run_top(run, feature, rank, &top);
            print_text(&top);
        }
    }
    ss_run_free(run);
    return 0;
}
