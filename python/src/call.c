/* Calls of the library: progress, messages, signals and errors on their way to Python. */
#include "core.h"

PyObject *core_make_error;

void core_keep_exception(struct core_call *call)
{
    if (call->type == NULL) {
        PyErr_Fetch(&call->type, &call->value, &call->trace);
    } else {
        PyErr_Clear();
    }
}

/* Never lets an exception pass through C: it is kept, and the call is asked to stop. */
static int on_progress(void *user, const struct ss_progress *progress)
{
    struct core_call *call = user;
    const PyGILState_STATE lock = PyGILState_Ensure();
    if (call->type == NULL && PyErr_CheckSignals() != 0) {
        core_keep_exception(call);
    }
    if (call->type == NULL && call->progress != Py_None && progress->stage != SS_STAGE_WAIT) {
        PyObject *result = PyObject_CallFunction(
            call->progress, "{s:i,s:K,s:K,s:K,s:K,s:K,s:d,s:s,s:O}", "stage",
            (int)progress->stage, "bytes_done", (unsigned long long)progress->n_bytes_done,
            "bytes_total", (unsigned long long)progress->n_bytes_total, "rows_done",
            (unsigned long long)progress->n_rows_done, "rows_total",
            (unsigned long long)progress->n_rows_total, "tokens_done",
            (unsigned long long)progress->n_tokens_done, "seconds", progress->seconds, "name",
            progress->name == NULL ? "" : progress->name, "is_end",
            progress->is_end ? Py_True : Py_False);
        if (result == NULL) {
            core_keep_exception(call);
        }
        Py_XDECREF(result);
    }
    const int stop = call->type != NULL;
    PyGILState_Release(lock);
    return stop;
}

struct ss_progress_callback core_progress(struct core_call *call)
{
    return (struct ss_progress_callback){on_progress, call};
}

static void on_message(void *user, ss_level level, const char *message)
{
    struct core_call *call = user;
    const PyGILState_STATE lock = PyGILState_Ensure();
    if (call->log != NULL && call->log != Py_None) {
        PyObject *result = PyObject_CallFunction(call->log, "is", (int)level, message);
        if (result == NULL) {
            core_keep_exception(call);
        }
        Py_XDECREF(result);
    }
    PyGILState_Release(lock);
}

struct ss_log core_log(struct core_call *call)
{
    return (struct ss_log){on_message, call};
}

static PyObject *number_or_none(uint64_t number)
{
    return number == SS_NOWHERE ? Py_NewRef(Py_None) : PyLong_FromUnsignedLongLong(number);
}

static void raise_status(ss_status status, const ss_err *err)
{
    PyObject *error = PyObject_CallFunction(
        core_make_error, "isNsNNs", (int)status, ss_option_name(err->option),
        PyUnicode_DecodeUTF8(err->message, (Py_ssize_t)strlen(err->message), "replace"),
        err->item, number_or_none(err->row), number_or_none(err->offset), err->file);
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
}

bool core_succeeded(struct core_call *call, ss_status status, const ss_err *err)
{
    if (call->type != NULL) {
        PyErr_Restore(call->type, call->value, call->trace);
        call->type = call->value = call->trace = NULL;
        return false;
    }
    if (status == SS_E_STOPPED) {
        PyErr_SetNone(PyExc_KeyboardInterrupt);
    } else if (status != SS_OK) {
        raise_status(status, err);
    }
    return status == SS_OK;
}
