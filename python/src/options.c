/* Keyword arguments as the option structs of the library. */
#include "core.h"

static bool parse_name(const struct core_option *option, const char *name, int *out)
{
    for (int i = 0; option->names != NULL && option->names[i] != NULL; i++) {
        if (strcmp(option->names[i], name) == 0) {
            *out = i;
            return true;
        }
    }
    return option->parse != NULL && option->parse(name, out);
}

static bool fill_enum(int *out, const struct core_option *option, PyObject *value)
{
    const char *name = PyUnicode_AsUTF8AndSize(value, NULL);
    if (name == NULL) {
        return false;
    }
    if (!parse_name(option, name, out)) {
        PyErr_Format(PyExc_ValueError, "%s='%.100s' is none of its values", option->name, name);
        return false;
    }
    return true;
}

static bool fill_size(uint64_t *out, const struct core_option *option, PyObject *value)
{
    *out = PyLong_AsUnsignedLongLong(value);
    if (PyErr_Occurred() != NULL) {
        PyErr_Format(PyExc_ValueError, "%s must be a whole number from 0", option->name);
        return false;
    }
    return true;
}

static bool fill_member(char *member, const struct core_option *option, PyObject *value)
{
    uint64_t number = 0;
    int flag = 0;
    switch (option->kind) {
    case CORE_TEXT:
        *(const char **)member = PyUnicode_AsUTF8AndSize(value, NULL);
        return *(const char **)member != NULL;
    case CORE_SIZE:
        if (!fill_size(&number, option, value)) {
            return false;
        }
        *(size_t *)member = number;
        return true;
    case CORE_U64:
        return fill_size((uint64_t *)member, option, value);
    case CORE_F64:
        *(double *)member = PyFloat_AsDouble(value);
        return PyErr_Occurred() == NULL;
    case CORE_BOOL:
        flag = PyObject_IsTrue(value);
        *(bool *)member = flag > 0;
        return flag >= 0;
    case CORE_ENUM:
        return fill_enum((int *)member, option, value);
    }
    return false;
}

static const struct core_option *find(const struct core_option *table, size_t n, PyObject *name)
{
    for (size_t i = 0; i < n; i++) {
        if (PyUnicode_CompareWithASCIIString(name, table[i].name) == 0) {
            return &table[i];
        }
    }
    PyErr_Format(PyExc_TypeError, "there is no option %R", name);
    return NULL;
}

bool core_fill(void *options, const struct core_option *table, size_t n, PyObject *given)
{
    PyObject *name = NULL, *value = NULL;
    Py_ssize_t at = 0;
    while (given != NULL && PyDict_Next(given, &at, &name, &value)) {
        const struct core_option *option = find(table, n, name);
        if (option == NULL) {
            return false;
        }
        if (value != Py_None && !fill_member((char *)options + option->offset, option, value)) {
            return false;
        }
    }
    return true;
}
