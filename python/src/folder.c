/* What is made of a run's folder: families, clusters and a map, a report, answers to searches, and
 * differences. */
#include "core.h"

#include <math.h>
#include <stddef.h>

static const char *const rules[] = {"parents", "seed", "seed-keywords", "saerch", NULL};
static const char *const scores[] = {"cosine", "phi", "npmi", "conditional", NULL};
static const char *const vectors[] = {"centroids", "keywords", NULL};
static const char *const methods[] = {"ward", "hdbscan", NULL};
static const char *const kinds[] = {"words", "meaning", "features", NULL};

#define OPTION(type, name, kind, member, names)                                                \
    {                                                                                          \
        name, kind, offsetof(struct type, member), NULL, names                                 \
    }
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct core_option families_table[] = {
    OPTION(ss_families_options, "rule", CORE_ENUM, rule, rules),
    OPTION(ss_families_options, "score", CORE_ENUM, score, scores),
    OPTION(ss_families_options, "largest_q", CORE_F64, largest_q, NULL),
    OPTION(ss_families_options, "least_lift", CORE_F64, least_lift, NULL),
    OPTION(ss_families_options, "least_count", CORE_U64, least_count, NULL),
    OPTION(ss_families_options, "most_parent_rate", CORE_F64, most_parent_rate, NULL),
    OPTION(ss_families_options, "tau", CORE_F64, tau, NULL),
    OPTION(ss_families_options, "least_phi", CORE_F64, least_phi, NULL),
    OPTION(ss_families_options, "matrix", CORE_BOOL, matrix, NULL),
    OPTION(ss_families_options, "threads", CORE_SIZE, n_threads, NULL),
};
static const struct core_option map_table[] = {
    OPTION(ss_map_options, "vectors", CORE_ENUM, vectors, vectors),
    OPTION(ss_map_options, "method", CORE_ENUM, method, methods),
    OPTION(ss_map_options, "n_clusters", CORE_SIZE, n_clusters, NULL),
    OPTION(ss_map_options, "min_cluster_size", CORE_SIZE, min_cluster_size, NULL),
    OPTION(ss_map_options, "min_samples", CORE_SIZE, min_samples, NULL),
    OPTION(ss_map_options, "leaves", CORE_BOOL, leaves, NULL),
    OPTION(ss_map_options, "seed", CORE_U64, seed, NULL),
    OPTION(ss_map_options, "place", CORE_TEXT, place, NULL),
    OPTION(ss_map_options, "text_column", CORE_TEXT, text_column, NULL),
    OPTION(ss_map_options, "no_labels", CORE_BOOL, no_labels, NULL),
    OPTION(ss_map_options, "threads", CORE_SIZE, n_threads, NULL),
};
static const struct core_option report_table[] = {
    OPTION(ss_report_options, "budget_bytes", CORE_U64, budget_bytes, NULL),
    OPTION(ss_report_options, "no_texts", CORE_BOOL, no_texts, NULL),
    OPTION(ss_report_options, "force", CORE_BOOL, force, NULL),
};
static const struct core_option search_table[] = {
    OPTION(ss_search_options, "by", CORE_ENUM, by, kinds),
    OPTION(ss_search_options, "limit", CORE_SIZE, limit, NULL),
    OPTION(ss_search_options, "threads", CORE_SIZE, n_threads, NULL),
};
static const struct core_option diff_table[] = {
    OPTION(ss_diff_options, "by", CORE_TEXT, by, NULL),
};
#undef OPTION

/* families(run folder, options: dict, log) -> dict */
PyObject *core_families(PyObject *self, PyObject *args)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_families_options options;
    struct ss_families_info info;
    PyObject *given = NULL;
    const char *path = NULL;
    ss_err err;
    (void)self;
    ss_families_options_init(&options);
    ss_families_info_init(&info);
    if (!PyArg_ParseTuple(args, "sO!O", &path, &PyDict_Type, &given, &call.log) ||
        !core_fill(&options, families_table, COUNT(families_table), given)) {
        return NULL;
    }
    options.progress = core_progress(&call);
    options.log = core_log(&call);
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_families_run(path, &options, &info, &err);
    PyEval_RestoreThread(state);
    if (!core_succeeded(&call, status, &err)) {
        return NULL;
    }
    return Py_BuildValue("{s:n,s:n,s:n,s:n,s:n,s:d,s:d,s:d,s:d}", "n_families",
                         (Py_ssize_t)info.n_families, "n_trees", (Py_ssize_t)info.n_trees,
                         "n_largest", (Py_ssize_t)info.n_largest, "n_parents",
                         (Py_ssize_t)info.n_parents, "n_held_out", (Py_ssize_t)info.n_held_out,
                         "median_lift", info.median_lift, "lift", info.lift, "lift_low",
                         info.lift_low, "lift_high", info.lift_high);
}

/* map(run folder, encoder or None, options: dict, log) -> dict */
PyObject *core_map(PyObject *self, PyObject *args)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_map_options options;
    struct ss_map_result result;
    PyObject *encoder = NULL, *given = NULL;
    const char *path = NULL;
    ss_err err;
    (void)self;
    ss_map_options_init(&options);
    ss_map_result_init(&result);
    if (!PyArg_ParseTuple(args, "sOO!O", &path, &encoder, &PyDict_Type, &given, &call.log) ||
        !core_fill(&options, map_table, COUNT(map_table), given)) {
        return NULL;
    }
    options.progress = core_progress(&call);
    options.log = core_log(&call);
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status =
        ss_map_run(path, encoder == Py_None ? NULL : ((struct core_encoder *)encoder)->encoder,
                   &options, &result, &err);
    PyEval_RestoreThread(state);
    if (!core_succeeded(&call, status, &err)) {
        return NULL;
    }
    return Py_BuildValue("{s:n,s:n,s:n,s:n,s:n,s:n,s:d,s:d}", "n_features",
                         (Py_ssize_t)result.n_features, "n_rare", (Py_ssize_t)result.n_rare,
                         "n_clusters", (Py_ssize_t)result.n_clusters, "n_noise",
                         (Py_ssize_t)result.n_noise, "n_texts", (Py_ssize_t)result.n_texts,
                         "n_placed", (Py_ssize_t)result.n_placed, "trustworthiness",
                         result.trustworthiness, "kept", result.kept);
}

/* report(run folder, path, options: dict) -> bytes of the file */
PyObject *core_report(PyObject *self, PyObject *args)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_report_options options;
    struct ss_report_result result;
    PyObject *given = NULL;
    const char *run = NULL, *path = NULL;
    ss_err err;
    (void)self;
    ss_report_options_init(&options);
    ss_report_result_init(&result);
    if (!PyArg_ParseTuple(args, "ssO!", &run, &path, &PyDict_Type, &given) ||
        !core_fill(&options, report_table, COUNT(report_table), given)) {
        return NULL;
    }
    options.progress = core_progress(&call);
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_report_file(run, path, &options, &result, &err);
    PyEval_RestoreThread(state);
    return core_succeeded(&call, status, &err) ? PyLong_FromUnsignedLongLong(result.n_bytes)
                                               : NULL;
}

/* Append, and let go of, an item; false with an exception and the list released. */
static bool append(PyObject **list, PyObject *item)
{
    if (*list != NULL && (item == NULL || PyList_Append(*list, item) != 0)) {
        Py_CLEAR(*list);
    }
    Py_XDECREF(item);
    return *list != NULL;
}

static PyObject *hit_of(const ss_search *search, size_t rank)
{
    struct ss_search_hit hit = {.struct_size = sizeof hit};
    PyObject *features = PyDict_New();
    (void)!ss_search_get(search, rank, &hit);
    for (size_t i = 0; features != NULL && i < hit.n_features; i++) {
        PyObject *key = PyLong_FromUnsignedLong(hit.features[i]);
        PyObject *value = PyFloat_FromDouble((double)hit.activations[i]);
        if (key == NULL || value == NULL || PyDict_SetItem(features, key, value) != 0) {
            Py_CLEAR(features);
        }
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    if (features == NULL) {
        return NULL;
    }
    PyObject *file =
        PyUnicode_DecodeUTF8(hit.file.data, (Py_ssize_t)hit.file.n_bytes, "replace");
    return Py_BuildValue(
        "(dNOs#KNN)", hit.score,
        hit.feature == SS_NO_FEATURE ? Py_NewRef(Py_None) : PyLong_FromSize_t(hit.feature),
        hit.feature == SS_NO_FEATURE ? Py_True : Py_False, hit.text.data,
        (Py_ssize_t)hit.text.n_bytes, (unsigned long long)hit.row, file, features);
}

/* search(run folder, query, options: dict) -> list of (score, feature or None, whether a text,
 * text, row, file, {feature: activation}) */
PyObject *core_search(PyObject *self, PyObject *args)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_search_options options;
    PyObject *given = NULL, *list = NULL;
    const char *path = NULL, *query = NULL;
    ss_search *search = NULL;
    size_t n_searched = 0, n_found = 0, n_listed = 0;
    ss_err err;
    (void)self;
    ss_search_options_init(&options);
    if (!PyArg_ParseTuple(args, "ssO!", &path, &query, &PyDict_Type, &given) ||
        !core_fill(&options, search_table, COUNT(search_table), given)) {
        return NULL;
    }
    options.progress = core_progress(&call);
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_search_run(path, query, &options, &search, &err);
    PyEval_RestoreThread(state);
    if (!core_succeeded(&call, status, &err)) {
        return NULL;
    }
    ss_search_sizes(search, &n_searched, &n_found, &n_listed);
    list = PyList_New(0);
    for (size_t rank = 0; list != NULL && rank < n_listed; rank++) {
        append(&list, hit_of(search, rank));
    }
    ss_search_free(search);
    return list;
}

/* The numbers of a difference, in the order in which Python lists them. */
static PyObject *difference_of(const ss_diff *diff, size_t i)
{
    struct ss_difference d = {.struct_size = sizeof d};
    (void)!ss_diff_get(diff, i, &d);
    return Py_BuildValue("(nndsKKKKdddddddd)", (Py_ssize_t)d.feature_a, (Py_ssize_t)d.feature_b,
                         d.similarity, d.group, (unsigned long long)d.n_fires_a,
                         (unsigned long long)d.n_rows_a, (unsigned long long)d.n_fires_b,
                         (unsigned long long)d.n_rows_b, d.difference_pct, d.low_pct,
                         d.high_pct, d.effect, d.odds_ratio, d.z, d.p, d.q);
}

/* diff(run folder, run folder or None, options: dict) -> list of tuples */
PyObject *core_diff(PyObject *self, PyObject *args)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_diff_options options;
    struct ss_diff_info info = {.struct_size = sizeof info};
    PyObject *given = NULL, *list = NULL;
    const char *run_a = NULL, *run_b = NULL;
    ss_diff *diff = NULL;
    ss_err err;
    (void)self;
    ss_diff_options_init(&options);
    if (!PyArg_ParseTuple(args, "szO!", &run_a, &run_b, &PyDict_Type, &given) ||
        !core_fill(&options, diff_table, COUNT(diff_table), given)) {
        return NULL;
    }
    options.progress = core_progress(&call);
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_diff_run(run_a, run_b, &options, &diff, &err);
    PyEval_RestoreThread(state);
    if (!core_succeeded(&call, status, &err)) {
        return NULL;
    }
    ss_diff_describe(diff, &info);
    list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < info.n; i++) {
        append(&list, difference_of(diff, i));
    }
    ss_diff_free(diff);
    return list;
}
