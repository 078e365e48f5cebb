/* What torch's functions in a pickle give, written as an effect on the tree of values. None is
 * ever called. Reference: torch._utils of torch 2; docs/spec/protocols.md, §4.2. */
#include <string.h>

#include "base/mem.h"
#include "weights/pickle_priv.h"

typedef struct ss_weights_pickle_node node;

/* ---- tensors ---- */

static ss_status new_tensor(struct ss_weights_pickle *self,
                            struct ss_weights_pickle_tensor **out, node **value, ss_err *err)
{
    void *memory = NULL;
    ss_status status = ss_weights_pickle_alloc(self, sizeof **out, &memory, err);
    *out = memory;
    if (status == SS_OK) {
        status = ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_TENSOR, value, err);
    }
    if (status == SS_OK) {
        (*value)->as.tensor = *out;
    }
    return status;
}

/* Fill shape and strides from two tuples of the same length. */
static ss_status read_shape(const struct ss_weights_pickle *self, const node *size,
                            const node *stride, struct ss_weights_tensor *view, ss_err *err)
{
    if (size->kind != SS_WEIGHTS_PICKLE_TUPLE || stride->kind != SS_WEIGHTS_PICKLE_TUPLE ||
        size->n != stride->n) {
        return ss_weights_pickle_bad(self, "a tensor's size and stride are not two like tuples",
                                     err);
    }
    if (size->n > SS_WEIGHTS_MAX_DIMS) {
        return ss__fail_file(err, self->source.file, SS_E_LIMIT,
                             "a tensor has %u dimensions, more than %d", (unsigned)size->n,
                             SS_WEIGHTS_MAX_DIMS);
    }
    view->n_dims = size->n;
    for (size_t i = 0; i < size->n; i++) {
        if (!ss_weights_pickle_is_count(size->as.items[i]) ||
            !ss_weights_pickle_is_count(stride->as.items[i])) {
            return ss_weights_pickle_bad(self, "a size or stride is not a number of 0 or more",
                                         err);
        }
        view->shape[i] = (uint64_t)size->as.items[i]->as.integer;
    }
    if (!ss_weights_tensor_set_row_major(view)) {
        return ss_weights_pickle_bad(self, "a tensor's size is impossible", err);
    }
    for (size_t i = 0; i < size->n; i++) {
        view->strides[i] = view->shape[i] <= 1 ? 0 : stride->as.items[i]->as.integer;
    }
    return SS_OK;
}

/* All elements must lie in the storage. A view that repeats elements may be larger than the
 * storage, but within what copying it may cost. */
static ss_status check_view(const struct ss_weights_pickle *self,
                            const struct ss_weights_pickle_tensor *tensor, ss_err *err)
{
    const struct ss_weights_tensor *view = &tensor->view;
    const uint64_t capacity = tensor->storage->n_bytes / ss_weights_dtype_bytes(view->dtype);
    uint64_t last = tensor->offset, n_bytes = 0;
    if (view->n_elements == 0) {
        return last <= capacity
                   ? SS_OK
                   : ss_weights_pickle_bad(self, "a tensor starts behind its storage", err);
    }
    for (size_t i = 0; i < view->n_dims; i++) {
        uint64_t reach = 0;
        if (!ss__mul_u64(view->shape[i] - 1, (uint64_t)view->strides[i], &reach) ||
            !ss__add_u64(last, reach, &last)) {
            return ss_weights_pickle_bad(self, "a tensor's strides are impossible", err);
        }
    }
    if (last >= capacity) {
        return ss_weights_pickle_bad(self, "a tensor reaches beyond its storage", err);
    }
    if (view->n_elements > capacity &&
        (!ss__mul_u64(view->n_elements, ss_weights_dtype_bytes(view->dtype), &n_bytes) ||
         n_bytes > SS_WEIGHTS_OVERHEAD_BYTES + 2 * self->n_file_bytes)) {
        return ss__fail_file(err, self->source.file, SS_E_LIMIT,
                             "a tensor of %llu elements repeats a storage of %llu",
                             (unsigned long long)view->n_elements,
                             (unsigned long long)capacity);
    }
    return SS_OK;
}

/* (storage, offset, size, stride, …) with the element type that the storage or a later argument
 * gives. */
static ss_status build_tensor(struct ss_weights_pickle *self, const node *arguments,
                              const node *dtype, node **out, ss_err *err)
{
    struct ss_weights_pickle_tensor *tensor = NULL;
    node *const *items = arguments->as.items;
    if (items[0]->kind != SS_WEIGHTS_PICKLE_STORAGE || !ss_weights_pickle_is_count(items[1])) {
        return ss_weights_pickle_bad(self, "a tensor is not made from a storage and an offset",
                                     err);
    }
    const struct ss_weights_pickle_storage *storage = items[0]->as.storage;
    if (dtype == NULL ? storage->is_untyped
                      : dtype->kind != SS_WEIGHTS_PICKLE_GLOBAL ||
                            dtype->as.global->role != SS_WEIGHTS_ROLE_DTYPE) {
        return ss_weights_pickle_bad(self, "a tensor has no element type", err);
    }
    SS_RETURN_IF_ERROR(new_tensor(self, &tensor, out, err));
    tensor->storage = storage;
    tensor->offset = (uint64_t)items[1]->as.integer;
    tensor->view.dtype = dtype == NULL ? storage->dtype : dtype->as.global->dtype;
    tensor->view.dtype_name = dtype != NULL && tensor->view.dtype == SS_WEIGHTS_F8
                                  ? dtype->as.global->name
                                  : ss_weights_dtype_name(tensor->view.dtype);
    SS_RETURN_IF_ERROR(read_shape(self, items[2], items[3], &tensor->view, err));
    return check_view(self, tensor, err);
}

/* (storage, offset, size, stride) */
ss_status ss_weights_torch_rebuild_v1(struct ss_weights_pickle *self, node *arguments,
                                      node **out, ss_err *err)
{
    const ss_status status = ss_weights_pickle_need_arguments(self, arguments, 4, 4, err);
    return status == SS_OK ? build_tensor(self, arguments, NULL, out, err) : status;
}

/* A last argument, if it is there, marks numbers as to be negated or conjugated. */
static ss_status refuse_marks(const struct ss_weights_pickle *self, const node *arguments,
                              size_t index, ss_err *err)
{
    const node *marks = index < arguments->n ? arguments->as.items[index] : NULL;
    if (marks == NULL || marks->kind == SS_WEIGHTS_PICKLE_NONE ||
        (marks->kind == SS_WEIGHTS_PICKLE_DICT && marks->n == 0)) {
        return SS_OK;
    }
    return ss__fail_file(err, self->source.file, SS_E_UNSUPPORTED,
                         "a tensor is marked as negated or conjugated; save it after "
                         "resolve_neg() and resolve_conj()");
}

/* (storage, offset, size, stride, requires_grad, hooks[, marks]) */
ss_status ss_weights_torch_rebuild_v2(struct ss_weights_pickle *self, node *arguments,
                                      node **out, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_weights_pickle_need_arguments(self, arguments, 6, 7, err));
    SS_RETURN_IF_ERROR(refuse_marks(self, arguments, 6, err));
    return build_tensor(self, arguments, NULL, out, err);
}

/* (storage, offset, size, stride, requires_grad, hooks, dtype[, marks]), for types that have no
 * storage class of their own. */
ss_status ss_weights_torch_rebuild_v3(struct ss_weights_pickle *self, node *arguments,
                                      node **out, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_weights_pickle_need_arguments(self, arguments, 7, 8, err));
    SS_RETURN_IF_ERROR(refuse_marks(self, arguments, 7, err));
    return build_tensor(self, arguments, arguments->as.items[6], out, err);
}

/* (tensor, …): the tensor itself. */
ss_status ss_weights_torch_parameter(struct ss_weights_pickle *self, node *arguments,
                                     node **out, ss_err *err)
{
    if (arguments->n < 2 || arguments->n > 4 ||
        arguments->as.items[0]->kind != SS_WEIGHTS_PICKLE_TENSOR) {
        return ss_weights_pickle_bad(self, "a parameter is not made from a tensor", err);
    }
    *out = arguments->as.items[0];
    return SS_OK;
}

/* (function, type, arguments, state): what the function gives. */
ss_status ss_weights_torch_from_type(struct ss_weights_pickle *self, node *arguments,
                                     node **out, ss_err *err)
{
    node *const *items = arguments->as.items;
    if (arguments->n != 4 || items[0]->kind != SS_WEIGHTS_PICKLE_GLOBAL ||
        items[1]->kind != SS_WEIGHTS_PICKLE_GLOBAL ||
        items[2]->kind != SS_WEIGHTS_PICKLE_TUPLE ||
        items[0]->as.global->call == ss_weights_torch_from_type) {
        return ss_weights_pickle_bad(self, "a tensor of a special type is not as expected",
                                     err);
    }
    return ss_weights_pickle_reduce(self, items[0], items[2], out, err);
}

/* A shape as a value: the tuple itself. */
ss_status ss_weights_torch_size(struct ss_weights_pickle *self, node *arguments, node **out,
                                ss_err *err)
{
    if (arguments->n != 1 || arguments->as.items[0]->kind != SS_WEIGHTS_PICKLE_TUPLE) {
        return ss_weights_pickle_bad(self, "torch.Size is not made from a tuple", err);
    }
    *out = arguments->as.items[0];
    return SS_OK;
}

/* ---- storages ---- */

/* ('storage', type, key, location, count) and in streams a sixth, None. */
ss_status ss_weights_pickle_load_persistent(struct ss_weights_pickle *self, const node *id,
                                            node **out, ss_err *err)
{
    void *memory = NULL;
    node *const *items = id->as.items;
    if (id->kind != SS_WEIGHTS_PICKLE_TUPLE || id->n < 5 || id->n > 6 ||
        !ss_weights_pickle_is_text(items[0], "storage") ||
        items[1]->kind != SS_WEIGHTS_PICKLE_GLOBAL ||
        items[2]->kind != SS_WEIGHTS_PICKLE_TEXT || items[3]->kind != SS_WEIGHTS_PICKLE_TEXT ||
        !ss_weights_pickle_is_count(items[4])) {
        return ss_weights_pickle_bad(self, "a storage is not described as expected", err);
    }
    if (id->n == 6 && items[5]->kind != SS_WEIGHTS_PICKLE_NONE) {
        return ss__fail_file(
            err, self->source.file, SS_E_UNSUPPORTED,
            "a storage is a part of another, as only very old torch wrote; save the "
            "file again");
    }
    const struct ss_weights_pickle_global *type = items[1]->as.global;
    if (type->role != SS_WEIGHTS_ROLE_STORAGE &&
        type->role != SS_WEIGHTS_ROLE_UNTYPED_STORAGE) {
        return ss_weights_pickle_bad(self, "a storage has a type that is none", err);
    }
    SS_RETURN_IF_ERROR(
        ss_weights_pickle_alloc(self, sizeof(struct ss_weights_pickle_storage), &memory, err));
    struct ss_weights_pickle_storage *storage = memory;
    *storage = (struct ss_weights_pickle_storage){.key = items[2]->as.text,
                                                  .n_key = items[2]->n,
                                                  .dtype = type->dtype,
                                                  .is_untyped = type->role ==
                                                                SS_WEIGHTS_ROLE_UNTYPED_STORAGE,
                                                  .n_elements = (uint64_t)items[4]->as.integer};
    if (!ss__mul_u64(storage->n_elements, ss_weights_dtype_bytes(storage->dtype),
                     &storage->n_bytes)) {
        return ss_weights_pickle_bad(self, "a storage has an impossible size", err);
    }
    SS_GROW_OR_RETURN(self->storages, self->storages_capacity, self->n_storages + 1);
    self->storages[self->n_storages++] = storage;
    SS_RETURN_IF_ERROR(ss_weights_pickle_new(self, SS_WEIGHTS_PICKLE_STORAGE, out, err));
    (*out)->as.storage = storage;
    return SS_OK;
}
