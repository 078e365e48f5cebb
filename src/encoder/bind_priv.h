/* Tensors of a checkpoint by name, changed by an adapter where there is one, packed for the
 * kernels. */
#ifndef SS_ENCODER_BIND_PRIV_H
#define SS_ENCODER_BIND_PRIV_H

#include "encoder/config_priv.h"

/* ---- adapters (adapter.c) ---- */

/* Where an adapter is: strings of an arena; `file` NULL: there is none. */
struct ss_encoder_adapter_files {
    const char *file;    /* adapter_config.json */
    const char *weights; /* "" where they are missing */
    const char *base;    /* the model that it was made for: a folder or a name; "" */
};

/* An open adapter: what becomes of each tensor that it changes. */
struct ss_encoder_adapter {
    struct ss_weights *weights;
    struct ss__arena arena;
    struct ss_encoder_adapter_delta {
        const char *name;                      /* of the tensor, plain */
        const struct ss_weights_tensor *whole; /* what it becomes, nullable */
        const struct ss_weights_tensor *a, *b; /* a product that is added, nullable */
        double scale;
        bool is_table;
    } * deltas;
    size_t n;
};

/* Look for an adapter in a folder. Errors: those of reading; SS_E_DATA for weights alone. */
SS_MUST_USE ss_status ss_encoder_adapter_find(const char *folder, struct ss__arena *arena,
                                              struct ss_encoder_adapter_files *out,
                                              ss_err *err);
/* Gives *out (ss_encoder_adapter_free). `prefixes` are the family's, so that names meet the
 * binder's. Errors: SS_E_UNSUPPORTED for kinds that are not read, by name; SS_E_DATA,
 * SS_E_SHAPE, SS_E_NOINPUT; SS_E_LIMIT for more tensors than are read. */
SS_MUST_USE ss_status ss_encoder_adapter_open(const struct ss_encoder_adapter_files *place,
                                              const char *const *prefixes,
                                              const struct ss_log *log,
                                              struct ss_encoder_adapter **out, ss_err *err);
void ss_encoder_adapter_free(struct ss_encoder_adapter *adapter); /* nullable */

/* Apply a delta to *values, of `shape`; they become *owned (ss__free). A delta that replaces
 * the tensor is read from the adapter; a product is added to a copy. Released on error.
 * Threads: any. */
SS_MUST_USE ss_status ss_encoder_adapter_apply(const struct ss_encoder_adapter *adapter,
                                               const struct ss_encoder_adapter_delta *delta,
                                               size_t n_dims, const uint64_t *shape,
                                               const float **values, float **owned,
                                               ss_err *err);

/* ---- binding tensors to names (bind.c) ---- */

/* The tensors of a container under their plain names: without prefixes, with `weight` and
 * `bias` for old spellings. Different names may be bound in different threads. */
struct ss_encoder_binder {
    const struct ss_weights *weights;
    const struct ss_encoder_adapter *adapter; /* nullable */
    struct ss__arena arena;
    struct ss_encoder_binder_entry {
        const char *name;
        const struct ss_weights_tensor *tensor;
        const struct ss_encoder_adapter_delta *delta; /* nullable */
        bool is_used;
    } * entries; /* by name */
    size_t n;
    struct ss__pool *pool;     /* that packs layers */
    struct ss__asking *asking; /* nullable; of the calling thread */
};

/* prefixes: nullable, ends with NULL; stripped with "module." wherever a name begins with one
 * of them and a dot. The binder is released (ss_encoder_binder_release) after errors too; it
 * borrows `weights`. Errors: SS_E_DATA where two tensors have one plain name. */
SS_MUST_USE ss_status ss_encoder_binder_init(struct ss_encoder_binder *binder,
                                             const struct ss_weights *weights,
                                             const char *const *prefixes, ss_err *err);
/* From here on tensors are bound as the adapter (nullable, borrowed) changes them. Fails for a
 * tensor that is not there, unless `ignores` it. */
SS_MUST_USE ss_status ss_encoder_binder_adapt(struct ss_encoder_binder *binder,
                                              const struct ss_encoder_adapter *adapter,
                                              bool (*ignores)(const char *name), ss_err *err);
void ss_encoder_binder_release(struct ss_encoder_binder *binder);
/* A tensor's name without prefixes, as the binder knows it; NULL when memory ran out. */
const char *ss_encoder_plain_name(struct ss__arena *arena, const char *name,
                                  const char *const *prefixes);
/* Refuse a view that shows stored numbers more than once. Errors: SS_E_UNSUPPORTED. */
SS_MUST_USE ss_status ss_encoder_check_stored(const struct ss_weights *weights,
                                              const struct ss_weights_tensor *tensor,
                                              ss_err *err);
bool ss_encoder_binder_has(const struct ss_encoder_binder *binder, const char *name);

/* A tensor of n_dims dimensions as ss_weights_view_f32 gives it, changed by the adapter.
 *
 * Ownership  *out is *owned (ss__free), or where *owned is NULL a view of the file
 * Errors     SS_E_DATA: no such tensor; SS_E_SHAPE: of another shape; SS_E_UNSUPPORTED: of a
 *            type that is not read
 * Threads    different names in different threads */
SS_MUST_USE ss_status ss_encoder_bind_view(struct ss_encoder_binder *binder, const char *name,
                                           size_t n_dims, const uint64_t *shape,
                                           const float **out, float **owned, ss_err *err);
/* A matrix of which single rows are needed; *out (ss_weights_table_release) reads them from the
 * file where it can, and is in memory where an adapter changes it. */
SS_MUST_USE ss_status ss_encoder_bind_table(struct ss_encoder_binder *binder, const char *name,
                                            const uint64_t shape[2],
                                            struct ss_weights_table *out, ss_err *err);
/* A vector, copied to `out` [n]. */
SS_MUST_USE ss_status ss_encoder_bind_vector(struct ss_encoder_binder *binder, const char *name,
                                             size_t n, float *out, ss_err *err);
/* Outputs from … from + n - 1 of a [n_stored, n_in] tensor as outputs `at` … of a matrix. */
struct ss_encoder_bound_rows {
    size_t n_stored, n_in, from, n, at;
    size_t n_total;      /* outputs that the matrix is made with when it is still empty */
    const size_t *order; /* [n] which row, counted from `from`, comes where; NULL: in order */
};
/* The squares of the weights of some rows, added by input to sums [n_in]. rows->order is
 * without effect. */
SS_MUST_USE ss_status ss_encoder_bind_squares(struct ss_encoder_binder *binder,
                                              const char *name,
                                              const struct ss_encoder_bound_rows *rows,
                                              float *sums, ss_err *err);
/* Pack some rows of a tensor into a matrix, which is made where it is still empty. The pages of
 * the tensor in the file leave memory. */
SS_MUST_USE ss_status ss_encoder_bind_rows(struct ss_encoder_binder *binder, const char *name,
                                           const struct ss_encoder_bound_rows *rows,
                                           ss_precision precision,
                                           struct ss_tensor_matrix *matrix, ss_err *err);
/* All of a [n_out, n_in] tensor, at SS_PRECISION_HIGHEST: for what is not a layer. */
SS_MUST_USE ss_status ss_encoder_bind_matrix(struct ss_encoder_binder *binder, const char *name,
                                             size_t n_out, size_t n_in,
                                             struct ss_tensor_matrix *matrix, ss_err *err);
/* Tell of tensors that were neither bound nor are ignored by `ignores`: in a warning that names
 * them, or where `ignores` is NULL as an error. Adds the elements of all bound ones to
 * *n_parameters. */
SS_MUST_USE ss_status ss_encoder_binder_finish(const struct ss_encoder_binder *binder,
                                               bool (*ignores)(const char *name),
                                               const struct ss_log *log, uint64_t *n_parameters,
                                               ss_err *err);

#endif
