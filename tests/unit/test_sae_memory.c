/* A call that is like one before allocates nothing, for every way of encoding, whatever its
 * threads do. The linker puts the counters below in front of base/mem.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "saescope.h"
#include "sparse_rows.h"

static atomic_size_t n_allocations;

void *__real_ss__alloc(size_t n, size_t size);
void *__real_ss__alloc_aligned(size_t n, size_t size);
void *__real_ss__realloc(void *block, size_t n, size_t size);
bool __real_ss__grow(void **pointer, size_t *room, size_t needed, size_t size);
void *__wrap_ss__alloc(size_t n, size_t size);
void *__wrap_ss__alloc_aligned(size_t n, size_t size);
void *__wrap_ss__realloc(void *block, size_t n, size_t size);
bool __wrap_ss__grow(void **pointer, size_t *room, size_t needed, size_t size);

void *__wrap_ss__alloc(size_t n, size_t size)
{
    n_allocations++;
    return __real_ss__alloc(n, size);
}

void *__wrap_ss__alloc_aligned(size_t n, size_t size)
{
    n_allocations++;
    return __real_ss__alloc_aligned(n, size);
}

void *__wrap_ss__realloc(void *block, size_t n, size_t size)
{
    n_allocations++;
    return __real_ss__realloc(block, n, size);
}

bool __wrap_ss__grow(void **pointer, size_t *room, size_t needed, size_t size)
{
    n_allocations += needed > *room;
    return __real_ss__grow(pointer, room, needed, size);
}

enum { MOST_ROWS = 700 };

static void check_calls(const ss_sae *sae, size_t width, size_t n_threads)
{
    static const size_t sizes[] = {1, 60, MOST_ROWS};
    static float x[MOST_ROWS * 64];
    uint64_t state = 9;
    ss_work *work = NULL;
    struct ss_sparse out = {0};
    assert_in_range(width, 1, 64);
    for (size_t i = 0; i < MOST_ROWS * width; i++) {
        x[i] = (float)test_random(&state) / 0x1p30F - 1.0F;
    }
    assert_int_equal(ss_work_new(n_threads, &work, NULL), SS_OK);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const size_t before = n_allocations;
        assert_int_equal(ss_sae_encode(sae, work, x, sizes[s], &out, NULL), SS_OK);
        assert_true(s > 0 || n_allocations > before); /* the counters count */
        const size_t first = n_allocations;
        for (size_t turn = 0; turn < 5; turn++) {
            assert_int_equal(ss_sae_encode(sae, work, x, sizes[s], &out, NULL), SS_OK);
            assert_int_equal(n_allocations, first);
        }
    }
    ss_sparse_release(&out);
    ss_work_free(work);
}

static void the_second_call_allocates_nothing(void **state)
{
    (void)state;
    static const char *const paths[] = {"good/jumprelu",
                                        "good/topk-norm",
                                        "good/ties",
                                        "good/vanilla-f16",
                                        "good/batchtopk",
                                        "formats/csr",
                                        "formats/latent-gated",
                                        "formats/latent-lista",
                                        "formats/saelens-pursuit",
                                        "formats/sparsify-groupmax"};
    const struct ss_sae_options options = {
        .struct_size = sizeof options, .batchtopk_rule = SS_BATCHTOPK_BATCH, .batch_rows = 50};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char path[512];
        ss_sae *sae = NULL;
        struct ss_sae_info info = {.struct_size = sizeof info};
        (void)snprintf(path, sizeof path, "%s/sae/%s", SS_TEST_DATA, paths[i]);
        assert_int_equal(ss_sae_open(path, &options, &sae, NULL), SS_OK);
        ss_sae_describe(sae, &info);
        for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
            check_calls(sae, info.width, n_threads);
        }
        ss_sae_free(sae);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_second_call_allocates_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
