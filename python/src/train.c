/* Training and evaluating SAEs. */
#include "core.h"

#include <stddef.h>

#define OPTION(name, kind, member)                                                             \
    {                                                                                          \
        name, kind, offsetof(struct ss_train_options, member), NULL, NULL                      \
    }
static const struct core_option train_table[] = {
    OPTION("recipe", CORE_TEXT, recipe),
    OPTION("kind", CORE_TEXT, kind),
    OPTION("dict_size", CORE_U64, dict_size),
    OPTION("top_k", CORE_U64, top_k),
    OPTION("batch_size", CORE_U64, batch_size),
    OPTION("max_steps", CORE_U64, max_steps),
    OPTION("seed", CORE_U64, seed),
    OPTION("lr", CORE_F64, lr),
    OPTION("l1_coeff", CORE_F64, l1_coeff),
    OPTION("bandwidth", CORE_F64, bandwidth),
    OPTION("prefixes", CORE_TEXT, prefixes),
    OPTION("num_examples", CORE_U64, num_examples),
    OPTION("checkpoint_steps", CORE_U64, checkpoint_steps),
    OPTION("name", CORE_TEXT, dataset_name),
    OPTION("force", CORE_BOOL, force),
    OPTION("threads", CORE_SIZE, n_threads),
    OPTION("batch_tokens", CORE_SIZE, batch_tokens),
};
#undef OPTION
enum { N_OPTIONS = sizeof train_table / sizeof train_table[0] };

/* Of a training, beside what goes along with every call. */
struct training {
    struct core_call *call;
    PyObject *on_step; /* called with a dict; None: not */
};

static int on_step(void *user, const struct ss_train_metrics *metrics)
{
    struct training *training = user;
    struct core_call *call = training->call;
    if (training->on_step == Py_None) {
        return 0; /* signals are seen by the call's progress */
    }
    const PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *result = PyObject_CallFunction(
        training->on_step, "{s:K,s:K,s:d,s:d,s:d,s:d,s:d,s:K,s:K,s:d}", "step",
        (unsigned long long)metrics->step, "n_steps", (unsigned long long)metrics->n_steps,
        "loss", metrics->loss, "l2_loss", metrics->l2_loss, "l0", metrics->l0,
        "explained_variance", metrics->explained_variance, "lr", metrics->lr, "n_dead",
        (unsigned long long)metrics->n_dead, "n_features",
        (unsigned long long)metrics->n_features, "steps_per_second", metrics->steps_per_second);
    if (result == NULL) {
        core_keep_exception(call);
    }
    Py_XDECREF(result);
    PyGILState_Release(lock);
    return call->type != NULL;
}

/* As the JSON text of evaluation.json. */
static PyObject *evaluation_text(const struct ss_evaluation *evaluation)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    char *json = NULL;
    ss_err err;
    const ss_status status = ss_evaluation_json(evaluation, &json, &err);
    PyObject *text = core_succeeded(&call, status, &err) ? PyUnicode_FromString(json) : NULL;
    ss_evaluation_json_free(json);
    return text;
}

/* train(encoder or None, dataset or None, embeddings path or None, embedding column or None, out,
 * options: dict, on_step, progress, log) -> the evaluation as JSON */
PyObject *core_train(PyObject *self, PyObject *args)
{
    PyObject *encoder = NULL, *dataset = NULL, *given = NULL;
    const char *embeddings = NULL, *column = NULL, *out = NULL;
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct training training = {&call, Py_None};
    struct ss_train_options options;
    struct ss_train_result result;
    ss_err err;
    (void)self;
    ss_train_options_init(&options);
    ss_train_result_init(&result);
    if (!PyArg_ParseTuple(args, "OOzzsO!OOO", &encoder, &dataset, &embeddings, &column, &out,
                          &PyDict_Type, &given, &training.on_step, &call.progress, &call.log) ||
        !core_fill(&options, train_table, N_OPTIONS, given) ||
        !core_open_embeddings(embeddings, column, &options.embeddings)) {
        return NULL;
    }
    struct core_dataset *rows = dataset == Py_None ? NULL : (struct core_dataset *)dataset;
    options.progress = core_progress(&call);
    options.log = core_log(&call);
    options.on_step = on_step;
    options.user = &training;
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status =
        ss_train(encoder == Py_None ? NULL : ((struct core_encoder *)encoder)->encoder,
                 rows == NULL ? NULL : rows->dataset, out, &options, &result, &err);
    PyEval_RestoreThread(state);
    ss_embeddings_free(options.embeddings);
    return core_rows_succeeded(rows, &call, status, &err) ? evaluation_text(&result.evaluation)
                                                          : NULL;
}

/* evaluate(path of an SAE, embeddings path, embedding column or None, rows, threads) -> JSON */
PyObject *core_evaluate(PyObject *self, PyObject *args)
{
    const char *sae = NULL, *path = NULL, *column = NULL;
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_evaluate_options options;
    struct ss_evaluation evaluation;
    unsigned long long rows = 0, threads = 0;
    ss_embeddings *embeddings = NULL;
    ss_err err;
    (void)self;
    ss_evaluate_options_init(&options);
    ss_evaluation_init(&evaluation);
    if (!PyArg_ParseTuple(args, "sszKK", &sae, &path, &column, &rows, &threads) ||
        !core_open_embeddings(path, column, &embeddings)) {
        return NULL;
    }
    options.num_examples = rows;
    options.n_threads = threads;
    options.progress = core_progress(&call);
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_evaluate(sae, embeddings, &options, &evaluation, &err);
    PyEval_RestoreThread(state);
    ss_embeddings_free(embeddings);
    return core_succeeded(&call, status, &err) ? evaluation_text(&evaluation) : NULL;
}
