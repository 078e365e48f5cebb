/* Threads that the system does not start: the same bytes, with fewer. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/output.h"

enum { N_THREADS = 4 };

static int n_started;  /* threads that were asked for */
static int fails_from; /* the first that is not started; 0: all are */
static bool fails_on;  /* and none after it */

/* In place of the system's. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*begin)(void *),
                   void *user);
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*begin)(void *),
                   void *user)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (real == NULL) {
        void *found = dlsym(RTLD_NEXT, "pthread_create");
        memcpy(&real, &found, sizeof real);
    }
    n_started++;
    const bool fails =
        fails_from > 0 && (fails_on ? n_started >= fails_from : n_started == fails_from);
    return fails ? EAGAIN : real(thread, attributes, begin, user);
}

static int n_warnings;

static void count(void *user, ss_level level, const char *sentence)
{
    (void)user;
    n_warnings += level == SS_LEVEL_WARNING && strstr(sentence, "could not be started") != NULL;
    n_warnings += level == SS_LEVEL_WARNING && strstr(sentence, "could be started") != NULL;
}

static void embed(size_t n_threads, int from, bool on, struct ss__buf *out)
{
    static const char out_path[] = "/tmp/saescope-threads.npy";
    const char *rows = SS_TEST_DATA "/changes/rows.parquet";
    const struct ss_log log = {count, NULL};
    struct ss_encoder_options encoder_options = {.struct_size = sizeof encoder_options,
                                                 .log = log};
    const struct ss_embed_options options = {.struct_size = sizeof options,
                                             .n_threads = n_threads,
                                             .num_examples = 100,
                                             .force = true,
                                             .log = log};
    ss_encoder *encoder = NULL;
    ss_dataset *dataset = NULL;
    ss_err err = {0};
    n_started = n_warnings = 0;
    fails_from = from;
    fails_on = on;
    assert_int_equal(ss_work_new(n_threads, &encoder_options.work, &err), SS_OK);
    if (ss_encoder_open(SS_TEST_DATA "/encoder/mpnet-mean", &encoder_options, &encoder, &err) !=
            SS_OK ||
        ss_dataset_open(&rows, 1, NULL, &dataset, &err) != SS_OK ||
        ss_embed_file(encoder, dataset, out_path, &options, NULL, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    fails_from = 0;
    ss_dataset_close(dataset);
    ss_encoder_free(encoder);
    ss_work_free(encoder_options.work);
    out->n_bytes = 0;
    assert_int_equal(ss__file_read(out_path, 1 << 24, out, NULL), SS_OK);
    unlink(out_path);
}

static void test_one_thread_starts_only_the_reader(void **state)
{
    struct ss__buf out = {0};
    (void)state;
    embed(1, 0, false, &out);
    assert_int_equal(n_started, 1);
    assert_int_equal(n_warnings, 0);
    ss__buf_release(&out);
}

static void test_results_do_not_depend_on_threads_that_start(void **state)
{
    struct ss__buf expected = {0}, found = {0};
    (void)state;
    embed(N_THREADS, 0, false, &expected);
    const int n_all = n_started;
    assert_int_equal(n_all, 2 * (N_THREADS - 1) + 1); /* to open, to embed, to read */
    for (int from = 1; from <= n_all; from++) {
        for (int on = 0; on < 2; on++) {
            embed(N_THREADS, from, on == 1, &found);
            assert_true(n_warnings > 0);
            assert_int_equal(found.n_bytes, expected.n_bytes);
            assert_memory_equal(found.data, expected.data, expected.n_bytes);
        }
    }
    ss__buf_release(&expected);
    ss__buf_release(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread_starts_only_the_reader),
        cmocka_unit_test(test_results_do_not_depend_on_threads_that_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
