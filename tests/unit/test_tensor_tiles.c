/* The kernels of the tile unit, by their instructions: sums are those of the processor's
 * manual, bit for bit; no thread keeps the unit after its work; signals in the middle change
 * nothing; and the stand-in understands every form of address, and refuses what the unit would.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tensor_support.h"
#include "tile_sums.h"

#if defined(__x86_64__)

static void need_tiles(void)
{
    if (!tile_unit_use()) {
        print_message("skipped: this machine cannot run what stands around the tiles\n");
        skip();
    }
}

/* ---- sums, by the definition ---- */

/* x and w about `size` large: their products are denormal where that is tiny. */
static void check_sums(size_t n_rows, size_t n_out, size_t n_in, float size)
{
    ss_err err;
    ss_work *work = make_work(2);
    struct guarded x = guarded_random(n_rows * n_in, 1, size);
    struct guarded w = guarded_random(n_out * n_in, 3, size);
    for (int split = 0; split < 2; split++) {
        struct ss_tensor_matrix matrix;
        struct guarded y = guarded_new(n_rows * n_out, 2);
        assert_int_equal(ss_tensor_matrix_new(n_out, n_in,
                                              split ? SS_PRECISION_HIGH : SS_PRECISION_MEDIUM,
                                              &matrix, &err),
                         SS_OK);
        ss_tensor_matrix_fill(&matrix, 0, n_out, w.at, SS_TENSOR_OUT_BY_IN);
        assert_int_equal(ss_tensor_linear(work, &matrix, x.at, n_rows, y.at, NULL, &err),
                         SS_OK);
        for (size_t i = 0; i < y.n; i++) {
            const float expected =
                sum_of(x.at + i / n_out * n_in, w.at + i % n_out * n_in, n_in, split == 1);
            assert_true(y.at[i] == expected);
        }
        guarded_release(&y);
        ss_tensor_matrix_release(&matrix);
    }
    guarded_release(&x);
    guarded_release(&w);
    ss_work_free(work);
}

static void sums_are_those_of_the_manual(void **state)
{
    static const size_t shapes[][3] = {{1, 1, 1},     {1, 33, 31},    {15, 32, 33},
                                       {16, 31, 64},  {17, 65, 97},   {31, 2, 129},
                                       {32, 64, 256}, {33, 40, 257},  {70, 70, 383},
                                       {2, 5, 3072},  {260, 33, 385}, {5, 100, 770}};
    (void)state;
    need_tiles();
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        seed(i);
        check_sums(shapes[i][0], shapes[i][1], shapes[i][2], i % 3 == 2 ? 2e-19F : 1.0F);
    }
}

/* ---- what threads keep ---- */

static pthread_barrier_t all_here;

/* One task for each thread, since none goes on before all have begun. */
static void check_thread(void *context, size_t index, size_t worker)
{
    bool *is_held = context;
    (void)index;
    pthread_barrier_wait(&all_here);
    is_held[worker] = tile_unit_is_held();
}

enum { N_THREADS = 3 };

static void assert_none_holds(ss_work *work)
{
    bool is_held[N_THREADS] = {false};
    assert_int_equal(pthread_barrier_init(&all_here, NULL, N_THREADS), 0);
    ss__pool_run(ss_tensor_work_pool(work), N_THREADS, check_thread, is_held);
    pthread_barrier_destroy(&all_here);
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_false(is_held[i]);
    }
}

static void ignore_tile(void *context, const struct ss_tensor_tile_sums *sums)
{
    *(size_t *)context += sums->n_rows * sums->n_outputs;
}

static void visit_all(const struct ss_tensor_matrix *w, const struct guarded *x, size_t n_rows)
{
    size_t n_seen = 0;
    float *scratch =
        ss__alloc_aligned(ss_tensor_linear_tiles_floats(w, n_rows), sizeof *scratch);
    assert_non_null(scratch);
    ss_tensor_linear_tiles(&(struct ss_tensor_tile_callback){.w = w,
                                                             .x = x->at,
                                                             .n_rows = n_rows,
                                                             .end = w->n_out,
                                                             .scratch = scratch,
                                                             .on_tile = ignore_tile,
                                                             .context = &n_seen});
    assert_int_equal(n_seen, n_rows * w->n_out);
    ss__free(scratch);
}

static void no_thread_keeps_the_unit(void **state)
{
    static const size_t shapes[][2] = {{1, 70}, {33, 64}, {500, 130}};
    ss_err err;
    (void)state;
    need_tiles();
    ss_work *work = make_work(N_THREADS);
    for (size_t i = 0; i < 3 * sizeof shapes / sizeof shapes[0]; i++) {
        const size_t n_rows = shapes[i / 3][0], n_out = shapes[i / 3][1], n_in = 300;
        const ss_precision precision = (ss_precision)(SS_PRECISION_HIGH + i % 3);
        struct guarded x = guarded_random(n_rows * n_in, 0, 1.0F);
        struct guarded w = guarded_random(n_out * n_in, 0, 1.0F);
        struct guarded y = guarded_new(n_rows * n_out, 0);
        struct ss_tensor_matrix matrix;
        assert_int_equal(ss_tensor_matrix_new(n_out, n_in, precision, &matrix, &err), SS_OK);
        ss_tensor_matrix_fill(&matrix, 0, n_out, w.at, SS_TENSOR_OUT_BY_IN);
        assert_int_equal(ss_tensor_linear(work, &matrix, x.at, n_rows, y.at, NULL, &err),
                         SS_OK);
        assert_none_holds(work);
        visit_all(&matrix, &x, n_rows);
        assert_none_holds(work);
        ss_tensor_matrix_release(&matrix);
        guarded_release(&x);
        guarded_release(&w);
        guarded_release(&y);
    }
    ss_work_free(work);
}

/* Setting up takes as long as many products: once for whole tiles; twice for each panel and
 * block of K where the last rows are fewer. */
static void the_unit_is_set_up_once(void **state)
{
    enum { N_OUT = 96, N_IN = 1000 };
    ss_err err;
    (void)state;
    need_tiles();
    ss_work *work = make_work(1);
    for (int precision = SS_PRECISION_HIGH; precision < SS_N_PRECISIONS; precision++) {
        for (size_t n_rows = 160; n_rows < 162; n_rows++) {
            struct guarded x = guarded_random(n_rows * N_IN, 0, 1.0F);
            struct guarded w = guarded_random((size_t)N_OUT * N_IN, 0, 1.0F);
            struct guarded y = guarded_new(n_rows * N_OUT, 0);
            struct ss_tensor_matrix m;
            assert_int_equal(
                ss_tensor_matrix_new(N_OUT, N_IN, (ss_precision)precision, &m, &err), SS_OK);
            ss_tensor_matrix_fill(&m, 0, N_OUT, w.at, SS_TENSOR_OUT_BY_IN);
            const size_t n_blocks = ss__divide_up(N_IN, m.multiplier->k_block);
            const size_t most =
                n_rows == 160 ? 1 : 2 * n_blocks * N_OUT / m.multiplier->tile_cols;
            const size_t before = tile_unit_n_set_ups();
            assert_int_equal(ss_tensor_linear(work, &m, x.at, n_rows, y.at, NULL, &err), SS_OK);
            assert_true(tile_unit_n_set_ups() - before <= most);
            ss_tensor_matrix_release(&m);
            guarded_release(&x);
            guarded_release(&w);
            guarded_release(&y);
        }
    }
    ss_work_free(work);
}

/* ---- signals ---- */

static atomic_int n_alarms;
static _Thread_local volatile float clobbered[64];

static void on_alarm(int number)
{
    (void)number;
    for (size_t i = 0; i < 64; i++) {
        clobbered[i] = clobbered[i] * 0.5F + (float)i;
    }
    n_alarms++;
}

static void signals_change_nothing(void **state)
{
    enum { N_ROWS = 150, N_OUT = 100, N_IN = 400 };
    const struct itimerval every = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
    const struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    struct sigaction usual;
    ss_err err;
    (void)state;
    need_tiles();
    ss_work *work = make_work(2);
    struct guarded x = guarded_random((size_t)N_ROWS * N_IN, 0, 1.0F);
    struct guarded w = guarded_random((size_t)N_OUT * N_IN, 0, 1.0F);
    struct guarded calm = guarded_new((size_t)N_ROWS * N_OUT, 0), y = guarded_new(calm.n, 0);
    assert_int_equal(sigaction(SIGALRM, &action, &usual), 0);
    for (int precision = SS_PRECISION_HIGH; precision < SS_N_PRECISIONS; precision++) {
        struct ss_tensor_matrix m;
        assert_int_equal(ss_tensor_matrix_new(N_OUT, N_IN, (ss_precision)precision, &m, &err),
                         SS_OK);
        ss_tensor_matrix_fill(&m, 0, N_OUT, w.at, SS_TENSOR_OUT_BY_IN);
        assert_int_equal(ss_tensor_linear(work, &m, x.at, N_ROWS, calm.at, NULL, &err), SS_OK);
        n_alarms = 0;
        assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
        while (n_alarms < 10) {
            assert_int_equal(ss_tensor_linear(work, &m, x.at, N_ROWS, y.at, NULL, &err), SS_OK);
            assert_same_bytes(y.at, calm.at, y.n, "with signals");
        }
        assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
        ss_tensor_matrix_release(&m);
    }
    assert_int_equal(sigaction(SIGALRM, &usual, NULL), 0);
    guarded_release(&x);
    guarded_release(&w);
    guarded_release(&calm);
    guarded_release(&y);
    ss_work_free(work);
}

/* ---- the stand-in itself ---- */

#define TILES __attribute__((target("amx-tile,amx-bf16,amx-int8"), noinline))

struct config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

/* Registers 0 … 2 of 3 rows of 8 bytes. */
static const struct config small = {.palette = 1, .row_bytes = {8, 8, 8}, .rows = {3, 3, 3}};

/* Rows from and to memory by every form of address that instructions have. */
TILES static void copy_rows(const unsigned char *from, unsigned char *to)
{
    __asm__ volatile("ldtilecfg %0\n\t"
                     "mov $20, %%r12\n\t"
                     "mov $10, %%rbx\n\t"
                     "mov %1, %%r13\n\t"
                     "mov %2, %%rdi\n\t"
                     "tileloadd (%%r13,%%r12,1), %%tmm0\n\t"
                     "tilestored %%tmm0, (%%rdi,%%rbx,2)\n\t"
                     "tileloadd 7(%%r13,%%rbx,2), %%tmm1\n\t"
                     "tilestored %%tmm1, 0x100(%%rdi,%%r12,1)\n\t"
                     "lea 100(%%r13), %%rax\n\t"
                     "tileloadd -50(%%rax,%%r12), %%tmm2\n\t"
                     "lea -0x10000(%%rdi), %%rsi\n\t"
                     "tilestored %%tmm2, 0x10200(%%rsi,%%r12,1)\n\t"
                     "tileloadd (%%r13), %%tmm2\n\t" /* all rows the same */
                     "tilestored %%tmm2, 0x300(%%rdi,%%r12,1)\n\t"
                     "tilerelease"
                     :
                     : "m"(small), "r"(from), "r"(to)
                     : "rax", "rbx", "rsi", "rdi", "r12", "r13", "memory");
}

static void addresses_are_understood(void **state)
{
    static const size_t starts[4] = {0, 7, 50, 0}, steps[4] = {20, 20, 20, 0};
    unsigned char from[256], to[0x400] = {0};
    (void)state;
    need_tiles();
    for (size_t i = 0; i < sizeof from; i++) {
        from[i] = (unsigned char)(i + 1);
    }
    copy_rows(from, to);
    for (size_t i = 0; i < sizeof to; i++) {
        const size_t form = i / 0x100, row = i % 0x100 / 20, byte = i % 0x100 % 20;
        const bool is_written = row < 3 && byte < 8;
        assert_int_equal(to[i], is_written ? from[starts[form] + row * steps[form] + byte] : 0);
    }
}

TILES static void use_before_set_up(void)
{
    __asm__ volatile("tilezero %%tmm0" : : : "memory");
}

TILES static void multiply_what_does_not_fit(void)
{
    static const struct config config = {
        .palette = 1, .row_bytes = {8, 8, 8}, .rows = {3, 2, 2}};
    __asm__ volatile("ldtilecfg %0\n\ttdpbusd %%tmm2, %%tmm1, %%tmm0"
                     :
                     : "m"(config)
                     : "memory");
}

TILES static void set_up_what_is_not_there(void)
{
    static const struct config config = {.palette = 1, .row_bytes = {8}, .rows = {17}};
    __asm__ volatile("ldtilecfg %0" : : "m"(config) : "memory");
}

/* ldtilecfg faults by SIGSEGV, the others by SIGILL; without the handlers of the test library,
 * which stands aside for the stand-in's. */
static void assert_ends_by_signal(void (*function)(void))
{
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        if (ss_tensor_kernels_use("amx")) {
            signal(SIGILL, SIG_DFL);
        }
        function();
        _exit(0);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_true(WIFSIGNALED(status) &&
                (WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGSEGV));
}

static void what_the_unit_refuses_is_refused(void **state)
{
    (void)state;
    need_tiles();
    assert_ends_by_signal(use_before_set_up);
    assert_ends_by_signal(multiply_what_does_not_fit);
    assert_ends_by_signal(set_up_what_is_not_there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_the_manual),
        cmocka_unit_test(no_thread_keeps_the_unit),
        cmocka_unit_test(the_unit_is_set_up_once),
        cmocka_unit_test(signals_change_nothing),
        cmocka_unit_test(addresses_are_understood),
        cmocka_unit_test(what_the_unit_refuses_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else
int main(void)
{
    print_message("skipped: no processor of this kind has the unit\n");
    return 0;
}
#endif
