/* Numbers that the library made, seen by numpy through the buffer protocol without a copy. */
#include "core.h"

struct block {
    PyObject_HEAD void *data;
    Py_ssize_t n, itemsize;
    char format[2];
};

static const struct {
    char format;
    Py_ssize_t itemsize;
} formats[] = {{'?', 1}, {'i', 4}, {'f', 4}, {'q', 8}, {'Q', 8}, {'d', 8}};

PyTypeObject *core_block_type;

PyObject *core_block_new(void *data, size_t n, char format)
{
    struct block *block = PyObject_New(struct block, core_block_type);
    if (block == NULL) {
        PyMem_Free(data);
        return NULL;
    }
    block->data = data;
    block->n = (Py_ssize_t)n;
    block->format[0] = format;
    block->format[1] = '\0';
    block->itemsize = 1;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (formats[i].format == format) {
            block->itemsize = formats[i].itemsize;
        }
    }
    return (PyObject *)block;
}

static void block_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyMem_Free(((struct block *)self)->data);
    PyObject_Free(self);
    Py_DECREF(type);
}

static int block_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    struct block *block = (struct block *)self;
    (void)flags;
    *view = (Py_buffer){
        .buf = block->data,
        .obj = Py_NewRef(self),
        .len = block->n * block->itemsize,
        .itemsize = block->itemsize,
        .format = block->format,
        .ndim = 1,
        .shape = &block->n,
        .strides = &block->itemsize,
    };
    return 0;
}

static Py_ssize_t block_length(PyObject *self)
{
    return ((struct block *)self)->n;
}

static PyType_Slot block_slots[] = {{Py_tp_dealloc, block_dealloc},
                                    {Py_bf_getbuffer, block_getbuffer},
                                    {Py_sq_length, block_length},
                                    {0, NULL}};

PyType_Spec core_block_spec = {
    .name = "saescope._core.Block",
    .basicsize = sizeof(struct block),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = block_slots,
};
