/* Tensors under plain names (stored_names.c), each counted as used when it is bound, so that
 * what is missing and what nobody asked for can be named: a tensor that is left over is a sign
 * that the config speaks of another model.
 *
 * Entries are sorted once and searched; binding does not change them but for `is_used`, so that
 * layers can be bound in parallel as long as no two threads bind the same name. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "encoder/bind_priv.h"

static int compare_entries(const void *a, const void *b)
{
    const struct ss_encoder_binder_entry *x = a;
    const struct ss_encoder_binder_entry *y = b;
    return strcmp(x->name, y->name);
}

static struct ss_encoder_binder_entry *find(const struct ss_encoder_binder *binder,
                                            const char *name)
{
    const struct ss_encoder_binder_entry key = {.name = name};
    return ss__search(&key, binder->entries, binder->n, sizeof *binder->entries,
                      compare_entries);
}

/* Two stored names may mean one plain name ("bert.x" and "x"): which of them counts would be a
 * guess. */
ss_status ss_encoder_binder_init(struct ss_encoder_binder *binder,
                                 const struct ss_weights *weights, const char *const *prefixes,
                                 ss_err *err)
{
    const size_t n = ss_weights_n(weights);
    *binder = (struct ss_encoder_binder){.weights = weights};
    SS_ALLOC_OR_RETURN(binder->entries, n);
    for (size_t i = 0; i < n; i++) {
        const struct ss_weights_tensor *tensor = ss_weights_at(weights, i);
        const char *name = ss_encoder_plain_name(&binder->arena, tensor->name, prefixes);
        if (name == NULL) {
            return ss__fail_nomem(err, "tensor names");
        }
        binder->entries[i] = (struct ss_encoder_binder_entry){.name = name, .tensor = tensor};
    }
    binder->n = n;
    ss__sort(binder->entries, n, sizeof *binder->entries, compare_entries);
    for (size_t i = 1; i < n; i++) {
        if (compare_entries(&binder->entries[i - 1], &binder->entries[i]) == 0) {
            return ss__fail_file(err, ss_weights_path(weights), SS_E_DATA,
                                 "the tensors '%s' and '%s' are the same parameter",
                                 binder->entries[i - 1].tensor->name,
                                 binder->entries[i].tensor->name);
        }
    }
    return SS_OK;
}

/* A change to a tensor that is not there is an error, since the adapter was made for another
 * model; those that the family passes over may be changed. */
ss_status ss_encoder_binder_adapt(struct ss_encoder_binder *binder,
                                  const struct ss_encoder_adapter *adapter,
                                  bool (*ignores)(const char *name), ss_err *err)
{
    binder->adapter = adapter;
    for (size_t i = 0; adapter != NULL && i < adapter->n; i++) {
        const struct ss_encoder_adapter_delta *delta = &adapter->deltas[i];
        struct ss_encoder_binder_entry *entry = find(binder, delta->name);
        if (entry != NULL) {
            entry->delta = delta;
        } else if (!ignores(delta->name)) {
            return ss__fail_file(err, ss_weights_path(adapter->weights), SS_E_DATA,
                                 "the adapter changes '%s', which the model does not have",
                                 delta->name);
        }
    }
    return SS_OK;
}

void ss_encoder_binder_release(struct ss_encoder_binder *binder)
{
    ss__free(binder->entries);
    ss__arena_release(&binder->arena);
    *binder = (struct ss_encoder_binder){0};
}

bool ss_encoder_binder_has(const struct ss_encoder_binder *binder, const char *name)
{
    return find(binder, name) != NULL;
}

/* Every way to bind goes through here. Errors are of the container: it is the file that the
 * user can mend. */
static ss_status take(struct ss_encoder_binder *binder, const char *name,
                      struct ss_encoder_binder_entry **out, ss_err *err)
{
    struct ss_encoder_binder_entry *entry = find(binder, name);
    if (entry == NULL) {
        return ss__fail_file(err, ss_weights_path(binder->weights), SS_E_DATA,
                             "the tensor '%s' is missing; the config asks for it", name);
    }
    SS_RETURN_IF_ERROR(ss_encoder_check_stored(binder->weights, entry->tensor, err));
    entry->is_used = true;
    *out = entry;
    return SS_OK;
}

/* Errors are about the tensor (ss__err_about), whichever part of the view fails. */
ss_status ss_encoder_bind_view(struct ss_encoder_binder *binder, const char *name,
                               size_t n_dims, const uint64_t *shape, const float **out,
                               float **owned, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_encoder_binder_entry *entry = NULL;
    *out = NULL;
    *owned = NULL;
    SS_TRY(take(binder, name, &entry, err));
    SS_TRY(ss_weights_view_f32(binder->weights, entry->tensor->name, n_dims, shape, out, owned,
                               err));
    if (entry->delta != NULL) {
        SS_TRY(ss_encoder_adapter_apply(binder->adapter, entry->delta, n_dims, shape, out,
                                        owned, err));
    }
out:
    if (status != SS_OK) {
        ss__err_about(err, name);
    }
    return status;
}

/* The rows as an adapter makes them: all of them in memory, since the product touches every
 * row, where a table would otherwise read from the file what a text needs. */
static ss_status change_table(struct ss_encoder_binder *binder, const char *name,
                              const uint64_t shape[2], struct ss_weights_table *table,
                              ss_err *err)
{
    const float *rows = NULL;
    float *owned = NULL;
    SS_RETURN_IF_ERROR(ss_encoder_bind_view(binder, name, 2, shape, &rows, &owned, err));
    if (owned == NULL) {
        SS_ALLOC_ALIGNED_OR_RETURN(owned, (size_t)(shape[0] * shape[1]));
        memcpy(owned, rows, (size_t)(shape[0] * shape[1]) * sizeof *owned);
    }
    ss__free(table->owned);
    table->owned = owned;
    return SS_OK;
}

ss_status ss_encoder_bind_table(struct ss_encoder_binder *binder, const char *name,
                                const uint64_t shape[2], struct ss_weights_table *out,
                                ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_encoder_binder_entry *entry = NULL;
    SS_TRY(take(binder, name, &entry, err));
    SS_TRY(ss_weights_need_table(binder->weights, entry->tensor->name, shape, binder->asking,
                                 out, err));
    if (entry->delta != NULL) {
        SS_TRY(change_table(binder, name, shape, out, err));
    }
out:
    if (status != SS_OK) {
        ss__err_about(err, name);
    }
    return status;
}

/* Copied: vectors are small, and where they stand is the caller's. */
ss_status ss_encoder_bind_vector(struct ss_encoder_binder *binder, const char *name, size_t n,
                                 float *out, ss_err *err)
{
    ss_status status = SS_OK;
    const float *view = NULL;
    float *owned = NULL;
    SS_TRY(ss_encoder_bind_view(binder, name, 1, &(uint64_t){n}, &view, &owned, err));
    memcpy(out, view, n * sizeof *out);
out:
    ss__free(owned);
    return status;
}

/* Order within the rows does not matter here: squares are summed over outputs. */
ss_status ss_encoder_bind_squares(struct ss_encoder_binder *binder, const char *name,
                                  const struct ss_encoder_bound_rows *rows, float *sums,
                                  ss_err *err)
{
    ss_status status = SS_OK;
    const float *view = NULL;
    float *owned = NULL;
    const uint64_t shape[2] = {rows->n_stored, rows->n_in};
    SS_TRY(ss_encoder_bind_view(binder, name, 2, shape, &view, &owned, err));
    ss_tensor_add_squares_to(sums, view + rows->from * rows->n_in, rows->n, rows->n_in);
out:
    ss__free(owned);
    return status;
}

/* A copy of the rows that are asked for, in their order. */
static ss_status put_in_order(const struct ss_encoder_bound_rows *rows, const float *view,
                              float **owned, ss_err *err)
{
    SS_ALLOC_ALIGNED_OR_RETURN(*owned, rows->n * rows->n_in);
    for (size_t i = 0; i < rows->n; i++) {
        memcpy(*owned + i * rows->n_in, view + rows->order[i] * rows->n_in,
               rows->n_in * sizeof *view);
    }
    return SS_OK;
}

ss_status ss_encoder_bind_rows(struct ss_encoder_binder *binder, const char *name,
                               const struct ss_encoder_bound_rows *rows, ss_precision precision,
                               struct ss_tensor_matrix *matrix, ss_err *err)
{
    ss_status status = SS_OK;
    const float *view = NULL;
    float *owned = NULL;
    float *ordered = NULL;
    const uint64_t shape[2] = {rows->n_stored, rows->n_in};
    SS_TRY(ss_encoder_bind_view(binder, name, 2, shape, &view, &owned, err));
    view += rows->from * rows->n_in;
    if (rows->order != NULL) {
        SS_TRY(put_in_order(rows, view, &ordered, err));
        view = ordered;
    }
    if (matrix->panels == NULL) {
        SS_TRY(ss_tensor_matrix_new(rows->n_total, rows->n_in, precision, matrix, err));
    }
    ss_tensor_matrix_fill(matrix, rows->at, rows->n, view, SS_TENSOR_OUT_BY_IN);
    /* packed now: what was mapped of the file would only count towards peak memory */
    ss_weights_release_pages(binder->weights, find(binder, name)->tensor);
out:
    ss__free(ordered);
    ss__free(owned);
    return status;
}

ss_status ss_encoder_bind_matrix(struct ss_encoder_binder *binder, const char *name,
                                 size_t n_out, size_t n_in, struct ss_tensor_matrix *matrix,
                                 ss_err *err)
{
    const struct ss_encoder_bound_rows all = {
        .n_stored = n_out, .n_in = n_in, .n = n_out, .n_total = n_out};
    return ss_encoder_bind_rows(binder, name, &all, SS_PRECISION_HIGHEST, matrix, err);
}

/* Tensors that no one asked for. Where they may be there, they are named. */
static ss_status warn_unused(const struct ss_encoder_binder *binder,
                             bool (*ignores)(const char *name), const struct ss_log *log,
                             ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf names = {0};
    size_t n = 0;
    for (size_t i = 0; i < binder->n; i++) {
        const struct ss_encoder_binder_entry *entry = &binder->entries[i];
        if (!entry->is_used && !ignores(entry->name)) {
            ss_encoder_names_add(&names, &n, entry->tensor->name);
        }
    }
    ss_encoder_names_end(&names, n);
    SS_TRY(ss__buf_check(&names, err));
    if (n > 0) {
        ss__log(log, SS_LEVEL_WARNING,
                "%.400s: %zu tensor%s not used, since the config asks for no such: %s",
                ss_weights_path(binder->weights), n, n == 1 ? " is" : "s are",
                ss__buf_text(&names));
    }
out:
    ss__buf_release(&names);
    return status;
}

/* A module after pooling has few tensors and knows them all: one more means that the config
 * says less than the module computes. */
static ss_status refuse_unused(const struct ss_encoder_binder *binder, ss_err *err)
{
    for (size_t i = 0; i < binder->n; i++) {
        const struct ss_encoder_binder_entry *entry = &binder->entries[i];
        if (!entry->is_used) {
            const ss_status status = ss__fail_file(
                err, ss_weights_path(binder->weights), SS_E_DATA,
                "the tensor '%s' has no place in the module that the config describes",
                entry->tensor->name);
            ss__err_about(err, entry->name);
            return status;
        }
    }
    return SS_OK;
}

/* A stored tensor counts once, however often it was bound. */
ss_status ss_encoder_binder_finish(const struct ss_encoder_binder *binder,
                                   bool (*ignores)(const char *name), const struct ss_log *log,
                                   uint64_t *n_parameters, ss_err *err)
{
    for (size_t i = 0; i < binder->n; i++) {
        *n_parameters += binder->entries[i].is_used ? binder->entries[i].tensor->n_elements : 0;
    }
    return ignores == NULL ? refuse_unused(binder, err)
                           : warn_unused(binder, ignores, log, err);
}
