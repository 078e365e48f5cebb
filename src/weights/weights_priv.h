/* What the files of this room share: the container under construction, the readers by kind, and
 * the strict zip directory. */
#ifndef SS_WEIGHTS_PRIV_H
#define SS_WEIGHTS_PRIV_H

#include "base/arena.h"
#include "base/file.h"
#include "weights/weights.h"

/* Bytes of a file and the name it has in messages. */
struct ss__source {
    const char *file;
    const uint8_t *data;
    size_t n_bytes;
    struct ss__asking *asking; /* nullable */
};

struct ss__weights_pair {
    const char *key, *value;
    bool is_unreadable; /* `value` says what is there instead of being it */
};

struct ss__weights {
    const char *format;
    char *path;
    struct ss__map map; /* empty when the bytes are borrowed */
    struct ss__source source;
    struct ss__arena arena; /* names and metadata */
    struct ss__tensor *tensors;
    size_t n, n_room;
    const struct ss__tensor **by_name; /* [n], sorted by bytes */
    struct ss__weights_pair *metadata;
    size_t n_metadata, n_metadata_room;
    bool has_plain_values;   /* metadata are a pickle's values, whose names may clash */
    bool lacks_plain_values; /* there were too many; the rest was left out */
    void **inflated;         /* content of deflated entries */
    size_t n_inflated, n_inflated_room;
    struct ss__weights **parts; /* shards, which own what the tensors point to */
    size_t n_parts;
};

enum {
    SS__MAX_TENSORS = 1 << 17, /* a bound on memory; real models have below ten thousand */
    SS__MAX_METADATA = 1 << 16,
    SS__SPARE_BYTES = 64 << 20 /* what a reader may use beyond the size of the file */
};

/* The file in whose mapping a row-major tensor lies, NULL if in none. */
const struct ss__weights *ss__weights_file_of(const struct ss__weights *weights,
                                              const struct ss__tensor *tensor);

/* ---- building a container (container.c) ---- */

/* Append a copy of `tensor`, whose strings are in the arena or static. */
SS_MUST_USE ss_status ss__weights_add(struct ss__weights *self, const struct ss__tensor *tensor,
                                      ss_err *err);
SS_MUST_USE ss_status ss__weights_add_metadata(struct ss__weights *self, const char *key,
                                               const char *value, ss_err *err);
/* The same for a value that cannot be read; `what` says what it is. */
SS_MUST_USE ss_status ss__weights_add_unreadable(struct ss__weights *self, const char *key,
                                                 const char *what, ss_err *err);
/* Index the names and refuse doubles; the container is immutable from here on. */
SS_MUST_USE ss_status ss__weights_finish(struct ss__weights *self, ss_err *err);

/* Count the elements and set row-major strides from the shape; false if the count does not fit
 * 63 bits, zero dimensions not helping. */
SS_MUST_USE bool ss__tensor_set_row_major(struct ss__tensor *tensor);
bool ss__tensor_is_row_major(const struct ss__tensor *tensor);
/* Strides of Fortran order for a shape that ss__tensor_set_row_major has accepted. */
void ss__tensor_set_column_major(struct ss__tensor *tensor);

/* Read a container from memory that the caller keeps; `name` stands for the file in messages.
 * Otherwise as ss__weights_open. */
SS_MUST_USE ss_status ss__weights_open_memory(const char *name, const void *data,
                                              size_t n_bytes, struct ss__weights **out,
                                              ss_err *err);

/* ---- readers by kind: fill `self` from self->source ---- */

SS_MUST_USE ss_status ss__safetensors_read(struct ss__weights *self, ss_err *err);
SS_MUST_USE ss_status ss__torch_zip_read(struct ss__weights *self, ss_err *err);
SS_MUST_USE ss_status ss__torch_stream_read(struct ss__weights *self, ss_err *err);
SS_MUST_USE ss_status ss__npy_read(struct ss__weights *self, ss_err *err);
SS_MUST_USE ss_status ss__npz_read(struct ss__weights *self, ss_err *err);

bool ss__torch_stream_matches(const struct ss__source *source);
bool ss__npy_matches(const struct ss__source *source);
/* The type that a `descr` such as "<f4" names; false if it is none of numbers. */
bool ss__npy_dtype(const char *descr, size_t n, ss__dtype *dtype, bool *swaps);

/* ---- numbers (convert.c) ---- */

/* How many of n numbers are NaN or infinite; *first is the index of the first (or n). */
size_t ss__count_nonfinite(const float *numbers, size_t n, size_t *first);

#endif
