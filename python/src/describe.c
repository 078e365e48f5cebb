/* What the features of a run mean. */
#include "core.h"

#include <math.h>
#include <stddef.h>

PyTypeObject *core_descriptions_type;

struct descriptions {
    PyObject_HEAD ss_descriptions *descriptions;
};

static const char *const methods[] = {"contrast", "seed", "none", NULL};
static const char *const variants[] = {"explainer", "tutorial", NULL};

#define OPTION(name, kind, member, names)                                                      \
    {                                                                                          \
        name, kind, offsetof(struct ss_describe_options, member), NULL, names                  \
    }
static const struct core_option options_table[] = {
    OPTION("method", CORE_ENUM, method, methods),
    OPTION("seed_variant", CORE_ENUM, seed_variant, variants),
    OPTION("no_score", CORE_BOOL, no_score, NULL),
    OPTION("stop_words", CORE_TEXT, stop_words, NULL),
    OPTION("threads", CORE_SIZE, n_threads, NULL),
};
#undef OPTION
enum { N_OPTIONS = sizeof options_table / sizeof options_table[0] };

static PyObject *new_descriptions(ss_descriptions *descriptions)
{
    struct descriptions *self =
        (struct descriptions *)PyType_GenericAlloc(core_descriptions_type, 0);
    if (self == NULL) {
        ss_descriptions_free(descriptions);
        return NULL;
    }
    self->descriptions = descriptions;
    return (PyObject *)self;
}

/* describe(run folder, encoder or None, options: dict, log) */
PyObject *core_describe(PyObject *self, PyObject *args)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_describe_options options;
    PyObject *encoder = NULL, *given = NULL;
    ss_descriptions *descriptions = NULL;
    const char *path = NULL;
    ss_err err;
    (void)self;
    ss_describe_options_init(&options);
    if (!PyArg_ParseTuple(args, "sOO!O", &path, &encoder, &PyDict_Type, &given, &call.log) ||
        !core_fill(&options, options_table, N_OPTIONS, given)) {
        return NULL;
    }
    options.progress = core_progress(&call);
    options.log = core_log(&call);
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_describe_run(
        path, encoder == Py_None ? NULL : ((struct core_encoder *)encoder)->encoder, &options,
        &descriptions, &err);
    PyEval_RestoreThread(state);
    return core_succeeded(&call, status, &err) ? new_descriptions(descriptions) : NULL;
}

PyObject *core_descriptions_open(PyObject *self, PyObject *args)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    ss_descriptions *descriptions = NULL;
    const char *path = NULL;
    ss_err err;
    (void)self;
    if (!PyArg_ParseTuple(args, "s", &path)) {
        return NULL;
    }
    const ss_status status = ss_descriptions_open(path, &descriptions, &err);
    return core_succeeded(&call, status, &err) ? new_descriptions(descriptions) : NULL;
}

static void descriptions_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    ss_descriptions_free(((struct descriptions *)object)->descriptions);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *auc_or_none(const struct ss_label_auc *auc)
{
    return isnan(auc->value)
               ? Py_NewRef(Py_None)
               : Py_BuildValue("{s:d,s:d,s:d,s:n,s:n}", "auc", auc->value, "low", auc->low,
                               "high", auc->high, "positives", (Py_ssize_t)auc->n_positives,
                               "negatives", (Py_ssize_t)auc->n_negatives);
}

static PyObject *list_keywords(const struct ss_description *description)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < description->n_keywords; i++) {
        PyObject *item = Py_BuildValue("(sd)", description->keywords[i].text,
                                       description->keywords[i].weight);
        if (item == NULL || PyList_Append(list, item) != 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(item);
    }
    return list;
}

/* get(feature) -> dict */
static PyObject *descriptions_get(PyObject *object, PyObject *args)
{
    const ss_descriptions *descriptions = ((struct descriptions *)object)->descriptions;
    struct ss_description one = {.struct_size = sizeof one};
    Py_ssize_t index = 0;
    if (!PyArg_ParseTuple(args, "n", &index)) {
        return NULL;
    }
    if (index < 0 || ss_descriptions_get(descriptions, (size_t)index, &one) != SS_OK) {
        return PyErr_Format(PyExc_IndexError, "there is no feature %zd", index);
    }
    return Py_BuildValue("{s:s,s:s,s:s,s:N,s:N,s:N,s:N}", "label", one.label, "method",
                         one.method, "status", one.status, "keywords", list_keywords(&one),
                         "random", auc_or_none(&one.random), "near", auc_or_none(&one.near),
                         "miss", auc_or_none(&one.miss));
}

static Py_ssize_t descriptions_length(PyObject *object)
{
    return (Py_ssize_t)ss_descriptions_n_features(
        ((struct descriptions *)object)->descriptions);
}

static PyMethodDef descriptions_methods[] = {
    {"get", descriptions_get, METH_VARARGS, "What is known of one feature."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot descriptions_slots[] = {{Py_tp_dealloc, descriptions_dealloc},
                                           {Py_tp_methods, descriptions_methods},
                                           {Py_sq_length, descriptions_length},
                                           {0, NULL}};

PyType_Spec core_descriptions_spec = {
    .name = "saescope._core.Descriptions",
    .basicsize = sizeof(struct descriptions),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = descriptions_slots,
};
