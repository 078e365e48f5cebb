/* saescope for Python: what the files of the extension share. Everything goes through saescope.h
 * and the limited API of Python 3.11, so that one build serves all later versions.
 *
 * The interpreter's lock is held in every function here, unless its comment says otherwise; it
 * is released around calls of the library that compute. */
#ifndef SS_PYTHON_CORE_H
#define SS_PYTHON_CORE_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include "saescope.h"

/* ---- calls of the library (call.c) ---- */

/* What goes along with a call: the functions that hear of it, and an exception that one of them
 * raised, which is raised again when the call has ended. Borrows its objects. */
struct core_call {
    PyObject *progress;             /* called with a dict of struct ss_progress; None: not */
    PyObject *log;                  /* called with level and message; None: not */
    PyObject *type, *value, *trace; /* of the exception; owned */
};

/* For the options of a call. Both take the lock, and look for signals. */
struct ss_progress_callback core_progress(struct core_call *call);
struct ss_log core_log(struct core_call *call);

/* Keep the exception that is set, unless there is one already. */
void core_keep_exception(struct core_call *call);

/* At the end of a call: true if nothing happened. Else an exception is set: the kept one,
 * KeyboardInterrupt if the call was stopped, or that of the status. */
bool core_succeeded(struct core_call *call, ss_status status, const ss_err *err);

/* ---- keyword arguments as option structs (options.c) ---- */

enum core_kind { CORE_TEXT, CORE_SIZE, CORE_U64, CORE_F64, CORE_BOOL, CORE_ENUM };

struct core_option {
    const char *name;
    enum core_kind kind;
    size_t offset;
    bool (*parse)(const char *name, int *value); /* of CORE_ENUM, or: */
    const char *const *names;                    /* of its values from 0, then NULL */
};

/* Fill a struct from a dict. None leaves a member as it is; strings are borrowed from the dict.
 * False with TypeError or ValueError for an unknown name or a value of another type. */
bool core_fill(void *options, const struct core_option *table, size_t n, PyObject *given);

/* ---- numbers that numpy sees without copying (block.c) ---- */

/* Take over memory of PyMem_Malloc: n items with a format of the struct module. NULL with an
 * exception, and the memory released, on failure. */
PyObject *core_block_new(void *data, size_t n, char format);

/* ---- workspaces (work.c) ---- */

enum { CORE_MAX_WORKS = 16 };

/* Workspaces that no call uses at present. Threads of a parent process are not there behind a
 * fork, so a child makes its own. */
struct core_works {
    ss_work *free[CORE_MAX_WORKS];
    size_t n_free;
    size_t n_threads;
    long pid;
};

/* A workspace for one call; NULL with an exception. */
ss_work *core_work_take(struct core_works *works);
void core_work_give(struct core_works *works, ss_work *work);
void core_works_release(struct core_works *works);

/* ---- objects ---- */

struct core_encoder {
    PyObject_HEAD ss_encoder *encoder;
    struct core_works works;
};
struct core_sae {
    PyObject_HEAD ss_sae *sae;
    struct core_works works;
};
struct core_dataset {
    PyObject_HEAD ss_dataset *dataset;
    struct core_call call; /* the log of the dataset, and what its source raised */
    void *source;          /* where rows come from that are in no file */
    void (*release)(void *source);
};

/* Types of this module, set when it is imported. */
extern PyTypeObject *core_encoder_type, *core_sae_type, *core_dataset_type, *core_run_type,
    *core_block_type, *core_descriptions_type, *core_analysis_type;
extern PyType_Spec core_encoder_spec, core_sae_spec, core_dataset_spec, core_run_spec,
    core_block_spec, core_descriptions_spec, core_analysis_spec;

/* saescope._errors.make, set when the module is imported. */
extern PyObject *core_make_error;

/* Rows of an Arrow C stream (arrow_rows.c), which is taken out of its capsule: the column of the
 * texts, and the names of those carried along. Fills in *source; *state is released by the
 * function. False with an exception. */
bool core_arrow_rows(PyObject *capsule, const char *text_column, PyObject *keep,
                     struct ss_row_source *source, void **state);
void core_arrow_rows_release(void *state);

/* Why an Arrow stream ended early: "" if it did not. */
const char *core_arrow_rows_problem(const void *state);

/* Options of an analysis from a dict, and a run as an object, which keeps the others; it is freed on
 * failure (run.c). */
bool core_fill_analyze(struct ss_analyze_options *options, PyObject *given);
PyObject *core_new_run(ss_run *run, PyObject *encoder, PyObject *sae);

/* States (push.c). */
PyObject *core_merge_states(PyObject *self, PyObject *args);
PyObject *core_merge(PyObject *self, PyObject *args);

/* Methods of the module (run.c). */
PyObject *core_analyze(PyObject *self, PyObject *args);
PyObject *core_run_open(PyObject *self, PyObject *args);
PyObject *core_describe(PyObject *self, PyObject *args);
PyObject *core_descriptions_open(PyObject *self, PyObject *args);

/* Of what is made of a run's folder (folder.c). */
PyObject *core_families(PyObject *self, PyObject *args);
PyObject *core_map(PyObject *self, PyObject *args);
PyObject *core_report(PyObject *self, PyObject *args);
PyObject *core_search(PyObject *self, PyObject *args);
PyObject *core_diff(PyObject *self, PyObject *args);

/* train.c */
PyObject *core_train(PyObject *self, PyObject *args);
PyObject *core_evaluate(PyObject *self, PyObject *args);

/* Embeddings of a file, for options of calls (run.c); a path of NULL gives NULL. False with an
 * exception. */
bool core_open_embeddings(const char *path, const char *column, ss_embeddings **out);

/* As core_succeeded, of a call that read rows: what their source has to say goes before that the
 * call was stopped. `dataset` may be NULL. */
bool core_rows_succeeded(struct core_dataset *dataset, struct core_call *call, ss_status status,
                         const ss_err *err);

#endif
