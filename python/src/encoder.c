/* Encoder: texts to embeddings. */
#include "core.h"

#include <stddef.h>

PyTypeObject *core_encoder_type;

/* How much text a call of the library gets, so that progress is seen between two of them. */
enum { CHUNK_BYTES = 256 * 1024, CHUNK_TEXTS = 1024 };

static bool parse_precision(const char *name, int *value)
{
    ss_precision precision = SS_PRECISION_HIGH;
    const bool is_known = ss_precision_parse(name, &precision);
    *value = (int)precision;
    return is_known;
}

#define OPTION(name, kind)                                                                     \
    {                                                                                          \
#name, kind, offsetof(struct ss_encoder_options, name), NULL, NULL                     \
    }
static const struct core_option options_table[] = {
    OPTION(prompt, CORE_TEXT),
    OPTION(prompt_name, CORE_TEXT),
    OPTION(max_tokens, CORE_SIZE),
    {"precision", CORE_ENUM, offsetof(struct ss_encoder_options, precision), parse_precision,
     NULL},
    OPTION(truncate_dim, CORE_SIZE),
    OPTION(name, CORE_TEXT),
    OPTION(source, CORE_TEXT),
    OPTION(commit, CORE_TEXT),
};
#undef OPTION
enum { N_OPTIONS = sizeof options_table / sizeof options_table[0] };

/* Encoder(path, threads, options: dict, log) */
static PyObject *encoder_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void)keywords;
    const char *path = NULL;
    Py_ssize_t n_threads = 0;
    PyObject *given = NULL;
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_encoder_options options;
    ss_encoder *encoder = NULL;
    ss_err err;
    ss_encoder_options_init(&options);
    if (!PyArg_ParseTuple(args, "snO!O", &path, &n_threads, &PyDict_Type, &given, &call.log) ||
        !core_fill(&options, options_table, N_OPTIONS, given)) {
        return NULL;
    }
    struct core_works works = {.n_threads = (size_t)n_threads};
    options.work = core_work_take(&works);
    if (options.work == NULL) {
        return NULL;
    }
    options.log = core_log(&call);
    options.progress = core_progress(&call);
    PyThreadState *state = PyEval_SaveThread();
    const ss_status status = ss_encoder_open(path, &options, &encoder, &err);
    PyEval_RestoreThread(state);
    core_work_give(&works, options.work);
    struct core_encoder *self = NULL;
    if (core_succeeded(&call, status, &err)) {
        self = (struct core_encoder *)PyType_GenericAlloc(type, 0);
    }
    if (self == NULL) {
        ss_encoder_free(encoder);
        core_works_release(&works);
        return NULL;
    }
    self->encoder = encoder;
    self->works = works;
    return (PyObject *)self;
}

static void encoder_dealloc(PyObject *object)
{
    struct core_encoder *self = (struct core_encoder *)object;
    PyTypeObject *type = Py_TYPE(object);
    core_works_release(&self->works);
    ss_encoder_free(self->encoder);
    PyObject_Free(object);
    Py_DECREF(type);
}

/* ---- embed ---- */

/* Views of the strings of a tuple, which keeps them alive; NULL with an exception. */
static struct ss_text *view_texts(PyObject *tuple, size_t n)
{
    struct ss_text *texts = PyMem_Calloc(n + 1, sizeof *texts);
    if (texts == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        PyObject *item = PyTuple_GetItem(tuple, (Py_ssize_t)i);
        Py_ssize_t n_bytes = 0;
        if (!PyUnicode_Check(item)) {
            PyErr_Format(PyExc_TypeError, "text %zu is no str but %R", i, Py_TYPE(item));
            PyMem_Free(texts);
            return NULL;
        }
        texts[i].data = PyUnicode_AsUTF8AndSize(item, &n_bytes);
        texts[i].n_bytes = (size_t)n_bytes;
        if (texts[i].data == NULL) {
            PyMem_Free(texts);
            return NULL;
        }
    }
    return texts;
}

static size_t chunk_length(const struct ss_text *texts, size_t n)
{
    size_t n_bytes = 0, i = 0;
    while (i < n && i < CHUNK_TEXTS && (i == 0 || n_bytes + texts[i].n_bytes <= CHUNK_BYTES)) {
        n_bytes += texts[i++].n_bytes;
    }
    return i;
}

/* Embed chunk by chunk; false with an exception. */
static bool embed_chunks(struct core_encoder *self, const struct ss_text *texts, size_t n,
                         float *out, PyObject *step)
{
    struct core_call call = {.progress = Py_None, .log = Py_None};
    struct ss_encoder_info info = {.struct_size = sizeof info};
    bool is_fine = true;
    ss_err err;
    ss_work *work = core_work_take(&self->works);
    if (work == NULL) {
        return false;
    }
    ss_encoder_describe(self->encoder, &info);
    ss_work_set_progress(work, core_progress(&call));
    for (size_t done = 0; is_fine && done < n;) {
        const size_t length = chunk_length(texts + done, n - done);
        PyThreadState *state = PyEval_SaveThread();
        const ss_status status = ss_encoder_embed(self->encoder, work, texts + done, length,
                                                  out + done * info.width, NULL, &err);
        PyEval_RestoreThread(state);
        is_fine = core_succeeded(&call, status, &err);
        done += length;
        if (is_fine && step != Py_None) {
            PyObject *result = PyObject_CallFunction(step, "n", (Py_ssize_t)length);
            is_fine = result != NULL;
            Py_XDECREF(result);
        }
    }
    core_work_give(&self->works, work);
    return is_fine;
}

/* embed(texts: tuple of str, out: writable buffer of f32 [n, width], step) */
static PyObject *encoder_embed(PyObject *object, PyObject *args)
{
    struct core_encoder *self = (struct core_encoder *)object;
    struct ss_encoder_info info = {.struct_size = sizeof info};
    PyObject *tuple = NULL, *buffer = NULL, *step = NULL;
    Py_buffer out;
    if (!PyArg_ParseTuple(args, "O!OO", &PyTuple_Type, &tuple, &buffer, &step)) {
        return NULL;
    }
    const size_t n = (size_t)PyTuple_Size(tuple);
    ss_encoder_describe(self->encoder, &info);
    struct ss_text *texts = view_texts(tuple, n);
    if (texts == NULL ||
        PyObject_GetBuffer(buffer, &out, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE) != 0) {
        PyMem_Free(texts);
        return NULL;
    }
    bool is_fine = (size_t)out.len == n * info.width * sizeof(float);
    if (!is_fine) {
        PyErr_SetString(PyExc_ValueError, "the buffer has another size than the embeddings");
    } else {
        is_fine = embed_chunks(self, texts, n, out.buf, step);
    }
    PyBuffer_Release(&out);
    PyMem_Free(texts);
    return is_fine ? Py_NewRef(Py_None) : NULL;
}

/* tokenize(text) -> list of ids, special tokens included */
static PyObject *encoder_tokenize(PyObject *object, PyObject *args)
{
    struct core_encoder *self = (struct core_encoder *)object;
    struct core_call call = {.progress = Py_None, .log = Py_None};
    Py_ssize_t n_bytes = 0;
    struct ss_text text;
    int32_t *ids = NULL;
    size_t n_ids = 0;
    ss_err err;
    if (!PyArg_ParseTuple(args, "s#", &text.data, &n_bytes)) {
        return NULL;
    }
    text.n_bytes = (size_t)n_bytes;
    ss_work *work = core_work_take(&self->works);
    if (work == NULL) {
        return NULL;
    }
    const ss_status status = ss_encoder_tokenize(self->encoder, work, text, &ids, &n_ids, &err);
    core_work_give(&self->works, work);
    if (!core_succeeded(&call, status, &err)) {
        return NULL;
    }
    PyObject *list = PyList_New((Py_ssize_t)n_ids);
    for (size_t i = 0; list != NULL && i < n_ids; i++) {
        PyObject *id = PyLong_FromLong(ids[i]);
        if (id == NULL || PyList_SetItem(list, (Py_ssize_t)i, id) != 0) {
            Py_CLEAR(list);
        }
    }
    ss_ids_free(ids);
    return list;
}

static PyObject *encoder_info(PyObject *object, PyObject *args)
{
    struct ss_encoder_info info = {.struct_size = sizeof info};
    (void)args;
    ss_encoder_describe(((struct core_encoder *)object)->encoder, &info);
    return Py_BuildValue(
        "{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:n,s:n,s:n,s:n,s:n,s:K,s:O}", "path", info.path,
        "name", info.name, "source", info.source, "commit", info.commit, "architecture",
        info.architecture, "pooling", info.pooling, "kernels", info.kernels, "precision",
        info.precision, "prompt", info.prompt, "width", (Py_ssize_t)info.width, "max_tokens",
        (Py_ssize_t)info.max_tokens, "n_layers", (Py_ssize_t)info.n_layers, "n_heads",
        (Py_ssize_t)info.n_heads, "n_vocab", (Py_ssize_t)info.n_vocab, "n_parameters",
        (unsigned long long)info.n_parameters, "normalized",
        info.normalized ? Py_True : Py_False);
}

static PyMethodDef encoder_methods[] = {
    {"embed", encoder_embed, METH_VARARGS, "Embed a tuple of texts into a buffer."},
    {"tokenize", encoder_tokenize, METH_VARARGS, "Token ids of a text."},
    {"info", encoder_info, METH_NOARGS, "Facts about the encoder."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot encoder_slots[] = {{Py_tp_new, encoder_new},
                                      {Py_tp_dealloc, encoder_dealloc},
                                      {Py_tp_methods, encoder_methods},
                                      {0, NULL}};

PyType_Spec core_encoder_spec = {
    .name = "saescope._core.Encoder",
    .basicsize = sizeof(struct core_encoder),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = encoder_slots,
};
