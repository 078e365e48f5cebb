/* The module saescope._core: its types, and what belongs to none of them. */
#include "core.h"

#include <stddef.h>

static bool parse_kind(const char *name, int *value)
{
    ss_fetch_kind kind = SS_FETCH_MODEL;
    const bool is_known = ss_fetch_kind_parse(name, &kind);
    *value = (int)kind;
    return is_known;
}

/* fetch(kind, reference, offline, progress, log) -> path, source, name, commit */
static PyObject *fetch(PyObject *self, PyObject *args)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_fetch_options options;
    struct ss_fetch_result result;
    const char *kind_name = NULL, *reference = NULL;
    int kind = 0, offline = 0;
    ss_err err;
    (void)self;
    ss_fetch_options_init(&options);
    ss_fetch_result_init(&result);
    if (!PyArg_ParseTuple(args, "sspOO", &kind_name, &reference, &offline, &call.progress,
                          &call.log)) {
        return NULL;
    }
    if (!parse_kind(kind_name, &kind)) {
        return PyErr_Format(PyExc_ValueError, "there is no kind '%.50s'", kind_name);
    }
    options.offline = offline != 0;
    options.log = core_log(&call);
    options.progress = core_progress(&call);
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_fetch((ss_fetch_kind)kind, reference, &options, &result, &err);
    PyEval_RestoreThread(state);
    PyObject *tuple = NULL;
    if (core_succeeded(&call, status, &err)) {
        tuple = Py_BuildValue("(ssss)", result.path, result.source, result.name, result.commit);
    }
    ss_fetch_result_release(&result);
    return tuple;
}

static PyObject *version(PyObject *self, PyObject *args)
{
    (void)self, (void)args;
    return PyUnicode_FromString(ss_version());
}

static PyMethodDef methods[] = {
    {"fetch", fetch, METH_VARARGS, "Find a thing by its name, downloaded once."},
    {"version", version, METH_NOARGS, "The version of the library."},
    {"analyze", core_analyze, METH_VARARGS, "One pass over a dataset."},
    {"open_run", core_run_open, METH_VARARGS, "Results of an earlier analysis."},
    {"merge_states", core_merge_states, METH_VARARGS, "States as one."},
    {"merge", core_merge, METH_VARARGS, "The run of states in files."},
    {"describe", core_describe, METH_VARARGS, "Labels for the features of a run."},
    {"open_descriptions", core_descriptions_open, METH_VARARGS,
     "Labels that were made before."},
    {"families", core_families, METH_VARARGS, "Families among the features of a run."},
    {"map", core_map, METH_VARARGS, "Clusters and a map of the features of a run."},
    {"report", core_report, METH_VARARGS, "A run as one page."},
    {"search", core_search, METH_VARARGS, "Texts or features of a run."},
    {"diff", core_diff, METH_VARARGS, "How often features fire, in two runs."},
    {"train", core_train, METH_VARARGS, "An SAE of one's own."},
    {"evaluate", core_evaluate, METH_VARARGS, "How well an SAE reconstructs."},
    {NULL, NULL, 0, NULL}};

static const struct {
    const char *name;
    PyType_Spec *spec;
    PyTypeObject **type;
} types[] = {
    {"Block", &core_block_spec, &core_block_type},
    {"Encoder", &core_encoder_spec, &core_encoder_type},
    {"SAE", &core_sae_spec, &core_sae_type},
    {"Dataset", &core_dataset_spec, &core_dataset_type},
    {"Run", &core_run_spec, &core_run_type},
    {"Analysis", &core_analysis_spec, &core_analysis_type},
    {"Descriptions", &core_descriptions_spec, &core_descriptions_type},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                                        "saescope._core",
                                        "The library as Python sees it.",
                                        -1,
                                        methods,
                                        NULL,
                                        NULL,
                                        NULL,
                                        NULL};

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void)
{
    PyObject *module = PyModule_Create(&definition);
    PyObject *errors = module == NULL ? NULL : PyImport_ImportModule("saescope._errors");
    if (errors != NULL) {
        core_make_error = PyObject_GetAttrString(errors, "make");
        Py_DECREF(errors);
    }
    for (size_t i = 0; core_make_error != NULL && i < sizeof types / sizeof types[0]; i++) {
        PyObject *type = PyType_FromSpec(types[i].spec);
        *types[i].type = (PyTypeObject *)type;
        if (type == NULL || PyModule_AddObjectRef(module, types[i].name, type) != 0) {
            Py_CLEAR(core_make_error);
        }
    }
    if (core_make_error == NULL) {
        Py_XDECREF(module);
        return NULL;
    }
    return module;
}
