/* Products that are looked at: the sums of ss_tensor_linear, bit for bit, on every instruction
 * set and in every precision, each once and in the promised order, in parts as
 * ss_tensor_linear_partition cuts; and the kernels that find what reaches a limit, against
 * plain comparisons. */
#include "tensor_support.h"

struct on_tile {
    size_t n_rows, n_out;
    size_t from, end;          /* of the part at hand */
    size_t next_row, next_out; /* where the next tile begins */
    float *y;                  /* [n_rows, n_out], of the part's first row */
};

static void on_tile(void *context, const struct ss_tensor_tile_sums *sums)
{
    struct on_tile *self = context;
    assert_int_equal(sums->row, self->next_row);
    assert_int_equal(sums->output, self->next_out);
    assert_in_range(sums->n_rows, 1, SS_TENSOR_MAX_TILE_ROWS);
    assert_in_range(sums->n_outputs, 1, SS_TENSOR_MAX_TILE_OUTPUTS);
    assert_true(sums->output + sums->n_outputs <= self->end);
    for (size_t r = 0; r < sums->n_rows; r++) {
        memcpy(self->y + (sums->row + r) * self->n_out + sums->output,
               sums->at + r * sums->stride, sums->n_outputs * sizeof(float));
        for (size_t j = 0; j < sums->n_outputs; j++) {
            sums->at[r * sums->stride + j] = NAN; /* they may be written over */
        }
    }
    self->next_row += sums->n_rows;
    if (self->next_row == self->n_rows) {
        self->next_row = 0;
        self->next_out += sums->n_outputs;
    }
}

struct job {
    const struct ss_tensor_matrix *w;
    const float *x;
    size_t n_rows;
    struct ss_tensor_partition partition;
    struct guarded *y, *scratch; /* the latter by worker */
};

static void visit_part(void *context, size_t index, size_t worker)
{
    const struct job *job = context;
    const struct ss_tensor_partition *partition = &job->partition;
    const size_t row = index / partition->n_groups * partition->block_rows;
    const size_t from = index % partition->n_groups * partition->group_outputs;
    const size_t n_rows = ss__min_size(partition->block_rows, job->n_rows - row);
    const size_t end = ss__min_size(from + partition->group_outputs, job->w->n_out);
    struct on_tile looking = {.n_rows = n_rows,
                              .n_out = job->w->n_out,
                              .from = from,
                              .end = end,
                              .next_out = from,
                              .y = job->y->at + row * job->w->n_out};
    ss_tensor_linear_tiles(&(struct ss_tensor_tile_callback){.w = job->w,
                                                             .x = job->x + row * job->w->n_in,
                                                             .n_rows = n_rows,
                                                             .from = from,
                                                             .end = end,
                                                             .scratch = job->scratch[worker].at,
                                                             .on_tile = on_tile,
                                                             .context = &looking});
    assert_int_equal(looking.next_row, 0);
    assert_int_equal(looking.next_out, end);
}

static void check_partition(const struct ss_tensor_matrix *w,
                            const struct ss_tensor_partition *partition, size_t n_rows)
{
    assert_true(partition->block_rows > 0 && partition->group_outputs > 0);
    assert_true(partition->n_blocks * partition->block_rows >= n_rows);
    assert_true((partition->n_blocks - 1) * partition->block_rows < n_rows);
    assert_true(partition->n_groups * partition->group_outputs >= w->n_out);
    assert_true((partition->n_groups - 1) * partition->group_outputs < w->n_out);
}

static void visit_all(ss_work *work, const struct ss_tensor_matrix *w, const struct guarded *x,
                      size_t n_rows, struct guarded *y)
{
    enum { MOST_THREADS = 3 };
    struct guarded scratch[MOST_THREADS];
    const size_t n_threads = ss_work_n_threads(work);
    struct job job = {.w = w,
                      .x = x->at,
                      .n_rows = n_rows,
                      .partition = ss_tensor_linear_partition(w, n_rows, n_threads),
                      .y = y,
                      .scratch = scratch};
    check_partition(w, &job.partition, n_rows);
    for (size_t i = 0; i < n_threads; i++) {
        scratch[i] = guarded_new(ss_tensor_linear_tiles_floats(w, job.partition.block_rows), 0);
        while ((uintptr_t)scratch[i].at % 64 != 0) { /* the guard behind it shrinks */
            scratch[i].at++;
            scratch[i].shift++;
        }
    }
    ss__pool_run(ss_tensor_work_pool(work), job.partition.n_blocks * job.partition.n_groups,
                 visit_part, &job);
    for (size_t i = 0; i < n_threads; i++) {
        unsigned char guard[(GUARD - 16) * sizeof(float)];
        memset(guard, 0xa5, sizeof guard);
        assert_memory_equal(scratch[i].at + scratch[i].n, guard, sizeof guard);
        free(scratch[i].block);
    }
}

static void check_shape(size_t n_rows, size_t n_out, size_t n_in, ss_precision precision)
{
    ss_err err;
    struct ss_tensor_matrix w;
    seed(n_rows * 1000003 + n_out * 1009 + n_in);
    struct guarded x = guarded_random(n_rows * n_in, n_in % 4, 1.0F);
    struct guarded weights = guarded_random(n_out * n_in, 0, 1.0F);
    struct guarded expected = guarded_new(n_rows * n_out, 1);
    assert_int_equal(ss_tensor_matrix_new(n_out, n_in, precision, &w, &err), SS_OK);
    ss_tensor_matrix_fill(&w, 0, n_out, weights.at, SS_TENSOR_OUT_BY_IN);
    for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
        ss_work *work = make_work(n_threads);
        struct guarded y = guarded_new(n_rows * n_out, n_out % 3);
        if (n_threads == 1) {
            const struct ss_tensor_epilogue end = {0};
            assert_int_equal(ss_tensor_linear(work, &w, x.at, n_rows, expected.at, &end, &err),
                             SS_OK);
        }
        visit_all(work, &w, &x, n_rows, &y);
        /* An end adds a bias of 0, which makes -0 to 0. */
        for (size_t i = 0; i < y.n; i++) {
            y.at[i] += 0.0F;
        }
        assert_same_bytes(y.at, expected.at, y.n, ss_tensor_kernels_name());
        guarded_release(&y);
        ss_work_free(work);
    }
    ss_tensor_matrix_release(&w);
    guarded_release(&x);
    guarded_release(&weights);
    guarded_release(&expected);
}

static void visits_see_the_sums_of_the_product(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {
        {1, 1, 1},    {1, 65, 193},  {3, 31, 17},   {7, 33, 16},   {13, 32, 192},
        {15, 97, 64}, {29, 130, 15}, {33, 48, 385}, {225, 40, 30}, {451, 200, 50}};
    for (size_t i = 0; i < N_KERNELS; i++) {
        for (int precision = 0; precision < SS_N_PRECISIONS; precision++) {
            if (!use_kernels(KERNELS[i])) {
                continue;
            }
            for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
                check_shape(shapes[s][0], shapes[s][1], shapes[s][2], (ss_precision)precision);
            }
        }
    }
}

/* ---- limits ---- */

/* Numbers of which many are equal, and some are none. */
static float odd_number(void)
{
    static const float special[] = {NAN, INFINITY, -INFINITY, -0.0F, 0.0F, 0x1p-149F};
    const float x = draw();
    const size_t i = (size_t)((x + 1) * 40);
    return i < sizeof special / sizeof special[0] ? special[i] : floorf(x * 4) / 4;
}

static struct guarded odd_numbers(size_t n, size_t shift)
{
    struct guarded g = guarded_new(n, shift);
    for (size_t i = 0; i < n; i++) {
        g.at[i] = odd_number();
    }
    return g;
}

static void check_tile(size_t n_rows, size_t n_outputs, bool has_bias, bool has_least)
{
    const size_t stride = n_outputs + 5, n = (n_rows - 1) * stride + n_outputs;
    struct guarded at = odd_numbers(n, 1), before = guarded_new(n, 0);
    struct guarded bias = odd_numbers(n_outputs, 2), limits = odd_numbers(n_outputs, 3);
    struct guarded least = odd_numbers(n_rows, 1);
    uint32_t masks[SS_TENSOR_MAX_TILE_ROWS + 1];
    const struct ss_tensor_tile_sums sums = {
        .n_rows = n_rows, .n_outputs = n_outputs, .at = at.at, .stride = stride};
    memcpy(before.at, at.at, n * sizeof(float));
    memset(masks, 0xa5, sizeof masks);
    for (size_t r = 0; r < n_rows; r++) {
        least.at[r] = isnan(least.at[r]) ? 0 : least.at[r];
    }
    for (size_t j = 0; j < n_outputs; j++) {
        limits.at[j] = isnan(limits.at[j]) ? 0 : limits.at[j];
    }
    ss_tensor_threshold_masks(
        &(struct ss_tensor_threshold_test){.sums = &sums,
                                           .bias = has_bias ? bias.at : NULL,
                                           .thresholds = limits.at,
                                           .row_thresholds = has_least ? least.at : NULL,
                                           .masks = masks});
    for (size_t r = 0; r < n_rows; r++) {
        uint32_t expected = 0;
        for (size_t j = 0; j < n_outputs; j++) {
            const float sum = before.at[r * stride + j] + (has_bias ? bias.at[j] : 0.0F);
            const float found = at.at[r * stride + j];
            assert_true(isnan(sum) ? isnan(found) : found == sum);
            expected |= (uint32_t)(sum >= limits.at[j] && (!has_least || sum >= least.at[r]))
                        << j;
        }
        assert_int_equal(masks[r], expected);
        if (r + 1 < n_rows) { /* between the rows nothing is touched */
            assert_memory_equal(at.at + r * stride + n_outputs,
                                before.at + r * stride + n_outputs, 5 * sizeof(float));
        }
    }
    assert_int_equal(masks[n_rows], 0xa5a5a5a5U);
    guarded_release(&at);
    guarded_release(&before);
    guarded_release(&bias);
    guarded_release(&limits);
    guarded_release(&least);
}

static void limits_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_KERNELS; i++) {
        if (!use_kernels(KERNELS[i])) {
            continue;
        }
        seed(5);
        for (size_t n = 1; n <= SS_TENSOR_MAX_TILE_OUTPUTS; n++) {
            for (size_t variant = 0; variant < 4; variant++) {
                check_tile(1 + (7 * n) % SS_TENSOR_MAX_TILE_ROWS, n, variant % 2 == 1,
                           variant / 2 == 1);
            }
        }
    }
}

static void what_reaches_is_counted(void **state)
{
    (void)state;
    static const float limits[] = {-INFINITY, -0.5F, 0, 0x1p-149F, 0.25F, INFINITY, NAN};
    for (size_t i = 0; i < N_KERNELS; i++) {
        if (!use_kernels(KERNELS[i])) {
            continue;
        }
        seed(6);
        for (size_t n = 0; n < 100; n++) {
            struct guarded x = odd_numbers(n, n % 5);
            for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) {
                size_t expected = 0;
                for (size_t j = 0; j < n; j++) {
                    expected += x.at[j] >= limits[l];
                }
                assert_int_equal(ss_tensor_count_at_least(x.at, n, limits[l]), expected);
            }
            guarded_release(&x);
        }
    }
}

/* ---- lists ---- */

static void lists_keep_what_they_hold(void **state)
{
    (void)state;
    ss_work *work = make_work(1);
    struct ss_tensor_list *lists = ss_tensor_work_lists(work, 2);
    assert_non_null(lists);
    for (size_t i = 0; i < 2; i++) {
        assert_null(lists[i].items);
        assert_true(ss__grow(&lists[i].items, &lists[i].capacity, 3, sizeof(uint64_t)));
        ((uint64_t *)lists[i].items)[2] = 40 + i;
    }
    lists = ss_tensor_work_lists(work, 300);
    assert_non_null(lists);
    assert_true(lists == ss_tensor_work_lists(work, 1));
    for (size_t i = 0; i < 300; i++) {
        assert_true(i < 2 ? ((uint64_t *)lists[i].items)[2] == 40 + i
                          : lists[i].items == NULL && lists[i].capacity == 0);
    }
    ss_work_free(work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(visits_see_the_sums_of_the_product),
        cmocka_unit_test(limits_are_found),
        cmocka_unit_test(what_reaches_is_counted),
        cmocka_unit_test(lists_keep_what_they_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
