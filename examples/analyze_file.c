/* Analyse a file with a callback for progress, and print how many features are dead:
 *     analyze_file MODEL SAE FILE */
#include <stdio.h>

#include <saescope.h>

static int show(void *user, const struct ss_progress *progress)
{
    (void)user;
    if (progress->stage == SS_STAGE_ROWS) {
        fprintf(stderr, "\r%llu rows", (unsigned long long)progress->n_rows_done);
    }
    return 0; /* another value would stop the work */
}

int main(int n, char **words)
{
    ss_encoder *encoder = NULL;
    ss_sae *sae = NULL;
    ss_dataset *dataset = NULL;
    ss_run *run = NULL;
    struct ss_run_info info = {.struct_size = sizeof info};
    ss_err err;
    if (n != 4) {
        fprintf(stderr, "usage: analyze_file MODEL SAE FILE\n");
        return 64;
    }
    const char *const paths[] = {words[3]};
    const struct ss_analyze_options options = {.struct_size = sizeof options,
                                               .progress = {show, NULL}};
    ss_status status = ss_encoder_open(words[1], NULL, &encoder, &err);
    status = status == SS_OK ? ss_sae_open(words[2], NULL, &sae, &err) : status;
    status = status == SS_OK ? ss_dataset_open(paths, 1, NULL, &dataset, &err) : status;
    status = status == SS_OK ? ss_analyze(encoder, sae, dataset, &options, &run, &err) : status;
    if (status == SS_OK) {
        ss_run_describe(run, &info);
        printf("\n%llu rows used, %zu of %zu features never fire, median rate %.3f %%\n",
               (unsigned long long)info.n_rows_used, info.n_dead, info.n_features,
               info.median_rate_pct);
    } else {
        fprintf(stderr, "\n%s\n", err.message);
    }
    ss_run_free(run);
    ss_dataset_close(dataset);
    ss_sae_free(sae);
    ss_encoder_free(encoder);
    return ss_status_exit_code(status);
}
