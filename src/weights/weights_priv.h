/* What the files of this room share: the container under construction, and the readers by
 * kind. */
#ifndef SS_WEIGHTS_PRIV_H
#define SS_WEIGHTS_PRIV_H

#include "base/arena.h"
#include "base/file.h"
#include "source/source.h"
#include "weights/weights.h"

struct ss_weights_metadata_entry {
    const char *key, *value;
    bool is_unreadable; /* `value` says what is there instead of being it */
};

/* A container, while it is filled and afterwards. Owns all but what `source` borrows. */
struct ss_weights {
    const char *format;
    char *path;
    struct ss__map map; /* empty when the bytes are borrowed */
    struct ss_source_bytes source;
    struct ss__arena arena; /* names and metadata */
    struct ss_weights_tensor *tensors;
    size_t n, capacity;
    const struct ss_weights_tensor **by_name; /* [n], sorted by bytes */
    struct ss_weights_metadata_entry *metadata;
    size_t n_metadata, metadata_capacity;
    bool has_plain_values;   /* metadata are a pickle's values, whose names may clash */
    bool lacks_plain_values; /* there were too many; the rest was left out */
    void **inflated;         /* content of deflated entries */
    size_t n_inflated, inflated_capacity;
    struct ss_weights **shards; /* shards, which own what the tensors point to */
    size_t n_shards;
};

enum {
    SS_WEIGHTS_MAX_TENSORS =
        1 << 17, /* a bound on memory; real models have below ten thousand */
    SS_WEIGHTS_MAX_METADATA = 1 << 16,
    SS_WEIGHTS_OVERHEAD_BYTES = 64 << 20 /* what a reader may use beyond the size of the file */
};

/* The file in whose mapping a row-major tensor lies, NULL if in none. */
const struct ss_weights *ss_weights_file_of(const struct ss_weights *weights,
                                            const struct ss_weights_tensor *tensor);

/* ---- building a container (container.c) ---- */

/* Append a copy of `tensor`, whose strings are in the arena or static. */
SS_MUST_USE ss_status ss_weights_add(struct ss_weights *self,
                                     const struct ss_weights_tensor *tensor, ss_err *err);
SS_MUST_USE ss_status ss_weights_add_metadata(struct ss_weights *self, const char *key,
                                              const char *value, ss_err *err);
/* The same for a value that cannot be read; `what` says what it is. */
SS_MUST_USE ss_status ss_weights_add_unreadable(struct ss_weights *self, const char *key,
                                                const char *what, ss_err *err);
/* Index the names and refuse doubles; the container is immutable from here on. */
SS_MUST_USE ss_status ss_weights_finish(struct ss_weights *self, ss_err *err);

/* Count the elements and set row-major strides from the shape; false if the count does not fit
 * 63 bits, zero dimensions not helping. */
SS_MUST_USE bool ss_weights_tensor_set_row_major(struct ss_weights_tensor *tensor);
bool ss_weights_tensor_is_row_major(const struct ss_weights_tensor *tensor);
/* Strides of Fortran order for a shape that ss_weights_tensor_set_row_major has accepted. */
void ss_weights_tensor_set_column_major(struct ss_weights_tensor *tensor);

/* Read a container from memory that the caller keeps; `name` stands for the file in messages.
 * Otherwise as ss_weights_open. */
SS_MUST_USE ss_status ss_weights_open_memory(const char *name, const void *data, size_t n_bytes,
                                             struct ss_weights **out, ss_err *err);

/* ---- readers by kind: fill `self` from self->source ---- */

SS_MUST_USE ss_status ss_weights_safetensors_read(struct ss_weights *self, ss_err *err);
SS_MUST_USE ss_status ss_weights_torch_zip_read(struct ss_weights *self, ss_err *err);
SS_MUST_USE ss_status ss_weights_torch_stream_read(struct ss_weights *self, ss_err *err);
SS_MUST_USE ss_status ss_weights_npy_read(struct ss_weights *self, ss_err *err);
SS_MUST_USE ss_status ss_weights_npz_read(struct ss_weights *self, ss_err *err);

bool ss_weights_torch_stream_matches(const struct ss_source_bytes *source);
bool ss_weights_npy_matches(const struct ss_source_bytes *source);
/* The type that a `descr` such as "<f4" names; false if it is none of numbers. */
bool ss_weights_npy_dtype(const char *descr, size_t n, ss_weights_dtype *dtype, bool *swaps);

/* What an archive is by its entries: a checkpoint has a folder with data.pkl, numpy's has
 * nothing but .npy. */
bool ss_weights_is_torch_zip(const struct ss_source_zip *zip);
bool ss_weights_is_npz(const struct ss_source_zip *zip);

/* ---- numbers (convert.c) ---- */

/* How many of n numbers are NaN or infinite; *first is the index of the first (or n). */
size_t ss_weights_count_nonfinite(const float *numbers, size_t n, size_t *first);

#endif
