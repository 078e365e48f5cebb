/* What is made of a run, while memory runs out and files cannot be read or written: parts and
 * their merge, labels and scores, samples, families, a map, searches, differences, exports,
 * pages; and training, which stands on the same files. */
#include <cairo.h>
#include <math.h>

#define FAULTS_MOST 12 /* each of these calls does a lot; make faults takes them all */
#include "faults.h"

#define DATA SS_TEST_DATA "/"

static ss_encoder *encoder;
static ss_sae *sae;
static char place[] = "/tmp/saescope-faults-steps-XXXXXX"; /* holds what is read */

static const char *at(const char *folder, const char *name)
{
    static char paths[16][800];
    static size_t next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* ---- files that the test makes and removes, which is not counted ---- */

static bool is_folder(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* Numbers of what a file or folder holds, which is removed. Files with times in them do not
 * count; a temporary name must not be there. 0: nothing is there. */
static uint64_t take(const char *path)
{
    static char content[1 << 21];
    char names[128][256];
    uint64_t sum = 1;
    if (access(path, F_OK) != 0) {
        return 0;
    }
    if (!is_folder(path)) {
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        sum = faults_mix(1, content, fread(content, 1, sizeof content, file));
        fclose(file);
        assert_int_equal(unlink(path), 0);
        return sum;
    }
    const size_t n = faults_list(path, names, 128);
    for (size_t i = 0; i < n; i++) {
        char inner[1100];
        snprintf(inner, sizeof inner, "%s/%s", path, names[i]);
        if (strncmp(names[i], ".saescope-", 10) == 0) {
            faults.n_problems++;
            print_error("%s is left\n", inner);
        }
        const uint64_t part = take(inner);
        sum = strstr(names[i], "run.json") != NULL ? sum : faults_mix(sum, &part, sizeof part);
    }
    assert_int_equal(rmdir(path), 0);
    return sum;
}

static void copy(const char *from, const char *to)
{
    static char content[1 << 21];
    char names[128][256];
    if (!is_folder(from)) {
        FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
        assert_true(in != NULL && out != NULL);
        const size_t n = fread(content, 1, sizeof content, in);
        assert_int_equal(fwrite(content, 1, n, out), n);
        assert_int_equal(fclose(in) | fclose(out), 0);
        return;
    }
    assert_int_equal(mkdir(to, 0700), 0);
    const size_t n = faults_list(from, names, 128);
    for (size_t i = 0; i < n; i++) {
        char old[1100], new[1100];
        snprintf(old, sizeof old, "%s/%s", from, names[i]);
        snprintf(new, sizeof new, "%s/%s", to, names[i]);
        copy(old, new);
    }
}

/* Of an output that a call has made: its numbers, where the call has succeeded. */
static uint64_t output(ss_status status, const char *path)
{
    const int kind = atomic_exchange(&faults.kind, FAULTS_OFF);
    const uint64_t sum = take(path);
    faults.kind = kind;
    assert_true(status != SS_OK || sum != 0);
    return status == SS_OK ? sum : 0;
}

/* ---- the pass in parts, and rows of the caller's ---- */

static ss_status open_rows(ss_dataset **out, ss_err *err)
{
    const char *path = at(place, "rows.jsonl");
    const struct ss_dataset_options options = {.struct_size = sizeof options, .keep = "g"};
    return ss_dataset_open(&path, 1, &options, out, err);
}

/* `word` says whether checkpoints are made: then what was gathered may be left on error, and pairs
 * are gathered in files. */
static ss_status run_part(const struct faults_case *self, const char *folder, uint64_t *sum,
                          ss_err *err)
{
    const char *out = at(folder, "parts");
    const struct ss_analyze_options options = {.struct_size = sizeof options,
                                               .out_dir = out,
                                               .top_k = 3,
                                               .n_threads = 1,
                                               .part = 1,
                                               .n_parts = 2,
                                               .batch_tokens = self->word ? 200 : 0,
                                               .pairs_bytes = self->word ? 1 : 0,
                                               .checkpoint_seconds = self->word ? 1e-9 : -1.0};
    ss_dataset *dataset = NULL;
    ss_run *run = NULL;
    ss_status status = open_rows(&dataset, err);
    if (status == SS_OK) {
        status = ss_analyze(encoder, sae, dataset, &options, &run, err);
        assert_null(run);
    }
    ss_dataset_close(dataset);
    *sum = output(status, out) > 0 && status == SS_OK;
    return status;
}

/* A batch-top-k SAE whose threshold is found on the first rows. */
static ss_status run_calibrated(const struct faults_case *self, const char *folder,
                                uint64_t *sum, ss_err *err)
{
    const struct ss_sae_options rule = {.struct_size = sizeof rule,
                                        .batchtopk_rule = SS_BATCHTOPK_THRESHOLD};
    const struct ss_analyze_options options = {
        .struct_size = sizeof options, .num_examples = 60, .top_k = 3, .n_threads = 1};
    ss_sae *own = NULL;
    ss_dataset *dataset = NULL;
    ss_run *run = NULL;
    ss_status status = ss_sae_open(self->path, &rule, &own, err);
    (void)folder;
    status = status == SS_OK ? open_rows(&dataset, err) : status;
    if (status == SS_OK) {
        status = ss_analyze(encoder, own, dataset, &options, &run, err);
    }
    *sum = 0;
    for (size_t f = 0; status == SS_OK && f < 24; f++) {
        struct ss_feature one = {.struct_size = sizeof one};
        *sum += ss_run_feature(run, f, &one) == SS_OK ? one.n_fires + 1 : 0;
    }
    ss_run_free(run);
    ss_dataset_close(dataset);
    ss_sae_free(own);
    return status;
}

static ss_status run_merge(const struct faults_case *self, const char *folder, uint64_t *sum,
                           ss_err *err)
{
    const char *out = at(folder, "merged");
    const char *states[] = {at(place, "parts/00001-of-00002.state"),
                            at(place, "parts/00002-of-00002.state")};
    const struct ss_merge_options options = {.struct_size = sizeof options,
                                             .out_dir = self->word == NULL ? out : NULL,
                                             .state_path = self->word != NULL ? out : NULL,
                                             .n_threads = 1};
    ss_run *run = (ss_run *)(uintptr_t)1;
    const ss_status status = ss_merge(states, 2, &options, &run, err);
    assert_true((status == SS_OK && self->word == NULL) == (run != NULL));
    ss_run_free(run);
    *sum = output(status, out);
    return status;
}

/* Rows that are handed over, into a state; that state into another analysis, and its run. */
static ss_status push_state(char **state, size_t *n_bytes, ss_err *err)
{
    static const struct ss_text texts[] = {{"a red star", 10}, {"dust", 4}, {"a galaxy", 8}};
    const struct ss_analyze_options options = {
        .struct_size = sizeof options, .n_threads = 1, .top_k = 3};
    const struct ss_pushed_rows rows = {.struct_size = sizeof rows, .n = 3, .texts = texts};
    ss_analysis *analysis = NULL;
    ss_status status = ss_analysis_open(encoder, sae, &options, NULL, &analysis, err);
    if (status == SS_OK) {
        status = ss_analysis_add(analysis, &rows, err);
    }
    if (status == SS_OK) {
        status = ss_analysis_state(analysis, state, n_bytes, err);
        assert_true((status == SS_OK) == (*state != NULL));
    }
    ss_analysis_free(analysis);
    return status;
}

static ss_status finish_state(const char *out, struct ss_text state, ss_err *err)
{
    const struct ss_analyze_options options = {
        .struct_size = sizeof options, .out_dir = out, .n_threads = 1, .top_k = 3};
    ss_analysis *analysis = NULL;
    ss_run *run = NULL;
    ss_status status = ss_analysis_open(encoder, sae, &options, NULL, &analysis, err);
    if (status == SS_OK) {
        status = ss_analysis_merge(analysis, state, err);
    }
    if (status == SS_OK) {
        status = ss_analysis_finish(analysis, &run, err);
    }
    ss_run_free(run);
    ss_analysis_free(analysis);
    return status;
}

static ss_status run_push(const struct faults_case *self, const char *folder, uint64_t *sum,
                          ss_err *err)
{
    const char *out = at(folder, "pushed");
    char *state = NULL, *merged = NULL;
    size_t n_bytes = 0, n_merged = 0;
    (void)self;
    ss_status status = push_state(&state, &n_bytes, err);
    if (status == SS_OK) {
        const struct ss_text states[] = {{state, n_bytes}, {state, n_bytes}};
        status = ss_states_merge(states, 2, 0, &merged, &n_merged, err);
        assert_true((status == SS_OK) == (merged != NULL));
    }
    if (status == SS_OK) {
        status = finish_state(out, (struct ss_text){merged, n_merged}, err);
    }
    ss_analysis_free_state(state);
    ss_analysis_free_state(merged);
    *sum = output(status, out);
    return status;
}

static ss_status run_plan(const struct faults_case *self, const char *folder, uint64_t *sum,
                          ss_err *err)
{
    const char *out = at(folder, "plan.json");
    ss_dataset *dataset = NULL;
    (void)self;
    ss_status status = open_rows(&dataset, err);
    if (status == SS_OK) {
        status = ss_plan_write(dataset, 3, out, false, err);
    }
    ss_dataset_close(dataset);
    *sum = output(status, out);
    return status;
}

static int next_row(void *user, struct ss_given_row *row, bool *has_row)
{
    static const struct ss_text value = {"\"x\"", 3};
    size_t *n = user;
    *has_row = (*n)++ < 3;
    row->text = (struct ss_text){"a red star", 10};
    row->values = &value;
    return 0;
}

static ss_status run_given(const struct faults_case *self, const char *folder, uint64_t *sum,
                           ss_err *err)
{
    static const char *const columns[] = {"id"};
    size_t n = 0;
    const struct ss_row_source source = {.struct_size = sizeof source,
                                         .next = next_row,
                                         .user = &n,
                                         .columns = columns,
                                         .n_columns = 1};
    ss_dataset *dataset = (ss_dataset *)(uintptr_t)1;
    bool has_row = true;
    ss_status status = ss_dataset_from_rows(&source, NULL, &dataset, err);
    (void)self;
    (void)folder;
    assert_true((status == SS_OK) == (dataset != NULL));
    *sum = 1;
    while (status == SS_OK && has_row) {
        struct ss_row row = {.struct_size = sizeof row};
        status = ss_dataset_next(dataset, &row, &has_row, err);
        *sum = has_row ? faults_mix(*sum, row.text.data, row.text.n_bytes) : *sum;
    }
    ss_dataset_close(dataset);
    return status;
}

/* ---- steps, which write into the folder of a run ---- */

/* A run of its own for a case; what it holds afterwards is its result. */
static const char *copied_run(const char *folder)
{
    const int kind = atomic_exchange(&faults.kind, FAULTS_OFF);
    const char *path = at(folder, "run");
    copy(at(place, "pass"), path);
    faults.kind = kind;
    return path;
}

static ss_status run_describe(const struct faults_case *self, const char *folder, uint64_t *sum,
                              ss_err *err)
{
    const struct ss_llm_options llm = {.struct_size = sizeof llm,
                                       .url = "http://127.0.0.1:9/v1",
                                       .model = "m",
                                       .dry_run = true};
    const bool asks = strcmp(self->word, "llm") == 0;
    const struct ss_describe_options options = {
        .struct_size = sizeof options,
        .method = strcmp(self->word, "seed") == 0 ? SS_METHOD_SEED : SS_METHOD_CONTRAST,
        .sae = sae,
        .llm = asks ? &llm : NULL,
        .n_threads = 1};
    const char *run = copied_run(folder);
    ss_descriptions *found = (ss_descriptions *)(uintptr_t)1;
    const ss_status status = ss_describe_run(run, encoder, &options, &found, err);
    assert_true((status == SS_OK) == (found != NULL));
    if (status == SS_OK && asks) {
        struct ss_llm_report report = {.struct_size = sizeof report};
        assert_int_equal(ss_descriptions_llm(found, &report), SS_OK);
        assert_true(report.n_calls > 0);
    }
    ss_descriptions_free(found);
    *sum = output(status, run);
    return status;
}

static ss_status run_families(const struct faults_case *self, const char *folder, uint64_t *sum,
                              ss_err *err)
{
    const struct ss_families_options options = {
        .struct_size = sizeof options,
        .rule = strcmp(self->word, "seed") == 0     ? SS_FAMILIES_SEED
                : strcmp(self->word, "saerch") == 0 ? SS_FAMILIES_SAERCH
                                                    : SS_FAMILIES_PARENTS,
        .matrix = true,
        .encoder = encoder,
        .n_threads = 1};
    struct ss_families_info info = {.struct_size = sizeof info};
    const char *run = copied_run(folder);
    const ss_status status = ss_families_run(run, &options, &info, err);
    *sum = output(status, run);
    return status;
}

static ss_status run_map(const struct faults_case *self, const char *folder, uint64_t *sum,
                         ss_err *err)
{
    const bool is_other = self->word != NULL;
    const struct ss_map_options options = {
        .struct_size = sizeof options,
        .method = is_other ? SS_CLUSTERS_HDBSCAN : SS_CLUSTERS_WARD,
        .min_cluster_size = 2,
        .vectors = is_other ? SS_MAP_DECODER : SS_MAP_CENTROIDS,
        .place = is_other ? NULL : at(place, "few.jsonl"),
        .n_threads = 1};
    const char *run = copied_run(folder);
    const ss_status status = ss_map_run(run, encoder, &options, NULL, err);
    *sum = output(status, run);
    return status;
}

/* ---- what is read of a run ---- */

static ss_status run_score(const struct faults_case *self, const char *folder, uint64_t *sum,
                           ss_err *err)
{
    const struct ss_label own = {0, "star, dust"};
    const struct ss_labels labels = {.struct_size = sizeof labels,
                                     .labels = &own,
                                     .n_labels = 1,
                                     .path = at(place, "labels.csv")};
    const struct ss_describe_options options = {
        .struct_size = sizeof options, .sae = sae, .n_threads = 1};
    ss_descriptions *found = (ss_descriptions *)(uintptr_t)1;
    const ss_status status =
        ss_score_labels(at(place, "run"), encoder, &labels, &options, &found, err);
    *sum = 0;
    (void)self;
    (void)folder;
    assert_true((status == SS_OK) == (found != NULL));
    for (int label = 0; status == SS_OK && label < SS_N_LABEL_STATUSES; label++) {
        const char *name = ss_label_status_name((ss_label_status)label);
        const size_t n = ss_descriptions_count(found, (ss_label_status)label);
        *sum = faults_mix(*sum, name, strlen(name)) + n;
    }
    ss_descriptions_free(found);
    return status;
}

static ss_status run_descriptions(const struct faults_case *self, const char *folder,
                                  uint64_t *sum, ss_err *err)
{
    size_t best[4], n = 9;
    ss_descriptions *found = (ss_descriptions *)(uintptr_t)1;
    ss_status status = ss_descriptions_open(at(place, "run"), &found, err);
    (void)self;
    (void)folder;
    assert_true((status == SS_OK) == (found != NULL));
    *sum = 0;
    for (size_t i = 0; status == SS_OK && i < ss_descriptions_n_features(found); i++) {
        struct ss_description one = {.struct_size = sizeof one};
        assert_int_equal(ss_descriptions_get(found, i, &one), SS_OK);
        *sum = faults_mix(*sum, one.label, strlen(one.label));
    }
    if (status == SS_OK) {
        status = ss_descriptions_sharpest(found, 4, best, &n, err);
    }
    ss_descriptions_free(found);
    return status;
}

static ss_status run_export(const struct faults_case *self, const char *folder, uint64_t *sum,
                            ss_err *err)
{
    const char *out = at(folder, "export");
    const struct ss_export_options options = {.struct_size = sizeof options,
                                              .kind = (ss_export)(self->word[0] - '0'),
                                              .model_id = "m",
                                              .source_id = "0-sae",
                                              .author_id = "a"};
    size_t n = 9;
    const ss_status status = ss_descriptions_export(at(place, "run"), out, &options, &n, err);
    const uint64_t found = output(status, out);
    /* Exports carry times and ids of their own. */
    *sum = status == SS_OK ? n + (found != 0) : 0;
    return status;
}

static ss_status run_samples(const struct faults_case *self, const char *folder, uint64_t *sum,
                             ss_err *err)
{
    struct ss_activation_bin bins[64];
    ss_samples *samples = (ss_samples *)(uintptr_t)1;
    const ss_status status = ss_samples_open(at(place, "run"), &samples, err);
    (void)self;
    (void)folder;
    assert_true((status == SS_OK) == (samples != NULL));
    *sum = 0;
    for (size_t kind = 0; status == SS_OK && kind < SS_N_SAMPLE_KINDS; kind++) {
        const size_t n = ss_samples_count(samples, 0, (ss_sample_kind)kind);
        for (size_t rank = 0; rank < n; rank++) {
            struct ss_sample one = {.struct_size = sizeof one};
            assert_int_equal(ss_samples_get(samples, 0, (ss_sample_kind)kind, rank, &one),
                             SS_OK);
            *sum = faults_mix(*sum, one.text.data, one.text.n_bytes);
        }
        *sum += ss_samples_histogram(samples, 0, 64, bins);
    }
    ss_samples_free(samples);
    return status;
}

static ss_status run_open_families(const struct faults_case *self, const char *folder,
                                   uint64_t *sum, ss_err *err)
{
    ss_families *families = (ss_families *)(uintptr_t)1;
    const ss_status status = ss_families_open(at(place, "run"), &families, err);
    (void)self;
    (void)folder;
    assert_true((status == SS_OK) == (families != NULL));
    *sum = status == SS_OK ? 1 + ss_families_n(families) : 0;
    for (size_t i = 0; status == SS_OK && i < ss_families_n(families); i++) {
        struct ss_family one = {.struct_size = sizeof one};
        assert_int_equal(ss_families_get(families, i, &one), SS_OK);
        *sum = faults_mix(*sum, one.members, one.n_members * sizeof *one.members);
    }
    struct ss_family_parent parent = {.struct_size = sizeof parent};
    if (status == SS_OK) {
        assert_string_equal(ss_families_rule(families), "parents");
        for (size_t f = 0; f < 24; f++) {
            *sum += ss_families_parent(families, f, &parent) == SS_OK ? parent.parent + 1 : 0;
        }
    }
    ss_families_free(families);
    return status;
}

static ss_status run_search(const struct faults_case *self, const char *folder, uint64_t *sum,
                            ss_err *err)
{
    const struct ss_search_options options = {.struct_size = sizeof options,
                                              .by = (ss_search_by)(self->word[0] - '0'),
                                              .n_threads = 1};
    size_t n_searched = 0, n_found = 0, n_listed = 0;
    ss_search *search = (ss_search *)(uintptr_t)1;
    const ss_status status =
        ss_search_run(at(place, "run"), self->path, &options, &search, err);
    (void)folder;
    assert_true((status == SS_OK) == (search != NULL));
    *sum = 0;
    if (status == SS_OK) {
        ss_search_sizes(search, &n_searched, &n_found, &n_listed);
        *sum = 1 + n_searched + 1000 * n_found;
        for (size_t i = 0; i < n_listed; i++) {
            struct ss_search_hit hit = {.struct_size = sizeof hit};
            assert_int_equal(ss_search_get(search, i, &hit), SS_OK);
            *sum = faults_mix(*sum, hit.text.data, hit.text.n_bytes);
        }
    }
    ss_search_free(search);
    return status;
}

static ss_status run_diff(const struct faults_case *self, const char *folder, uint64_t *sum,
                          ss_err *err)
{
    const struct ss_diff_options options = {.struct_size = sizeof options, .by = self->word};
    const char *other = self->word != NULL ? NULL : at(place, self->path);
    struct ss_diff_info info = {.struct_size = sizeof info};
    ss_diff *diff = (ss_diff *)(uintptr_t)1;
    const ss_status status = ss_diff_run(at(place, "run"), other, &options, &diff, err);
    (void)folder;
    assert_true((status == SS_OK) == (diff != NULL));
    *sum = 0;
    if (status == SS_OK) {
        ss_diff_describe(diff, &info);
        *sum = 1 + info.n;
        for (size_t i = 0; i < info.n; i++) {
            struct ss_difference one = {.struct_size = sizeof one};
            assert_int_equal(ss_diff_get(diff, i, &one), SS_OK);
            *sum = faults_mix(*sum, &one.effect, sizeof one.effect);
        }
    }
    ss_diff_free(diff);
    return status;
}

static ss_status run_report(const struct faults_case *self, const char *folder, uint64_t *sum,
                            ss_err *err)
{
    const char *out = at(folder, "report.html");
    const struct ss_report_options options = {
        .struct_size = sizeof options,
        .with = self->word == NULL ? NULL : at(place, self->word)};
    struct ss_report_result done = {.struct_size = sizeof done};
    const ss_status status = ss_report_file(at(place, "run"), out, &options, &done, err);
    *sum = output(status, out);
    return status;
}

static ss_status run_extract(const struct faults_case *self, const char *folder, uint64_t *sum,
                             ss_err *err)
{
    const char *out = at(folder, "arrays.npz");
    const ss_status status = ss_report_extract(at(place, "report.html"), out, false, err);
    (void)self;
    *sum = output(status, out);
    return status;
}

static void see_link(void *user, const char *url)
{
    *(bool *)user = url != NULL;
}

static int stop_viewing(void *user, const struct ss_progress *progress)
{
    (void)progress;
    return *(bool *)user;
}

static ss_status run_view(const struct faults_case *self, const char *folder, uint64_t *sum,
                          ss_err *err)
{
    bool is_ready = false;
    const struct ss_view_options options = {.struct_size = sizeof options,
                                            .ready = see_link,
                                            .user = &is_ready,
                                            .progress = {stop_viewing, &is_ready}};
    const ss_status status = ss_view(at(place, "run"), &options, err);
    (void)self;
    (void)folder;
    *sum = is_ready;
    return is_ready && status == SS_E_STOPPED ? SS_OK : status;
}

/* ---- training ---- */

static ss_status open_vectors(ss_embeddings **out, ss_err *err)
{
    return ss_embeddings_open(at(place, "vectors.npy"), NULL, out, err);
}

static ss_status run_train(const struct faults_case *self, const char *folder, uint64_t *sum,
                           ss_err *err)
{
    static const char *const axes[] = {"top_k=2,4"};
    const char *out = at(folder, "sae");
    struct ss_train_options options = {.struct_size = sizeof options,
                                       .kind = self->path,
                                       .dict_size = 16,
                                       .top_k = 3,
                                       .batch_size = 32,
                                       .max_steps = 6,
                                       .checkpoint_steps = 3,
                                       .n_threads = 1};
    const struct ss_train_extras extras = {
        .struct_size = sizeof extras, .axes = axes, .n_axes = 1};
    struct ss_train_result done = {.struct_size = sizeof done};
    ss_dataset *dataset = NULL;
    const bool is_text = self->word != NULL && strcmp(self->word, "texts") == 0;
    const bool is_sweep = self->word != NULL && !is_text;
    ss_status status =
        is_text ? open_rows(&dataset, err) : open_vectors(&options.embeddings, err);
    if (status == SS_OK) {
        status = is_sweep
                     ? ss_train_more(NULL, NULL, out, &options, &extras, err)
                     : ss_train(is_text ? encoder : NULL, dataset, out, &options, &done, err);
    }
    ss_embeddings_free(options.embeddings);
    ss_dataset_close(dataset);
    *sum = output(status, out);
    (void)output(SS_E_STOPPED, at(folder, "sae.training")); /* from where it would go on */
    return status;
}

static ss_status run_evaluate(const struct faults_case *self, const char *folder, uint64_t *sum,
                              ss_err *err)
{
    const struct ss_evaluate_options options = {.struct_size = sizeof options, .n_threads = 1};
    struct ss_evaluation found = {.struct_size = sizeof found};
    ss_embeddings *rows = NULL;
    char *json = NULL;
    ss_status status = open_vectors(&rows, err);
    (void)folder;
    *sum = 0;
    if (status == SS_OK) {
        status = ss_evaluate(self->path, rows, &options, &found, err);
    }
    if (status == SS_OK) {
        status = ss_evaluation_json(&found, &json, err);
        assert_true((status == SS_OK) == (json != NULL));
        *sum = json == NULL ? 0 : faults_mix(1, json, strlen(json));
    }
    ss_evaluation_json_free(json);
    ss_embeddings_free(rows);
    return status;
}

/* There is none for a small encoder, which is found by embedding. */
static ss_status run_embedded(const struct faults_case *self, const char *folder, uint64_t *sum,
                              ss_err *err)
{
    ss_sae *found = (ss_sae *)(uintptr_t)1;
    const ss_status status = ss_sae_open_embedded(encoder, NULL, &found, err);
    (void)self;
    (void)folder;
    assert_null(found);
    *sum = 1;
    return status == SS_E_NOINPUT ? SS_OK : status;
}

static const struct faults_case cases[] = {
    {"a part", run_part, NULL, NULL},
    {"a part with checkpoints", run_part, NULL, "checkpoints"},
    {"a calibrated threshold", run_calibrated, DATA "run/sae-batchtopk", NULL},
    {"merge into a run", run_merge, NULL, NULL},
    {"merge into a state", run_merge, NULL, "state"},
    {"rows that are handed over", run_push, NULL, NULL},
    {"a plan", run_plan, NULL, NULL},
    {"rows of the caller's", run_given, NULL, NULL},
    {"labels by contrast", run_describe, NULL, "contrast"},
    {"keywords of the seed's", run_describe, NULL, "seed"},
    {"labels with questions", run_describe, NULL, "llm"},
    {"families by parents", run_families, NULL, "parents"},
    {"families of the seed's", run_families, NULL, "seed"},
    {"families of saerch", run_families, NULL, "saerch"},
    {"a map, Ward, texts placed", run_map, NULL, NULL},
    {"a map, HDBSCAN", run_map, NULL, "hdbscan"},
    {"score labels", run_score, NULL, NULL},
    {"open descriptions", run_descriptions, NULL, NULL},
    {"export for upload", run_export, NULL, "0"},
    {"export for import", run_export, NULL, "1"},
    {"export in bulk", run_export, NULL, "2"},
    {"export for SAEDashboard", run_export, NULL, "3"},
    {"open samples", run_samples, NULL, NULL},
    {"open families", run_open_families, NULL, NULL},
    {"search by words", run_search, "star", "0"},
    {"search by meaning", run_search, "a star", "1"},
    {"search features", run_search, "star", "2"},
    {"diff of two runs", run_diff, "run", NULL},
    {"diff of runs of two SAEs", run_diff, "other", NULL},
    {"diff of groups", run_diff, NULL, "g"},
    {"report", run_report, NULL, NULL},
    {"report with another run", run_report, NULL, "other"},
    {"extract a report", run_extract, NULL, NULL},
    {"view", run_view, NULL, NULL},
    {"train, topk", run_train, "topk", NULL},
    {"train, jumprelu", run_train, "jumprelu", NULL},
    {"train on texts", run_train, "batchtopk", "texts"},
    {"train a sweep", run_train, "topk", "sweep"},
    {"evaluate", run_evaluate, DATA "run/sae-jumprelu", NULL},
    {"the SAE that is built in", run_embedded, NULL, NULL},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

/* ---- what the cases read ---- */

static void open_shared(void)
{
    cairo_debug_reset_static_data(); /* it keeps fonts, with what they hold of the library */
    ss_err err = {0};
    ss_encoder_free(encoder);
    if (ss_encoder_open(DATA "encoder/mpnet-mean", NULL, &encoder, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
}

/* The rows of the test data with a group each. */
static void write_rows(void)
{
    static char line[1 << 16];
    FILE *from = fopen(DATA "run/rows.jsonl", "r"), *to = fopen(at(place, "rows.jsonl"), "w");
    FILE *few = fopen(at(place, "few.jsonl"), "w"),
         *labels = fopen(at(place, "labels.csv"), "w");
    assert_true(from != NULL && to != NULL && few != NULL && labels != NULL);
    for (size_t i = 0; fgets(line, sizeof line, from) != NULL; i++) {
        fprintf(to, "{\"g\": \"%c\", %s", "ab"[i % 2], line + 1);
        if (i < 3) {
            fputs(line, few);
        }
    }
    fputs("feature,label\n1,cold planet\n", labels);
    assert_int_equal(fclose(from) | fclose(to) | fclose(few) | fclose(labels), 0);
}

static ss_status analyze_into(const char *folder, const ss_sae *with, uint64_t part,
                              const char *steps, ss_err *err)
{
    const struct ss_analyze_options options = {.struct_size = sizeof options,
                                               .out_dir = at(place, folder),
                                               .top_k = 3,
                                               .part = part,
                                               .n_parts = part == 0 ? 0 : 2,
                                               .checkpoint_seconds = -1.0,
                                               .steps = steps,
                                               .n_threads = 1};
    ss_dataset *dataset = NULL;
    ss_run *run = NULL;
    ss_status status = open_rows(&dataset, err);
    if (status == SS_OK) {
        status = ss_analyze(encoder, with, dataset, &options, &run, err);
    }
    ss_run_free(run);
    ss_dataset_close(dataset);
    return status;
}

static ss_status write_vectors(ss_err *err)
{
    const struct ss_embed_options options = {
        .struct_size = sizeof options, .null_rule = SS_NULL_SKIP, .n_threads = 1};
    ss_dataset *dataset = NULL;
    ss_status status = open_rows(&dataset, err);
    if (status == SS_OK) {
        status = ss_embed_file(encoder, dataset, at(place, "vectors.npy"), &options, NULL, err);
    }
    ss_dataset_close(dataset);
    return status;
}

static int set_up(void **state)
{
    ss_err err = {0};
    ss_sae *other = NULL;
    if (faults_set_up(state) != 0 || mkdtemp(place) == NULL) {
        return 1;
    }
    open_shared();
    faults.settle = open_shared;
    write_rows();
    const struct ss_sae_options rule = {.struct_size = sizeof rule,
                                        .batchtopk_rule = SS_BATCHTOPK_ROW_TOPK};
    const bool is_ready =
        ss_sae_open(DATA "run/sae-jumprelu", NULL, &sae, &err) == SS_OK &&
        ss_sae_open(DATA "run/sae-batchtopk", &rule, &other, &err) == SS_OK &&
        analyze_into("pass", sae, 0, NULL, &err) == SS_OK &&
        analyze_into("run", sae, 0, "all", &err) == SS_OK &&
        analyze_into("other", other, 0, NULL, &err) == SS_OK &&
        analyze_into("parts", sae, 1, NULL, &err) == SS_OK &&
        analyze_into("parts", sae, 2, NULL, &err) == SS_OK && write_vectors(&err) == SS_OK &&
        ss_report_file(at(place, "run"), at(place, "report.html"), NULL, NULL, &err) == SS_OK;
    print_error("%s", is_ready ? "" : err.message);
    ss_sae_free(other);
    return !is_ready;
}

static int tear_down(void **state)
{
    (void)take(place);
    ss_sae_free(sae);
    ss_encoder_free(encoder);
    return faults_tear_down(state);
}

/* SS_FAULTS_ONLY names one case. */
static void try_chosen(void **state, faults_kind kind)
{
    const char *only = getenv("SS_FAULTS_ONLY");
    size_t n_problems = 0;
    for (size_t i = 0; i < N_CASES; i++) {
        if (only == NULL || strcmp(only, cases[i].name) == 0) {
            faults_try_all(&cases[i], 1, *state, kind);
            n_problems += faults.n_problems;
        }
    }
    assert_int_equal(n_problems, 0);
}

static void test_memory(void **state)
{
    try_chosen(state, FAULTS_MEMORY);
}

static void test_files(void **state)
{
    try_chosen(state, FAULTS_FILES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
