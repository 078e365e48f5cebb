/* Training, step by step, against traces that another implementation (PyTorch) wrote: every loss
 * term, count and gradient norm of every step, and the weights at the end. Built twice: in
 * double, where all of it must agree to rounding, which proves the formulas; and in float32,
 * where a selection may turn out another way after a while.
 *
 * A folder of traces holds sets, a set rows.npy, batches.npy, init.safetensors and runs, a run
 * config.json, trace-f32.csv, trace-f64.csv and final-f64.safetensors. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "train/train_priv.h"
#include "weights/weights.h"

#ifdef SS_TRAIN_DOUBLE
static const char trace_name[] = "trace-f64.csv";
#else
static const char trace_name[] = "trace-f32.csv";
#endif

enum { MAX_COLUMNS = 32, MAX_STEPS = 400, MAX_PATH = 512 };

struct run {
    const char *root, *set, *name;
    struct ss_train_config config;
    struct ss_trainer *trainer;
    float *rows, *batches;
    size_t n_rows, n_steps, batch_rows;
    char columns[MAX_COLUMNS][32];
    size_t n_columns;
    double trace[MAX_STEPS][MAX_COLUMNS];
};

static const char *path_of(const struct run *run, bool of_run, const char *file)
{
    static char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/%s/%s%s%s", run->root, run->set, of_run ? run->name : "",
             of_run ? "/" : "", file);
    return path;
}

static float *read_array(const char *path, const char *name, size_t shape[2])
{
    ss_err err = {0};
    struct ss_weights *weights = NULL;
    assert_int_equal(ss_weights_open(path, NULL, &weights, &err), SS_OK);
    const struct ss_weights_tensor *tensor =
        name == NULL ? ss_weights_at(weights, 0) : ss_weights_find(weights, name);
    assert_non_null(tensor);
    float *out = malloc(tensor->n_elements * sizeof *out);
    assert_int_equal(ss_weights_tensor_to_f32(tensor, out, &err), SS_OK);
    shape[0] = (size_t)tensor->shape[0];
    shape[1] = tensor->n_dims > 1 ? (size_t)tensor->shape[1] : 1;
    ss_weights_close(weights);
    return out;
}

/* ---- a run's settings ---- */

static double number(const struct ss__json *config, const char *key)
{
    const struct ss__json *value = ss__json_get(config, key);
    assert_non_null(value);
    return ss__json_is_number(value) ? ss__json_real(value) : ss__json_is_true(value);
}

static bool flag(const struct ss__json *config, const char *key)
{
    return number(config, key) != 0;
}

static void read_config(struct run *run)
{
    struct ss__json *json = NULL;
    ss_err err = {0};
    assert_int_equal(ss__json_load(path_of(run, true, "config.json"), &json, &err), SS_OK);
    struct ss_train_config *c = &run->config;
    const char *kind = ss__json_string(ss__json_get(json, "sae_type"));
    while (strcmp(ss_train_kind_name(c->kind), kind) != 0) {
        c->kind++;
        assert_true(c->kind < SS_TRAIN_N_KINDS);
    }
    c->width = (size_t)number(json, "act_size");
    c->n_features = (size_t)number(json, "dict_size");
    c->batch_rows = (size_t)number(json, "batch_size");
    c->seed = (uint64_t)number(json, "seed");
    c->n_steps = (uint64_t)number(json, "n_steps");
    c->lr = number(json, "lr");
    c->beta1 = number(json, "beta1");
    c->beta2 = number(json, "beta2");
    c->eps = number(json, "eps");
    c->max_grad_norm = number(json, "max_grad_norm");
    c->normalises_input = flag(json, "input_unit_norm");
    c->l1_coeff = number(json, "l1_coeff");
    c->top_k = (size_t)number(json, "top_k");
    c->top_k_aux = (size_t)number(json, "top_k_aux");
    c->aux_penalty = number(json, "aux_penalty");
    c->n_batches_to_dead = (uint64_t)number(json, "n_batches_to_dead");
    c->bandwidth = number(json, "bandwidth");
    c->threshold_init = number(json, "threshold_init");
    c->lr_warmup_steps = (uint64_t)number(json, "lr_warmup_steps");
    c->lr_decay_steps = (uint64_t)number(json, "lr_decay_steps");
    c->l0_warmup_steps = (uint64_t)number(json, "l0_warmup_steps");
    c->renorm_after_step = flag(json, "renorm_after_step");
    c->use_b_enc = flag(json, "use_b_enc");
    c->aux_detach = flag(json, "aux_detach");
    c->aux_normalised = flag(json, "aux_normalised");
    c->l0_target = number(json, "l0_target");
    c->l0_on_pre = flag(json, "l0_on_pre");
    c->log_chain = flag(json, "log_chain");
    const char *center = ss__json_string(ss__json_get(json, "b_dec_init"));
    c->starts_at_median = center != NULL && strcmp(center, "geometric_median") == 0;
    const struct ss__json *prefixes = ss__json_get(json, "prefixes");
    for (c->n_prefixes = 0; c->n_prefixes < ss__json_count(prefixes); c->n_prefixes++) {
        c->prefixes[c->n_prefixes] =
            (size_t)ss__json_integer(ss__json_at(prefixes, c->n_prefixes));
    }
    ss__json_free(json);
}

static void read_trace(struct run *run)
{
    FILE *file = fopen(path_of(run, true, trace_name), "r");
    char line[2048];
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    for (char *at = strtok(line, ",\n"); at != NULL; at = strtok(NULL, ",\n")) {
        snprintf(run->columns[run->n_columns++], sizeof run->columns[0], "%s", at);
    }
    for (run->n_steps = 0; fgets(line, sizeof line, file) != NULL; run->n_steps++) {
        size_t column = 0;
        for (char *at = strtok(line, ",\n"); at != NULL; at = strtok(NULL, ",\n")) {
            run->trace[run->n_steps][column++] = strtod(at, NULL);
        }
    }
    fclose(file);
}

static double expected(const struct run *run, size_t step, const char *name)
{
    for (size_t i = 0; i < run->n_columns; i++) {
        if (strcmp(run->columns[i], name) == 0) {
            return run->trace[step][i];
        }
    }
    fail_msg("no column %s", name);
    return 0;
}

/* ---- weights ---- */

static const char *const tensor_names[] = {"b_dec", "b_enc", "W_enc", "W_dec",
                                           "jumprelu.log_threshold"};

/* Put an array of a checkpoint into a parameter's; W_enc is transposed. */
static void put_weights(const struct run *run, size_t id, const float *from, ss_train_real *to)
{
    const size_t n = run->config.n_features, d = run->config.width;
    for (size_t i = 0; i < run->trainer->parameters[id].n; i++) {
        to[i] = id == SS_TRAIN_W_ENC ? from[i % d * n + i / d] : from[i];
    }
}

static void load_weights(struct run *run, const char *path, const char *prefix,
                         ss_train_real *(*pick)(struct ss_train_parameter *parameter))
{
    for (size_t id = 0; id < SS_TRAIN_N_PARAMETERS; id++) {
        struct ss_train_parameter *parameter = run->trainer->parameters + id;
        char name[64];
        size_t shape[2];
        if (parameter->n == 0) {
            continue;
        }
        snprintf(name, sizeof name, "%s%s", prefix, tensor_names[id]);
        float *array = read_array(path, name, shape);
        put_weights(run, id, array, pick(parameter));
        free(array);
    }
}

static ss_train_real *pick_x(struct ss_train_parameter *parameter)
{
    return parameter->x;
}

static ss_train_real *pick_mean(struct ss_train_parameter *parameter)
{
    return parameter->mean;
}

static ss_train_real *pick_square(struct ss_train_parameter *parameter)
{
    return parameter->square;
}

static void check_first_weights(struct run *run)
{
    size_t shape[2];
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s", path_of(run, false, "init.safetensors"));
    float *w = read_array(path, "W_enc", shape), *decoder = read_array(path, "W_dec", shape);
    const size_t n = run->config.n_features, d = run->config.width;
    for (size_t i = 0; i < n * d; i++) {
        const ss_train_real *x = run->trainer->parameters[SS_TRAIN_W_ENC].x;
        assert_true(x[i] == w[i % d * n + i / d]);
        assert_true(fabs((double)run->trainer->parameters[SS_TRAIN_W_DEC].x[i] -
                         (double)decoder[i]) <= 2.4e-7);
    }
    free(w);
    free(decoder);
}

static void open_run(struct run *run)
{
    size_t shape[2];
    char path[MAX_PATH];
    ss_err err = {0};
    read_config(run);
    read_trace(run);
    run->rows = read_array(path_of(run, false, "rows.npy"), NULL, shape);
    run->n_rows = shape[0];
    run->batches = read_array(path_of(run, false, "batches.npy"), NULL, shape);
    run->batch_rows = shape[1];
    assert_int_equal(ss_train_new(&run->config, &run->trainer, &err), SS_OK);
    check_first_weights(run);
    snprintf(path, sizeof path, "%s", path_of(run, false, "init.safetensors"));
    load_weights(run, path, "", pick_x);
    if (run->config.starts_at_median) {
        assert_int_equal(ss_train_set_center(run->trainer, run->rows, run->n_rows, &err),
                         SS_OK);
    }
    ss_train_weights_changed(run->trainer);
}

static void close_run(struct run *run)
{
    ss_train_free(run->trainer);
    free(run->rows);
    free(run->batches);
    free(run);
}

/* ---- comparing ---- */

static void check_number(const struct run *run, size_t step, const char *name, double got,
                         double tolerance)
{
    const double want = expected(run, step, name);
    if (!(fabs(got - want) <= tolerance * fmax(fabs(want), 1e-9))) {
        fail_msg("%s/%s step %zu: %s is %.17g, expected %.17g (off by %.3g)", run->set,
                 run->name, step, name, got, want, fabs(got / want - 1));
    }
}

struct bounds {
    double loss, terms, l0, gradients;
    bool counts;
};

static void check_step(const struct run *run, size_t step, const struct ss_train_figures *got,
                       const struct bounds *bounds)
{
    static const char *const gradients[] = {"grad_b_dec", "grad_b_enc", "grad_W_enc",
                                            "grad_W_dec", "grad_log_threshold"};
    check_number(run, step, "l2_loss", got->l2_loss, bounds->terms);
    check_number(run, step, "l0_norm", got->l0_norm, bounds->l0);
    if (!bounds->counts) {
        return;
    }
    check_number(run, step, "loss", got->loss, bounds->loss);
    check_number(run, step, "l1_loss", got->l1_loss, bounds->terms);
    check_number(run, step, "l1_norm", got->l1_norm, bounds->terms);
    check_number(run, step, "aux_loss", got->aux_loss, 10 * bounds->terms);
    check_number(run, step, "lr", got->lr, 1e-12);
    check_number(run, step, "grad_norm", got->grad_norm, bounds->gradients);
    check_number(run, step, "num_dead_features", (double)got->n_dead, 0);
    check_number(run, step, "n_dead_aux", (double)got->n_dead_aux, 0);
    check_number(run, step, "n_dead_in_batch", (double)got->n_dead_in_batch, 0);
    if (bounds->gradients < 1e-5) {
        for (size_t i = 0; i < SS_TRAIN_N_PARAMETERS; i++) {
            check_number(run, step, gradients[i], got->grads[i], bounds->gradients);
        }
        check_number(run, step, "grad_W_dec_tangent", got->grad_decoder_tangent,
                     bounds->gradients);
    }
}

#ifdef SS_TRAIN_DOUBLE
static struct bounds bounds_at(const struct run *run, size_t step)
{
    (void)run;
    (void)step;
    return (struct bounds){1e-8, 1e-6, 1e-12, 1e-6, true};
}
#else
/* Two correct programs part where a selection turns out another way (a value that changes places
 * with the next, or crosses the edge of a window): not before step 50, or 20 with a window of
 * 0.001, and then by no more than this. */
static struct bounds bounds_at(const struct run *run, size_t step)
{
    const bool is_narrow =
        run->config.kind == SS_TRAIN_JUMPRELU && run->config.bandwidth < 0.01;
    if (step < (is_narrow ? 20 : 50)) {
        /* One value that crosses the edge of a window changes the thresholds' gradient at once. */
        const double gradients = run->config.kind == SS_TRAIN_JUMPRELU ? 1e-3 : 1e-4;
        return (struct bounds){1e-5, 1e-5, 1e-4, gradients, true};
    }
    if (run->config.kind == SS_TRAIN_VANILLA) {
        const double to_end = run->config.max_grad_norm < 1 ? 1e-3 : 1e-5;
        return (struct bounds){to_end, to_end, 1e-2, 1e-2, true};
    }
    return (struct bounds){1e-2, 1e-2, 1e-2, 1, false};
}
#endif

static void do_step(struct run *run, ss_work *work, size_t step,
                    struct ss_train_figures *figures)
{
    const size_t d = run->config.width;
    float *x = malloc(run->batch_rows * d * sizeof *x);
    ss_err err = {0};
    for (size_t i = 0; i < run->batch_rows; i++) {
        memcpy(x + i * d, run->rows + (size_t)run->batches[step * run->batch_rows + i] * d,
               d * sizeof *x);
    }
    assert_int_equal(ss_train_step(run->trainer, work, x, run->batch_rows, figures, &err),
                     SS_OK);
    free(x);
}

#ifdef SS_TRAIN_DOUBLE
/* The weights at the end: whole, or every 64th feature and the lengths of all. */
static void check_tensor(const struct run *run, const struct ss_weights_tensor *tensor)
{
    const size_t d = run->config.width, n = run->config.n_features;
    const double *want = tensor->data;
    double off = 0, total = 0;
    size_t id = 0;
    while (strncmp(tensor_names[id], tensor->name, strlen(tensor_names[id])) != 0) {
        id++;
    }
    const double *x = run->trainer->parameters[id].x;
    const bool is_length = strstr(tensor->name, ".length") != NULL;
    const bool is_sketch = strstr(tensor->name, ".every64") != NULL;
    if (strstr(tensor->name, ".signs4") != NULL) {
        return;
    }
    for (size_t i = 0; i < tensor->n_elements; i++) {
        double got = x[i];
        if (is_length) {
            got = sqrt(ss_train_dot(x + i * d, x + i * d, d));
        } else if (is_sketch) {
            got = x[i / d * 64 * d + i % d];
        } else if (id == SS_TRAIN_W_ENC) {
            got = x[i % n * d + i / n];
        }
        off += (got - want[i]) * (got - want[i]);
        total += want[i] * want[i];
    }
    if (!(sqrt(off) <= 1e-6 * sqrt(total))) {
        fail_msg("%s/%s: final %s is off by %.3g", run->set, run->name, tensor->name,
                 sqrt(off / total));
    }
}

static void check_end(const struct run *run, uint64_t n_other_dead)
{
    struct ss_weights *weights = NULL;
    ss_err err = {0};
    (void)n_other_dead;
    assert_int_equal(
        ss_weights_open(path_of(run, true, "final-f64.safetensors"), NULL, &weights, &err),
        SS_OK);
    for (size_t i = 0; i < ss_weights_n(weights); i++) {
        check_tensor(run, ss_weights_at(weights, i));
    }
    ss_weights_close(weights);
}
#else
static void check_end(const struct run *run, uint64_t n_other_dead)
{
    (void)run;
    assert_true(n_other_dead <= 20);
}
#endif

/* Of large sets the first steps, but for SAESCOPE_LONG_TESTS=1: all of them take minutes. */
static size_t steps_of(const struct run *run)
{
    enum { FEW_STEPS = 52, LARGE = 128 };
    const bool is_short = run->config.width > LARGE && getenv("SAESCOPE_LONG_TESTS") == NULL;
    return is_short && run->n_steps > FEW_STEPS ? FEW_STEPS : run->n_steps;
}

static void check_run(const char *root, const char *set, const char *name)
{
    struct run *run = calloc(1, sizeof *run);
    ss_work *work = NULL;
    uint64_t n_other_dead = 0;
    ss_err err = {0};
    *run = (struct run){.root = root, .set = set, .name = name};
    open_run(run);
    assert_int_equal(ss_work_new(2, &work, &err), SS_OK);
    const size_t n_steps = steps_of(run);
    for (size_t step = 0; step < n_steps; step++) {
        struct ss_train_figures figures;
        const struct bounds bounds = bounds_at(run, step);
        do_step(run, work, step, &figures);
        check_step(run, step, &figures, &bounds);
        n_other_dead += (double)figures.n_dead_aux != expected(run, step, "n_dead_aux") ? 1 : 0;
    }
    if (n_steps == run->n_steps) {
        check_end(run, n_other_dead);
    }
    ss_work_free(work);
    close_run(run);
}

/* From the state before a step in the middle, with the optimiser's moments: the next steps. */
static void check_from_state(const char *root, const char *set, const char *name, size_t at)
{
    struct run *run = calloc(1, sizeof *run);
    ss_work *work = NULL;
    char path[MAX_PATH], file[64];
    size_t shape[2];
    ss_err err = {0};
    *run = (struct run){.root = root, .set = set, .name = name};
    open_run(run);
    snprintf(file, sizeof file, "state-%zu.safetensors", at);
    snprintf(path, sizeof path, "%s", path_of(run, true, file));
    load_weights(run, path, "", pick_x);
    load_weights(run, path, "adam.m.", pick_mean);
    load_weights(run, path, "adam.v.", pick_square);
    float *idle = read_array(path, "idle", shape);
    for (size_t f = 0; f < run->config.n_features; f++) {
        run->trainer->idle[f] = (uint64_t)idle[f];
    }
    free(idle);
    run->trainer->step = at;
    ss_train_weights_changed(run->trainer);
    assert_int_equal(ss_work_new(1, &work, &err), SS_OK);
    for (size_t step = at; step < at + 5; step++) {
        struct ss_train_figures figures;
        do_step(run, work, step, &figures);
        const double want = expected(run, step, "loss");
        assert_true(fabs(figures.loss - want) <= 1e-5 * fabs(want));
    }
    ss_work_free(work);
    close_run(run);
}

static bool is_there(const char *root, const char *set)
{
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/%s/rows.npy", root, set);
    return access(path, R_OK) == 0;
}

static const char own[] = SS_TEST_DATA "/training";
static const char shared[] = SS_TEST_SHARED "/oracle/training";

static const struct {
    const char *root, *set, *name;
} runs[] = {
    {own, "small", "vanilla"},
    {own, "small", "topk"},
    {own, "small", "batchtopk"},
    {own, "small", "jumprelu"},
    {own, "small", "clipped"},
    {own, "small", "recipe"},
    {own, "small", "matryoshka"},
    {own, "small", "target"},
    {shared, "synthetic", "vanilla"},
    {shared, "synthetic", "topk"},
    {shared, "synthetic", "batchtopk"},
    {shared, "synthetic", "jumprelu"},
    {shared, "synthetic", "jumprelu-seed"},
    {shared, "synthetic", "vanilla-raw-clipped"},
    {shared, "synthetic", "recipe"},
    {shared, "synthetic", "recipe-matryoshka"},
    {shared, "synthetic", "jumprelu-target"},
    {shared, "astro", "vanilla"},
    {shared, "astro", "topk"},
    {shared, "astro", "batchtopk"},
    {shared, "astro", "jumprelu"},
};

static void test_run(void **state)
{
    const size_t i = *(const size_t *)*state;
    if (!is_there(runs[i].root, runs[i].set)) {
        skip();
    }
    check_run(runs[i].root, runs[i].set, runs[i].name);
}

static void test_from_state(void **state)
{
    (void)state;
    if (!is_there(shared, "synthetic")) {
        skip();
    }
    check_from_state(shared, "synthetic", "jumprelu-seed", 100);
}

int main(void)
{
    enum { N_RUNS = sizeof runs / sizeof *runs };
    static size_t numbers[N_RUNS];
    static char names[N_RUNS][MAX_PATH];
    struct CMUnitTest tests[N_RUNS + 1] = {{0}};
    for (size_t i = 0; i < N_RUNS; i++) {
        numbers[i] = i;
        snprintf(names[i], sizeof names[i], "%s/%s", runs[i].set, runs[i].name);
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = test_run, .initial_state = numbers + i};
    }
    tests[N_RUNS] = (struct CMUnitTest)cmocka_unit_test(test_from_state);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
