/* SAE: embeddings to sparse activations. */
#include "core.h"

#include <stddef.h>

PyTypeObject *core_sae_type;

static bool parse_rule(const char *name, int *value)
{
    ss_batchtopk_rule rule = SS_BATCHTOPK_REFUSE;
    const bool is_known = ss_batchtopk_rule_parse(name, &rule);
    *value = (int)rule;
    return is_known;
}

#define OPTION(name, kind, member)                                                             \
    {                                                                                          \
        name, kind, offsetof(struct ss_sae_options, member), NULL, NULL                        \
    }
static const struct core_option options_table[] = {
    {"batchtopk", CORE_ENUM, offsetof(struct ss_sae_options, batchtopk_rule), parse_rule, NULL},
    OPTION("batchtopk_threshold", CORE_F64, batchtopk_threshold),
    OPTION("calibration_rows", CORE_U64, calibration_rows),
    OPTION("batch_rows", CORE_SIZE, batch_rows),
    OPTION("sae_format", CORE_TEXT, format),
    OPTION("sae_top_k", CORE_SIZE, top_k),
    OPTION("source", CORE_TEXT, source),
    OPTION("commit", CORE_TEXT, commit),
};
#undef OPTION
enum { N_OPTIONS = sizeof options_table / sizeof options_table[0] };

/* SAE(path, threads, options: dict, log) */
static PyObject *sae_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void)keywords;
    const char *path = NULL;
    Py_ssize_t n_threads = 0;
    PyObject *given = NULL;
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_sae_options options;
    ss_sae *sae = NULL;
    ss_err err;
    ss_sae_options_init(&options);
    if (!PyArg_ParseTuple(args, "snO!O", &path, &n_threads, &PyDict_Type, &given, &call.log) ||
        !core_fill(&options, options_table, N_OPTIONS, given)) {
        return NULL;
    }
    options.log = core_log(&call);
    options.progress = core_progress(&call);
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_sae_open(path, &options, &sae, &err);
    PyEval_RestoreThread(state);
    struct core_sae *self = NULL;
    if (core_succeeded(&call, status, &err)) {
        self = (struct core_sae *)PyType_GenericAlloc(type, 0);
    }
    if (self == NULL) {
        ss_sae_free(sae);
        return NULL;
    }
    self->sae = sae;
    self->works = (struct core_works){.n_threads = (size_t)n_threads};
    return (PyObject *)self;
}

static void sae_dealloc(PyObject *object)
{
    struct core_sae *self = (struct core_sae *)object;
    PyTypeObject *type = Py_TYPE(object);
    core_works_release(&self->works);
    ss_sae_free(self->sae);
    PyObject_Free(object);
    Py_DECREF(type);
}

/* ---- encode ---- */

/* Offsets and features as numbers that scipy keeps without a copy: both 32 bits wide where the
 * activations can be counted so, else both 64. */
static PyObject *as_indices(const size_t *wide, const uint32_t *narrow, size_t n, bool is_64)
{
    void *data = PyMem_Malloc(n * (is_64 ? sizeof(int64_t) : sizeof(int32_t)) + 1);
    if (data == NULL) {
        return PyErr_NoMemory();
    }
    for (size_t i = 0; i < n; i++) {
        const uint64_t value = wide == NULL ? narrow[i] : wide[i];
        if (is_64) {
            ((int64_t *)data)[i] = (int64_t)value;
        } else {
            ((int32_t *)data)[i] = (int32_t)value;
        }
    }
    return core_block_new(data, n, is_64 ? 'q' : 'i');
}

static PyObject *as_values(const float *values, size_t n)
{
    float *data = PyMem_Malloc(n * sizeof *data + 1);
    if (data == NULL) {
        return PyErr_NoMemory();
    }
    if (n > 0) {
        memcpy(data, values, n * sizeof *data);
    }
    return core_block_new(data, n, 'f');
}

static PyObject *as_tuple(const struct ss_sparse *sparse)
{
    static const size_t nothing[1] = {0};
    const size_t *offsets = sparse->offsets == NULL ? nothing : sparse->offsets;
    const size_t n = offsets[sparse->n_rows];
    const bool is_64 = n > INT32_MAX;
    PyObject *parts[3] = {as_indices(offsets, NULL, sparse->n_rows + 1, is_64),
                          as_indices(NULL, sparse->features, n, is_64),
                          as_values(sparse->values, n)};
    PyObject *tuple = NULL;
    if (parts[0] != NULL && parts[1] != NULL && parts[2] != NULL) {
        tuple = PyTuple_Pack(3, parts[0], parts[1], parts[2]);
    }
    for (size_t i = 0; i < 3; i++) {
        Py_XDECREF(parts[i]);
    }
    return tuple;
}

/* encode(x: buffer of f32 [n, width]) -> offsets, features, values */
static PyObject *sae_encode(PyObject *object, PyObject *args)
{
    struct core_sae *self = (struct core_sae *)object;
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_sae_info info = {.struct_size = sizeof info};
    struct ss_sparse sparse = {0};
    PyObject *given = NULL, *tuple = NULL;
    Py_buffer x;
    ss_err err;
    if (!PyArg_ParseTuple(args, "O", &given) ||
        PyObject_GetBuffer(given, &x, PyBUF_C_CONTIGUOUS) != 0) {
        return NULL;
    }
    ss_sae_describe(self->sae, &info);
    ss_work *work = core_work_take(&self->works);
    if (work != NULL) {
        ss_work_set_progress(work, core_progress(&call));
        PyThreadState *state = PyEval_SaveThread();
        const ss_status status =
            ss_sae_encode(self->sae, work, x.buf, (size_t)x.len / (info.width * sizeof(float)),
                          &sparse, &err);
        PyEval_RestoreThread(state);
        core_work_give(&self->works, work);
        if (core_succeeded(&call, status, &err)) {
            tuple = as_tuple(&sparse);
        }
    }
    ss_sparse_release(&sparse);
    PyBuffer_Release(&x);
    return tuple;
}

static PyObject *sae_thresholds(PyObject *object, PyObject *args)
{
    const ss_sae *sae = ((struct core_sae *)object)->sae;
    struct ss_sae_info info = {.struct_size = sizeof info};
    (void)args;
    ss_sae_describe(sae, &info);
    const float *thresholds = ss_sae_thresholds(sae);
    return thresholds == NULL ? Py_NewRef(Py_None) : as_values(thresholds, info.n_features);
}

static PyObject *sae_info(PyObject *object, PyObject *args)
{
    struct ss_sae_info info = {.struct_size = sizeof info};
    (void)args;
    ss_sae_describe(((struct core_sae *)object)->sae, &info);
    return Py_BuildValue("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:n,s:n,s:n,s:O}", "path", info.path,
                         "source", info.source, "commit", info.commit, "format", info.format,
                         "kind", info.kind, "rule", info.rule, "model_name", info.model_name,
                         "dtype", info.dtype, "width", (Py_ssize_t)info.width, "n_features",
                         (Py_ssize_t)info.n_features, "top_k", (Py_ssize_t)info.top_k,
                         "normalizes_input", info.normalizes_input ? Py_True : Py_False);
}

static PyMethodDef sae_methods[] = {
    {"encode", sae_encode, METH_VARARGS, "Activations in CSR form."},
    {"thresholds", sae_thresholds, METH_NOARGS, "Thresholds of a jumprelu SAE, else None."},
    {"info", sae_info, METH_NOARGS, "Facts about the SAE."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot sae_slots[] = {{Py_tp_new, sae_new},
                                  {Py_tp_dealloc, sae_dealloc},
                                  {Py_tp_methods, sae_methods},
                                  {0, NULL}};

PyType_Spec core_sae_spec = {
    .name = "saescope._core.SAE",
    .basicsize = sizeof(struct core_sae),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = sae_slots,
};
