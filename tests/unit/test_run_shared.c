/* One encoder and one SAE, shared by threads that analyse and encode at the same time: each
 * gets what it gets alone, also where the SAE's threshold is calibrated on the rows of each.
 * Under the thread sanitizer this shows as well that nothing shared is written. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "folder/results.h"

#define MODEL SS_TEST_DATA "/encoder/mpnet-mean"
#define ROWS SS_TEST_DATA "/run/rows.jsonl"
#define SAE SS_TEST_DATA "/run/sae-batchtopk"

enum { N_THREADS = 2, N_TURNS = 3 };

static ss_encoder *encoder;
static ss_sae *sae;

/* One analysis, in a thread of its own. */
struct job {
    uint64_t n_rows; /* of the dataset */
    size_t n_threads;
    ss_run *run;
    ss_status status;
    ss_err err;
};

static void *analyze(void *argument)
{
    struct job *job = argument;
    const char *path = ROWS;
    ss_dataset *dataset = NULL;
    const struct ss_analyze_options options = {.struct_size = sizeof options,
                                               .top_k = 20,
                                               .num_examples = job->n_rows,
                                               .n_threads = job->n_threads};
    job->status = ss_dataset_open(&path, 1, NULL, &dataset, &job->err);
    if (job->status == SS_OK) {
        job->status = ss_analyze(encoder, sae, dataset, &options, &job->run, &job->err);
    }
    ss_dataset_close(dataset);
    return NULL;
}

static void check(const struct job *job)
{
    if (job->status != SS_OK) {
        fail_msg("%s", job->err.message);
    }
}

static void assert_same_runs(const ss_run *a, const ss_run *b)
{
    assert_string_equal(a->sae_rule, b->sae_rule);
    assert_int_equal(a->info.n_features, b->info.n_features);
    assert_int_equal(a->info.n_rows_used, b->info.n_rows_used);
    for (size_t f = 0; f < a->info.n_features; f++) {
        struct ss_feature x = {.struct_size = sizeof x}, y = x;
        ss_run_feature(a, f, &x);
        ss_run_feature(b, f, &y);
        assert_int_equal(x.n_fires, y.n_fires);
        assert_int_equal(x.n_top, y.n_top);
        assert_true(x.max_activation == y.max_activation);
        for (size_t i = 0; i < x.n_top; i++) {
            struct ss_top_text p = {.struct_size = sizeof p}, q = p;
            ss_run_top(a, f, i, &p);
            ss_run_top(b, f, i, &q);
            assert_int_equal(p.row, q.row);
            assert_true(p.activation == q.activation);
        }
    }
}

static void threads_that_calibrate_share_an_sae(void **state)
{
    (void)state;
    static const uint64_t n_rows[N_THREADS] = {0, 100}; /* thresholds of their own */
    const struct ss_sae_options options = {.struct_size = sizeof options,
                                           .batchtopk_rule = SS_BATCHTOPK_THRESHOLD};
    struct job alone[N_THREADS];
    struct ss_sae_info info = {.struct_size = sizeof info};
    ss_err err;
    assert_int_equal(ss_encoder_open(MODEL, NULL, &encoder, &err), SS_OK);
    assert_int_equal(ss_sae_open(SAE, &options, &sae, &err), SS_OK);
    for (size_t i = 0; i < N_THREADS; i++) {
        alone[i] = (struct job){.n_rows = n_rows[i], .n_threads = 1};
        analyze(&alone[i]);
        check(&alone[i]);
        assert_non_null(strstr(alone[i].run->sae_rule, "calibrated on the first"));
    }
    assert_string_not_equal(alone[0].run->sae_rule, alone[1].run->sae_rule);
    for (size_t turn = 0; turn < N_TURNS; turn++) {
        struct job jobs[N_THREADS];
        pthread_t threads[N_THREADS];
        for (size_t i = 0; i < N_THREADS; i++) {
            jobs[i] = (struct job){.n_rows = n_rows[i], .n_threads = 1 + turn % 2};
            assert_int_equal(pthread_create(&threads[i], NULL, analyze, &jobs[i]), 0);
        }
        for (size_t i = 0; i < N_THREADS; i++) {
            pthread_join(threads[i], NULL);
        }
        for (size_t i = 0; i < N_THREADS; i++) {
            check(&jobs[i]);
            assert_same_runs(jobs[i].run, alone[i].run);
            ss_run_free(jobs[i].run);
        }
    }
    ss_sae_describe(sae, &info);
    assert_non_null(strstr(info.rule, "to be calibrated"));
    for (size_t i = 0; i < N_THREADS; i++) {
        ss_run_free(alone[i].run);
    }
    ss_sae_free(sae);
    ss_encoder_free(encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_calibrate_share_an_sae),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
