/* Analyses, their results, and what the features of a run mean. */
#include "core.h"

#include <math.h>
#include <stddef.h>

PyTypeObject *core_run_type;

struct run {
    PyObject_HEAD ss_run *run;
    PyObject *keeps[2]; /* encoder and SAE, which the results borrow from */
};

/* ---- analyze ---- */

static const char *const evidence_names[] = {"full", "light", "none", NULL};

#define OPTION(name, kind, member, names)                                                      \
    {                                                                                          \
        name, kind, offsetof(struct ss_analyze_options, member), NULL, names                   \
    }
static const struct core_option analyze_table[] = {
    OPTION("out", CORE_TEXT, out_dir, NULL),
    OPTION("force", CORE_BOOL, force, NULL),
    OPTION("num_examples", CORE_U64, num_examples, NULL),
    OPTION("top_k", CORE_SIZE, top_k, NULL),
    OPTION("keep_duplicates", CORE_BOOL, keep_duplicates, NULL),
    OPTION("threads", CORE_SIZE, n_threads, NULL),
    OPTION("batch_tokens", CORE_SIZE, batch_tokens, NULL),
    OPTION("title", CORE_TEXT, title, NULL),
    OPTION("save_embeddings", CORE_TEXT, save_embeddings, NULL),
    OPTION("evidence", CORE_ENUM, evidence, evidence_names),
    OPTION("evidence_bytes", CORE_U64, evidence_bytes, NULL),
    OPTION("sample_rows", CORE_U64, sample_rows, NULL),
    OPTION("sample_seed", CORE_U64, sample_seed, NULL),
    OPTION("steps", CORE_TEXT, steps, NULL),
    OPTION("pairs_bytes", CORE_U64, pairs_bytes, NULL),
    OPTION("no_pairs", CORE_BOOL, no_pairs, NULL),
    OPTION("append", CORE_BOOL, append, NULL),
};
#undef OPTION
enum { N_ANALYZE = sizeof analyze_table / sizeof analyze_table[0] };

bool core_fill_analyze(struct ss_analyze_options *options, PyObject *given)
{
    return core_fill(options, analyze_table, N_ANALYZE, given);
}

PyObject *core_new_run(ss_run *run, PyObject *encoder, PyObject *sae)
{
    struct run *self = (struct run *)PyType_GenericAlloc(core_run_type, 0);
    if (self == NULL) {
        ss_run_free(run);
        return NULL;
    }
    self->run = run;
    self->keeps[0] = Py_XNewRef(encoder);
    self->keeps[1] = Py_XNewRef(sae);
    return (PyObject *)self;
}

bool core_rows_succeeded(struct core_dataset *dataset, struct core_call *call, ss_status status,
                         const ss_err *err)
{
    if (dataset != NULL && call->type == NULL && dataset->call.type != NULL) {
        call->type = dataset->call.type;
        call->value = dataset->call.value;
        call->trace = dataset->call.trace;
        dataset->call.type = dataset->call.value = dataset->call.trace = NULL;
    }
    if (status == SS_E_STOPPED && call->type == NULL && dataset != NULL &&
        dataset->release == core_arrow_rows_release &&
        core_arrow_rows_problem(dataset->source)[0] != '\0') {
        PyErr_SetString(PyExc_ValueError, core_arrow_rows_problem(dataset->source));
        return false;
    }
    return core_succeeded(call, status, err);
}

bool core_open_embeddings(const char *path, const char *column, ss_embeddings **out)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_embeddings_options options;
    ss_err err;
    *out = NULL;
    if (path == NULL) {
        return true;
    }
    ss_embeddings_options_init(&options);
    options.column = column;
    options.progress = core_progress(&call);
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_embeddings_open(path, &options, out, &err);
    PyEval_RestoreThread(state);
    return core_succeeded(&call, status, &err);
}

/* analyze(encoder or None, sae, dataset or None, embeddings path or None, embedding column or
 * None, options: dict, progress, log) */
PyObject *core_analyze(PyObject *self, PyObject *args)
{
    PyObject *encoder = NULL, *sae = NULL, *dataset = NULL, *given = NULL;
    const char *embeddings = NULL, *column = NULL;
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_analyze_options options;
    ss_run *run = NULL;
    ss_err err;
    (void)self;
    ss_analyze_options_init(&options);
    if (!PyArg_ParseTuple(args, "OO!OzzO!OO", &encoder, core_sae_type, &sae, &dataset,
                          &embeddings, &column, &PyDict_Type, &given, &call.progress,
                          &call.log) ||
        !core_fill_analyze(&options, given) ||
        !core_open_embeddings(embeddings, column, &options.embeddings)) {
        return NULL;
    }
    struct core_dataset *rows = dataset == Py_None ? NULL : (struct core_dataset *)dataset;
    options.progress = core_progress(&call);
    options.log = core_log(&call);
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status =
        ss_analyze(encoder == Py_None ? NULL : ((struct core_encoder *)encoder)->encoder,
                   ((struct core_sae *)sae)->sae, rows == NULL ? NULL : rows->dataset, &options,
                   &run, &err);
    PyEval_RestoreThread(state);
    ss_embeddings_free(options.embeddings);
    return core_rows_succeeded(rows, &call, status, &err) ? core_new_run(run, encoder, sae)
                                                          : NULL;
}

PyObject *core_run_open(PyObject *self, PyObject *args)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_run_options options;
    const char *path = NULL;
    ss_run *run = NULL;
    ss_err err;
    (void)self;
    ss_run_options_init(&options);
    if (!PyArg_ParseTuple(args, "sO", &path, &call.log)) {
        return NULL;
    }
    options.log = core_log(&call);
    options.progress = core_progress(&call);
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_run_open(path, &options, &run, &err);
    PyEval_RestoreThread(state);
    return core_succeeded(&call, status, &err) ? core_new_run(run, NULL, NULL) : NULL;
}

/* ---- results ---- */

static void run_dealloc(PyObject *object)
{
    struct run *self = (struct run *)object;
    PyTypeObject *type = Py_TYPE(object);
    ss_run_free(self->run);
    Py_XDECREF(self->keeps[0]);
    Py_XDECREF(self->keeps[1]);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *run_info(PyObject *object, PyObject *args)
{
    struct ss_run_info info = {.struct_size = sizeof info};
    (void)args;
    ss_run_describe(((struct run *)object)->run, &info);
    return Py_BuildValue(
        "{s:s,s:s,s:s,s:s,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:d,s:n,s:n,s:n,s:d,s:K}",
        "model_name", info.model_name, "sae_path", info.sae_path, "dataset_name",
        info.dataset_name, "title", info.title, "rows_read",
        (unsigned long long)info.n_rows_read, "rows_used", (unsigned long long)info.n_rows_used,
        "rows_null", (unsigned long long)info.n_rows_skipped[SS_ROW_NULL], "rows_empty",
        (unsigned long long)info.n_rows_skipped[SS_ROW_EMPTY], "rows_blank",
        (unsigned long long)info.n_rows_skipped[SS_ROW_BLANK], "rows_bad",
        (unsigned long long)info.n_rows_skipped[SS_ROW_BAD], "rows_repaired",
        (unsigned long long)info.n_rows_repaired, "tokens", (unsigned long long)info.n_tokens,
        "seconds", info.seconds, "n_features", (Py_ssize_t)info.n_features, "top_k",
        (Py_ssize_t)info.top_k, "n_dead", (Py_ssize_t)info.n_dead, "median_rate_pct",
        info.median_rate_pct, "rows_passed", (unsigned long long)info.n_rows_passed);
}

/* One statistic of all features. */
struct column {
    const char *name;
    char format;
    size_t offset, n_bytes;
};

#define COLUMN(name, member, format)                                                           \
    {                                                                                          \
        name, format, offsetof(struct ss_feature, member),                                     \
            sizeof(((struct ss_feature *)0)->member)                                           \
    }
static const struct column columns[] = {
    COLUMN("n_fires", n_fires, 'Q'),
    COLUMN("rate_pct", rate_pct, 'f'),
    COLUMN("rate_low_pct", rate_low_pct, 'd'),
    COLUMN("rate_high_pct", rate_high_pct, 'd'),
    COLUMN("max_activation", max_activation, 'f'),
    COLUMN("mean_activation", mean_activation, 'd'),
    COLUMN("dead", dead, '?'),
};
#undef COLUMN

static PyObject *make_column(const ss_run *run, size_t n, const struct column *column)
{
    char *data = PyMem_Malloc(n * column->n_bytes + 1);
    if (data == NULL) {
        return PyErr_NoMemory();
    }
    for (size_t f = 0; f < n; f++) {
        struct ss_feature feature = {.struct_size = sizeof feature};
        ss_run_feature(run, f, &feature);
        memcpy(data + f * column->n_bytes, (const char *)&feature + column->offset,
               column->n_bytes);
    }
    return core_block_new(data, n, column->format);
}

static PyObject *run_columns(PyObject *object, PyObject *args)
{
    const ss_run *run = ((struct run *)object)->run;
    struct ss_run_info info = {.struct_size = sizeof info};
    PyObject *dict = PyDict_New();
    (void)args;
    ss_run_describe(run, &info);
    for (size_t i = 0; dict != NULL && i < sizeof columns / sizeof columns[0]; i++) {
        PyObject *block = make_column(run, info.n_features, &columns[i]);
        if (block == NULL || PyDict_SetItemString(dict, columns[i].name, block) != 0) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(block);
    }
    return dict;
}

/* top(feature) -> list of (activation, row or None, text, kept as JSON) */
static PyObject *run_top(PyObject *object, PyObject *args)
{
    const ss_run *run = ((struct run *)object)->run;
    struct ss_feature feature = {.struct_size = sizeof feature};
    Py_ssize_t index = 0;
    if (!PyArg_ParseTuple(args, "n", &index)) {
        return NULL;
    }
    if (index < 0 || ss_run_feature(run, (size_t)index, &feature) != SS_OK) {
        return PyErr_Format(PyExc_IndexError, "there is no feature %zd", index);
    }
    PyObject *list = PyList_New(0);
    for (size_t rank = 0; list != NULL && rank < feature.n_top; rank++) {
        struct ss_top_text top = {.struct_size = sizeof top};
        (void)!ss_run_top(run, (size_t)index, rank, &top);
        PyObject *row =
            top.row == SS_NOWHERE ? Py_NewRef(Py_None) : PyLong_FromUnsignedLongLong(top.row);
        PyObject *item = row == NULL
                             ? NULL
                             : Py_BuildValue("(dNs#s#)", (double)top.activation, row,
                                             top.text.data, (Py_ssize_t)top.text.n_bytes,
                                             top.kept.data, (Py_ssize_t)top.kept.n_bytes);
        if (item == NULL || PyList_Append(list, item) != 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(item);
    }
    return list;
}

/* plot(path, force): the density histogram */
static PyObject *run_plot(PyObject *object, PyObject *args)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_plot_options options;
    const char *path = NULL;
    int force = 0;
    ss_err err;
    ss_plot_options_init(&options);
    if (!PyArg_ParseTuple(args, "sp", &path, &force)) {
        return NULL;
    }
    options.force = force != 0;
    const ss_status status = ss_plot_density(((struct run *)object)->run, path, &options, &err);
    return core_succeeded(&call, status, &err) ? Py_NewRef(Py_None) : NULL;
}

static PyMethodDef run_methods[] = {
    {"info", run_info, METH_NOARGS, "Facts about the run."},
    {"columns", run_columns, METH_NOARGS, "Statistics of all features, by name."},
    {"top", run_top, METH_VARARGS, "The texts that activate a feature most."},
    {"plot", run_plot, METH_VARARGS, "Draw the density histogram."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot run_slots[] = {
    {Py_tp_dealloc, run_dealloc}, {Py_tp_methods, run_methods}, {0, NULL}};

PyType_Spec core_run_spec = {
    .name = "saescope._core.Run",
    .basicsize = sizeof(struct run),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = run_slots,
};
