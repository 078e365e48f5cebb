/* Rows that a loop of Python hands over, and states: bytes between workers of an engine. */
#include "core.h"

#include <stddef.h>

PyTypeObject *core_analysis_type;

struct analysis {
    PyObject_HEAD ss_analysis *analysis;
    struct core_call call;
    PyObject *keeps[4]; /* encoder, SAE, options, log */
    Py_ssize_t n_columns;
};

/* Strings of a tuple, borrowed; release with PyMem_Free. NULL with an exception. */
static const char **strings_of(PyObject *tuple, Py_ssize_t *n)
{
    *n = PyTuple_Size(tuple);
    const char **names = *n < 0 ? NULL : PyMem_Calloc((size_t)*n + 1, sizeof *names);
    for (Py_ssize_t i = 0; names != NULL && i < *n; i++) {
        names[i] = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(tuple, i), NULL);
        if (names[i] == NULL) {
            PyMem_Free(names);
            return NULL;
        }
    }
    if (names == NULL && PyErr_Occurred() == NULL) {
        PyErr_NoMemory();
    }
    return names;
}

static bool open_analysis(struct analysis *self, const struct ss_push_options *rows)
{
    struct ss_analyze_options options;
    ss_err err;
    ss_analyze_options_init(&options);
    if (!core_fill_analyze(&options, self->keeps[2])) {
        return false;
    }
    options.progress = core_progress(&self->call);
    options.log = core_log(&self->call);
    const ss_encoder *encoder = ((struct core_encoder *)self->keeps[0])->encoder;
    const ss_sae *sae = ((struct core_sae *)self->keeps[1])->sae;
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status =
        ss_analysis_open(encoder, sae, &options, rows, &self->analysis, &err);
    PyEval_RestoreThread(state);
    return core_succeeded(&self->call, status, &err);
}

/* Analysis(encoder, sae, options: dict, name, files: tuple or None, file_rows: bytes or None,
 * columns: tuple, log) */
static PyObject *analysis_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    PyObject *given[4] = {NULL}, *files = NULL, *columns = NULL;
    struct ss_push_options rows = {.struct_size = sizeof rows};
    const char *file_rows = NULL;
    Py_ssize_t n_file_rows = 0, n_files = 0, n_columns = 0;
    (void)keywords;
    if (!PyArg_ParseTuple(args, "O!O!O!sOz#O!O", core_encoder_type, &given[0], core_sae_type,
                          &given[1], &PyDict_Type, &given[2], &rows.name, &files, &file_rows,
                          &n_file_rows, &PyTuple_Type, &columns, &given[3])) {
        return NULL;
    }
    const char **file_names = files == Py_None ? NULL : strings_of(files, &n_files);
    const char **column_names = strings_of(columns, &n_columns);
    struct analysis *self = NULL;
    if ((file_names != NULL || files == Py_None) && column_names != NULL) {
        self = (struct analysis *)PyType_GenericAlloc(type, 0);
    }
    rows.files = file_names;
    rows.n_files = (size_t)n_files;
    rows.columns = column_names;
    rows.n_columns = (size_t)n_columns;
    rows.file_rows = n_file_rows == n_files * (Py_ssize_t)sizeof(uint64_t) && n_files > 0
                         ? (const uint64_t *)(const void *)file_rows
                         : NULL;
    for (size_t i = 0; self != NULL && i < 4; i++) {
        self->keeps[i] = Py_NewRef(given[i]);
    }
    if (self != NULL) {
        self->call = (struct core_call){.progress = Py_None, .log = given[3]};
        self->n_columns = n_columns;
        if (!open_analysis(self, &rows)) {
            Py_CLEAR(self);
        }
    }
    PyMem_Free(file_names);
    PyMem_Free(column_names);
    return (PyObject *)self;
}

static void analysis_dealloc(PyObject *object)
{
    struct analysis *self = (struct analysis *)object;
    PyTypeObject *type = Py_TYPE(object);
    ss_analysis_free(self->analysis);
    for (size_t i = 0; i < 4; i++) {
        Py_XDECREF(self->keeps[i]);
    }
    PyObject_Free(object);
    Py_DECREF(type);
}

/* Texts of a list of str and None, borrowed. False with an exception. */
static bool take_texts(PyObject *list, struct ss_text *texts, bool *is_null)
{
    const Py_ssize_t n = PyList_Size(list);
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item = PyList_GetItem(list, i);
        Py_ssize_t n_bytes = 0;
        texts[i] = (struct ss_text){"", 0};
        if (is_null != NULL && item == Py_None) {
            is_null[i] = true;
            continue;
        }
        texts[i].data = PyUnicode_AsUTF8AndSize(item, &n_bytes);
        texts[i].n_bytes = (size_t)n_bytes;
        if (texts[i].data == NULL) {
            return false;
        }
    }
    return true;
}

static bool has_size(const char *data, Py_ssize_t n_bytes, Py_ssize_t n, size_t each)
{
    if (data == NULL || n_bytes == n * (Py_ssize_t)each) {
        return true;
    }
    PyErr_SetString(PyExc_ValueError, "there is not one number for each text");
    return false;
}

static bool add_rows(struct analysis *self, const struct ss_pushed_rows *rows)
{
    ss_err err;
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_analysis_add(self->analysis, rows, &err);
    PyEval_RestoreThread(state);
    return core_succeeded(&self->call, status, &err);
}

/* add(texts: list, files: bytes of uint32 or None, rows: bytes of uint64 or None, values: list of
 * JSON or None) */
static PyObject *analysis_add(PyObject *object, PyObject *args)
{
    struct analysis *self = (struct analysis *)object;
    PyObject *texts = NULL, *values = NULL;
    const char *files = NULL, *numbers = NULL;
    Py_ssize_t n_files = 0, n_numbers = 0;
    if (!PyArg_ParseTuple(args, "O!z#z#O", &PyList_Type, &texts, &files, &n_files, &numbers,
                          &n_numbers, &values)) {
        return NULL;
    }
    const Py_ssize_t n = PyList_Size(texts), n_values = n * self->n_columns;
    if (!has_size(files, n_files, n, sizeof(uint32_t)) ||
        !has_size(numbers, n_numbers, n, sizeof(uint64_t))) {
        return NULL;
    }
    if (values != Py_None && (PyList_Size(values) != n_values || PyErr_Occurred() != NULL)) {
        PyErr_Clear();
        return PyErr_Format(PyExc_ValueError,
                            "there is not one value of each column for each text");
    }
    struct ss_text *items = PyMem_Calloc((size_t)(n + n_values) + 1, sizeof *items);
    bool *is_null = PyMem_Calloc((size_t)n + 1, sizeof *is_null);
    bool is_added = false;
    if (items == NULL || is_null == NULL) {
        PyErr_NoMemory();
    } else if (take_texts(texts, items, is_null) &&
               (values == Py_None || take_texts(values, items + n, NULL))) {
        const struct ss_pushed_rows rows = {
            .struct_size = sizeof rows,
            .n = (size_t)n,
            .texts = items,
            .is_null = is_null,
            .values = values == Py_None ? NULL : items + n,
            .files = (const uint32_t *)(const void *)files,
            .rows = (const uint64_t *)(const void *)numbers,
        };
        is_added = add_rows(self, &rows);
    }
    PyMem_Free(items);
    PyMem_Free(is_null);
    return is_added ? Py_NewRef(Py_None) : NULL;
}

static PyObject *bytes_of(char *state, size_t n_bytes, bool is_good)
{
    PyObject *bytes = is_good ? PyBytes_FromStringAndSize(state, (Py_ssize_t)n_bytes) : NULL;
    ss_analysis_free_state(state);
    return bytes;
}

static PyObject *analysis_state(PyObject *object, PyObject *args)
{
    struct analysis *self = (struct analysis *)object;
    char *bytes = NULL;
    size_t n_bytes = 0;
    ss_err err;
    (void)args;
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_analysis_state(self->analysis, &bytes, &n_bytes, &err);
    PyEval_RestoreThread(state);
    return bytes_of(bytes, n_bytes, core_succeeded(&self->call, status, &err));
}

static PyMethodDef analysis_methods[] = {
    {"add", analysis_add, METH_VARARGS, "Embed, encode and gather some rows."},
    {"state", analysis_state, METH_NOARGS, "What was gathered, as bytes."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot analysis_slots[] = {{Py_tp_new, analysis_new},
                                       {Py_tp_dealloc, analysis_dealloc},
                                       {Py_tp_methods, analysis_methods},
                                       {0, NULL}};

PyType_Spec core_analysis_spec = {
    .name = "saescope._core.Analysis",
    .basicsize = sizeof(struct analysis),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = analysis_slots,
};

/* merge_states(states: list of bytes) -> bytes */
PyObject *core_merge_states(PyObject *self, PyObject *args)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    PyObject *list = NULL;
    char *bytes = NULL;
    size_t n_bytes = 0;
    ss_err err;
    (void)self;
    if (!PyArg_ParseTuple(args, "O!", &PyList_Type, &list)) {
        return NULL;
    }
    const Py_ssize_t n = PyList_Size(list);
    struct ss_text *states = PyMem_Calloc((size_t)n + 1, sizeof *states);
    if (states == NULL) {
        return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        char *data = NULL;
        Py_ssize_t n_data = 0;
        if (PyBytes_AsStringAndSize(PyList_GetItem(list, i), &data, &n_data) != 0) {
            PyMem_Free(states);
            return NULL;
        }
        states[i] = (struct ss_text){data, (size_t)n_data};
    }
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_states_merge(states, (size_t)n, 0, &bytes, &n_bytes, &err);
    PyEval_RestoreThread(state);
    PyMem_Free(states);
    return bytes_of(bytes, n_bytes, core_succeeded(&call, status, &err));
}

#define OPTION(name, kind, member)                                                             \
    {                                                                                          \
        name, kind, offsetof(struct ss_merge_options, member), NULL, NULL                      \
    }
static const struct core_option merge_table[] = {
    OPTION("out", CORE_TEXT, out_dir),        OPTION("force", CORE_BOOL, force),
    OPTION("encoder", CORE_TEXT, model_path), OPTION("sae", CORE_TEXT, sae_path),
    OPTION("title", CORE_TEXT, title),        OPTION("steps", CORE_TEXT, steps),
    OPTION("threads", CORE_SIZE, n_threads),  OPTION("allow_missing", CORE_BOOL, allow_missing),
};
#undef OPTION

/* merge(paths: tuple, options: dict, progress, log) -> Run */
PyObject *core_merge(PyObject *self, PyObject *args)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_merge_options options;
    PyObject *tuple = NULL, *given = NULL;
    Py_ssize_t n = 0;
    ss_run *run = NULL;
    ss_err err;
    (void)self;
    ss_merge_options_init(&options);
    if (!PyArg_ParseTuple(args, "O!O!OO", &PyTuple_Type, &tuple, &PyDict_Type, &given,
                          &call.progress, &call.log) ||
        !core_fill(&options, merge_table, sizeof merge_table / sizeof merge_table[0], given)) {
        return NULL;
    }
    const char **paths = strings_of(tuple, &n);
    if (paths == NULL) {
        return NULL;
    }
    options.progress = core_progress(&call);
    options.log = core_log(&call);
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_merge(paths, (size_t)n, &options, &run, &err);
    PyEval_RestoreThread(state);
    PyMem_Free(paths);
    return core_succeeded(&call, status, &err) ? core_new_run(run, NULL, NULL) : NULL;
}
