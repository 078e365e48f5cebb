/* Dataset: rows of text from files, from an iterator of Python, or from an Arrow stream. */
#include "core.h"

#include <stddef.h>

PyTypeObject *core_dataset_type;

static bool parse_unit(const char *name, int *value)
{
    ss_text_unit unit = SS_UNIT_LINE;
    const bool is_known = ss_text_unit_parse(name, &unit);
    *value = (int)unit;
    return is_known;
}

static bool parse_bad_rows(const char *name, int *value)
{
    ss_bad_rows rule = SS_BAD_ROWS_STOP;
    const bool is_known = ss_bad_rows_parse(name, &rule);
    *value = (int)rule;
    return is_known;
}

#define OPTION(name, kind, member, parse)                                                      \
    {                                                                                          \
        name, kind, offsetof(struct ss_dataset_options, member), parse, NULL                   \
    }
static const struct core_option options_table[] = {
    OPTION("text_column", CORE_TEXT, text_column, NULL),
    OPTION("format", CORE_TEXT, format, NULL),
    OPTION("text_unit", CORE_ENUM, text_unit, parse_unit),
    OPTION("split", CORE_TEXT, split, NULL),
    OPTION("config", CORE_TEXT, config, NULL),
    OPTION("offline", CORE_BOOL, offline, NULL),
    OPTION("cache_dataset", CORE_BOOL, cache_dataset, NULL),
    OPTION("keep", CORE_TEXT, keep, NULL),
    OPTION("on_bad_row", CORE_ENUM, on_bad_row, parse_bad_rows),
    OPTION("csv", CORE_TEXT, csv, NULL),
    OPTION("encoding", CORE_TEXT, encoding, NULL),
    OPTION("field", CORE_TEXT, field, NULL),
    OPTION("where", CORE_TEXT, where, NULL),
    OPTION("sample", CORE_U64, sample, NULL),
    OPTION("seed", CORE_U64, seed, NULL),
};
#undef OPTION
enum { N_OPTIONS = sizeof options_table / sizeof options_table[0] };

static struct core_dataset *new_dataset(PyObject *log)
{
    struct core_dataset *self =
        (struct core_dataset *)PyType_GenericAlloc(core_dataset_type, 0);
    if (self != NULL) {
        self->call.progress = Py_None;
        self->call.log = Py_NewRef(log);
    }
    return self;
}

static void dataset_dealloc(PyObject *object)
{
    struct core_dataset *self = (struct core_dataset *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject *error[3]; /* one on its way is none of the source's, which may run Python */
    PyErr_Fetch(&error[0], &error[1], &error[2]);
    ss_dataset_close(self->dataset);
    if (self->release != NULL) {
        self->release(self->source);
    }
    Py_XDECREF(self->call.log);
    Py_XDECREF(self->call.type);
    Py_XDECREF(self->call.value);
    Py_XDECREF(self->call.trace);
    PyObject_Free(object);
    Py_DECREF(type);
    PyErr_Restore(error[0], error[1], error[2]);
}

/* ---- files ---- */

static const char **list_paths(PyObject *tuple, size_t n)
{
    const char **paths = PyMem_Calloc(n + 1, sizeof *paths);
    for (size_t i = 0; paths != NULL && i < n; i++) {
        paths[i] = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(tuple, (Py_ssize_t)i), NULL);
        if (paths[i] == NULL) {
            PyMem_Free(paths);
            return NULL;
        }
    }
    return paths == NULL ? (const char **)PyErr_NoMemory() : paths;
}

/* open(paths: tuple, options: dict, log) */
static PyObject *dataset_open(PyObject *class, PyObject *args)
{
    PyObject *tuple = NULL, *given = NULL, *log = NULL;
    struct ss_dataset_options options;
    ss_err err;
    (void)class;
    ss_dataset_options_init(&options);
    if (!PyArg_ParseTuple(args, "O!O!O", &PyTuple_Type, &tuple, &PyDict_Type, &given, &log) ||
        !core_fill(&options, options_table, N_OPTIONS, given)) {
        return NULL;
    }
    const size_t n = (size_t)PyTuple_Size(tuple);
    const char **paths = list_paths(tuple, n);
    struct core_dataset *self = paths == NULL ? NULL : new_dataset(log);
    if (self != NULL) {
        options.log = core_log(&self->call);
        options.progress = core_progress(&self->call);
        PyThreadState *state = PyEval_SaveThread();
        const ss_status status = ss_dataset_open(paths, n, &options, &self->dataset, &err);
        PyEval_RestoreThread(state);
        if (!core_succeeded(&self->call, status, &err)) {
            Py_CLEAR(self);
        }
    }
    PyMem_Free(paths);
    return (PyObject *)self;
}

/* ---- rows of Python ---- */

enum { MAX_COLUMNS = 256 };

/* An iterator of str, None, or of a tuple of one of these and the columns as JSON. */
struct iterator {
    struct core_call *call;
    PyObject *items;
    PyObject *item; /* the last one, which the library looks at */
    size_t n_columns;
    const char *columns[MAX_COLUMNS];
    PyObject *names; /* which these point into */
    struct ss_text values[MAX_COLUMNS];
};

static void release_iterator(void *source)
{
    struct iterator *iterator = source;
    Py_XDECREF(iterator->items);
    Py_XDECREF(iterator->item);
    Py_XDECREF(iterator->names);
    PyMem_Free(iterator);
}

static bool view(PyObject *text, struct ss_text *out)
{
    Py_ssize_t n_bytes = 0;
    out->data = PyUnicode_AsUTF8AndSize(text, &n_bytes);
    out->n_bytes = (size_t)n_bytes;
    return out->data != NULL;
}

/* The text and the values of the item; false with an exception. */
static bool read_item(struct iterator *iterator, struct ss_given_row *row)
{
    PyObject *text = iterator->item;
    if (iterator->n_columns > 0) {
        if (!PyTuple_Check(text) || (size_t)PyTuple_Size(text) != iterator->n_columns + 1) {
            PyErr_SetString(PyExc_TypeError, "a row has another number of columns");
            return false;
        }
        for (size_t i = 0; i < iterator->n_columns; i++) {
            if (!view(PyTuple_GetItem(text, (Py_ssize_t)i + 1), &iterator->values[i])) {
                return false;
            }
        }
        row->values = iterator->values;
        text = PyTuple_GetItem(text, 0);
    }
    row->is_null = text == Py_None;
    if (row->is_null) {
        return true;
    }
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "a text must be str or None, not %R", Py_TYPE(text));
        return false;
    }
    return view(text, &row->text);
}

/* Called by the library without the lock. */
static int next_of_iterator(void *user, struct ss_given_row *row, bool *has_row)
{
    struct iterator *iterator = user;
    const PyGILState_STATE lock = PyGILState_Ensure();
    Py_CLEAR(iterator->item);
    iterator->item = PyIter_Next(iterator->items);
    *has_row = iterator->item != NULL && read_item(iterator, row);
    const bool has_failed = PyErr_Occurred() != NULL;
    if (has_failed) {
        core_keep_exception(iterator->call);
    }
    PyGILState_Release(lock);
    return has_failed;
}

static bool name_columns(struct iterator *iterator, PyObject *names)
{
    iterator->n_columns = (size_t)PyTuple_Size(names);
    iterator->names = Py_NewRef(names);
    if (iterator->n_columns > MAX_COLUMNS) {
        PyErr_Format(PyExc_ValueError, "more than %d columns", MAX_COLUMNS);
        return false;
    }
    for (size_t i = 0; i < iterator->n_columns; i++) {
        PyObject *name = PyTuple_GetItem(names, (Py_ssize_t)i);
        iterator->columns[i] = PyUnicode_AsUTF8AndSize(name, NULL);
        if (iterator->columns[i] == NULL) {
            return false;
        }
    }
    return true;
}

static bool open_source(struct core_dataset *self, const struct ss_row_source *source)
{
    struct ss_dataset_options options;
    ss_err err;
    ss_dataset_options_init(&options);
    options.log = core_log(&self->call);
    options.progress = core_progress(&self->call);
    const ss_status status = ss_dataset_from_rows(source, &options, &self->dataset, &err);
    return core_succeeded(&self->call, status, &err);
}

/* rows(iterable, n_rows, columns: tuple of names, name, log) */
static PyObject *dataset_rows(PyObject *class, PyObject *args)
{
    PyObject *items = NULL, *names = NULL, *log = NULL;
    unsigned long long n_rows = 0;
    const char *name = NULL;
    (void)class;
    if (!PyArg_ParseTuple(args, "OKO!sO", &items, &n_rows, &PyTuple_Type, &names, &name,
                          &log)) {
        return NULL;
    }
    struct core_dataset *self = new_dataset(log);
    struct iterator *iterator = self == NULL ? NULL : PyMem_Calloc(1, sizeof *iterator);
    if (iterator == NULL) {
        Py_XDECREF((PyObject *)self);
        return PyErr_NoMemory();
    }
    self->source = iterator;
    self->release = release_iterator;
    iterator->call = &self->call;
    iterator->items = PyObject_GetIter(items);
    if (iterator->items == NULL || !name_columns(iterator, names) ||
        !open_source(self, &(struct ss_row_source){.struct_size = sizeof(struct ss_row_source),
                                                   .next = next_of_iterator,
                                                   .user = iterator,
                                                   .columns = iterator->columns,
                                                   .n_columns = iterator->n_columns,
                                                   .n_rows = n_rows,
                                                   .name = name})) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

/* ---- rows of Arrow ---- */

/* arrow(capsule, text_column or None, keep: tuple of names, name, log) */
static PyObject *dataset_arrow(PyObject *class, PyObject *args)
{
    PyObject *capsule = NULL, *keep = NULL, *log = NULL;
    const char *text_column = NULL, *name = NULL;
    (void)class;
    if (!PyArg_ParseTuple(args, "OzO!sO", &capsule, &text_column, &PyTuple_Type, &keep, &name,
                          &log)) {
        return NULL;
    }
    struct core_dataset *self = new_dataset(log);
    struct ss_row_source source = {.struct_size = sizeof source};
    if (self == NULL) {
        return NULL;
    }
    self->release = core_arrow_rows_release;
    if (!core_arrow_rows(capsule, text_column, keep, &source, &self->source)) {
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    source.name = name;
    if (!open_source(self, &source)) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static PyMethodDef dataset_methods[] = {
    {"open", dataset_open, METH_VARARGS | METH_CLASS, "Files as one dataset."},
    {"rows", dataset_rows, METH_VARARGS | METH_CLASS, "Rows of an iterator."},
    {"arrow", dataset_arrow, METH_VARARGS | METH_CLASS, "Rows of an Arrow stream."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot dataset_slots[] = {
    {Py_tp_dealloc, dataset_dealloc}, {Py_tp_methods, dataset_methods}, {0, NULL}};

PyType_Spec core_dataset_spec = {
    .name = "saescope._core.Dataset",
    .basicsize = sizeof(struct core_dataset),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = dataset_slots,
};
