/* Containers of tensors: safetensors, torch zip archives, torch's older stream, npy, npz.
 * Whatever the file, the caller sees named, typed, strided views over read-only memory. Nothing
 * in a file is ever executed, and every count is checked against the bytes that are there.
 *
 * The bytes are those of a mapping, so a file that is written to meanwhile may give numbers of
 * two versions: whoever has read all values asks ss_weights_check before they are used
 * (base/map.h). */
#ifndef SS_WEIGHTS_H
#define SS_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/map.h"
#include "base/stop.h"

/* Types of elements, by what their bits mean. */
typedef enum ss_weights_dtype {
    SS_WEIGHTS_BOOL,
    SS_WEIGHTS_U8,
    SS_WEIGHTS_I8,
    SS_WEIGHTS_I16,
    SS_WEIGHTS_U16,
    SS_WEIGHTS_I32,
    SS_WEIGHTS_U32,
    SS_WEIGHTS_I64,
    SS_WEIGHTS_U64,
    SS_WEIGHTS_F16,
    SS_WEIGHTS_BF16,
    SS_WEIGHTS_F32,
    SS_WEIGHTS_F64,
    SS_WEIGHTS_C64, /* listed, never converted, as all below */
    SS_WEIGHTS_C128,
    SS_WEIGHTS_F8,       /* any of the 8-bit floats; `dtype_name` says which */
    SS_WEIGHTS_SUB_BYTE, /* 4- and 6-bit types */
    SS_WEIGHTS_N_DTYPES
} ss_weights_dtype;

const char *ss_weights_dtype_name(ss_weights_dtype dtype); /* "float32", … */
size_t
ss_weights_dtype_bytes(ss_weights_dtype dtype); /* of one element; 0 for SS_WEIGHTS_SUB_BYTE */

enum { SS_WEIGHTS_MAX_DIMS = 8 };

/* A view of one tensor. `data` is element (0, …, 0); strides count elements and may be 0.
 * Element bytes are little-endian unless `swaps`. All reachable elements lie inside the
 * container. */
struct ss_weights_tensor {
    const char *name;
    const char *dtype_name; /* as the file spells it */
    ss_weights_dtype dtype;
    bool swaps;
    size_t n_dims;
    uint64_t shape[SS_WEIGHTS_MAX_DIMS];
    int64_t strides[SS_WEIGHTS_MAX_DIMS];
    uint64_t n_elements;
    const void *data;
};

struct ss_weights; /* an open container */

/* Open a weights file, whose kind is found from its content.
 *
 * asking   nullable; borrowed while the container is open; also for later calls with it
 * out      gives (ss_weights_close); tensors are views into it
 * Errors   SS_E_NOINPUT, SS_E_DATA, SS_E_UNSUPPORTED, SS_E_LIMIT, SS_E_NOMEM, SS_E_STOPPED,
 *          SS_E_IO
 * Memory   the file is mapped; at most 64 MiB + 2 × its size before an error is found
 * Threads  any; an open container is immutable */
SS_MUST_USE ss_status ss_weights_open(const char *path, struct ss__asking *asking,
                                      struct ss_weights **out, ss_err *err);

/* Open a model's weights in a folder: `model.safetensors`, or `model.safetensors.index.json`
 * with its shards, else `pytorch_model.bin` or its sharded form, seen as one container. Errors,
 * memory and threads: as ss_weights_open; SS_E_NOINPUT names the files that were expected. */
SS_MUST_USE ss_status ss_weights_open_model(const char *folder, struct ss__asking *asking,
                                            struct ss_weights **out, ss_err *err);
void ss_weights_close(struct ss_weights *weights);

const char *
ss_weights_format(const struct ss_weights *weights); /* "safetensors", "torch zip", … */
const char *
ss_weights_path(const struct ss_weights *weights); /* of the file, or of the index */
/* The files that the container was read from: itself, or the shards of an index. Texts are
 * borrowed until it is closed, as are all that follow. */
size_t ss_weights_n_files(const struct ss_weights *weights);
const char *ss_weights_file(const struct ss_weights *weights, size_t index);
/* How that file was when it was opened. */
struct ss__file_facts ss_weights_file_facts(const struct ss_weights *weights, size_t index);
size_t ss_weights_n(const struct ss_weights *weights);
const struct ss_weights_tensor *ss_weights_at(const struct ss_weights *weights, size_t index);
/* By its whole name; NULL if there is none. Names have no order that means something;
 * ss_weights_at counts in that of the file. */
const struct ss_weights_tensor *ss_weights_find(const struct ss_weights *weights,
                                                const char *name);
/* Metadata strings beside the tensors: safetensors `__metadata__`, and the plain values of a
 * torch file, such as "config/k"; NULL if absent. */
const char *ss_weights_metadata(const struct ss_weights *weights, const char *key);
/* What is there under a key as a value that ss_weights_metadata cannot give ("a list of 3
 * values", "a datetime"), NULL if there is none. */
const char *ss_weights_unreadable(const struct ss_weights *weights, const char *key);
/* The index-th key of both, in the order of bytes; NULL behind the last. */
const char *ss_weights_key(const struct ss_weights *weights, size_t index);

/* Gather a tensor into f32 row-major `out` [n_elements], widening or rounding from its type.
 * Numbers are not checked for being finite. Errors: SS_E_UNSUPPORTED for complex and sub-byte
 * types and 8-bit floats. Threads: any. */
SS_MUST_USE ss_status ss_weights_tensor_to_f32(const struct ss_weights_tensor *tensor,
                                               float *out, ss_err *err);

/* A tensor that must be there with this shape, as fresh f32 memory.
 *
 * shape    [n_dims]
 * out      gives (ss__free), row-major, all finite; NULL on error
 * Errors   SS_E_DATA if it is missing, SS_E_SHAPE with both shapes, SS_E_NONFINITE with the
 *          count and the first index, SS_E_UNSUPPORTED (its type), SS_E_STOPPED, SS_E_NOMEM;
 *          err->item is its name
 * Threads  any */
SS_MUST_USE ss_status ss_weights_need_f32(const struct ss_weights *weights, const char *name,
                                          size_t n_dims, const uint64_t *shape, float **out,
                                          ss_err *err);

/* SS_E_DATA: "tensor 'NAME' is missing", with a name that ends as it does if one is there, else
 * one of those that are. */
ss_status ss_weights_fail_missing(const struct ss_weights *weights, const char *name,
                                  ss_err *err);

/* The same without a copy when the file holds aligned, contiguous little-endian f32: then *out
 * points into the container and *owned is NULL; else *owned is fresh memory and *out equals it.
 */
SS_MUST_USE ss_status ss_weights_view_f32(const struct ss_weights *weights, const char *name,
                                          size_t n_dims, const uint64_t *shape,
                                          const float **out, float **owned, ss_err *err);

/* The rows of a matrix of which few are needed at a time; they stay in the file. */
struct ss_weights_table {
    struct ss_weights_tensor tensor; /* [n, width] row-major */
    const struct ss__map *file;      /* NULL: the rows are in memory */
    const char *path;                /* of the file, for messages */
    float *owned; /* the rows, where the file does not have them one after the other */
};
/* As ss_weights_need_f32 with n_dims 2. `out` is valid while `weights` is open; a zeroed one
 * can be released. No page of the file stays resident. `asking` may be NULL. */
SS_MUST_USE ss_status ss_weights_need_table(const struct ss_weights *weights, const char *name,
                                            const uint64_t shape[2], struct ss__asking *asking,
                                            struct ss_weights_table *out, ss_err *err);
/* Copy rows first … first + n - 1 to `out` [n, width]. Errors: SS_E_IO, as ss_weights_check;
 * that the file was written to since it was opened only that tells. Threads: any. */
SS_MUST_USE ss_status ss_weights_table_rows(const struct ss_weights_table *table, size_t first,
                                            size_t n, float *out, ss_err *err);
void ss_weights_table_release(struct ss_weights_table *table);

/* Release the pages of a tensor that was copied; reading it again maps them back. */
void ss_weights_release_pages(const struct ss_weights *weights,
                              const struct ss_weights_tensor *tensor);

/* Whether the files are what they were when they were opened: SS_E_IO if one was cut or written
 * to, so that values read from it may mix two versions. To be called after all values were
 * read. Threads: any. */
SS_MUST_USE ss_status ss_weights_check(const struct ss_weights *weights, ss_err *err);

/* `status`; or, if it is an error and the files have changed since they were opened, the error
 * that says so: whatever else was found in a truncated file only follows from that. `weights`
 * is nullable. */
SS_MUST_USE ss_status ss_weights_explain(const struct ss_weights *weights, ss_status status,
                                         ss_err *err);

/* Set or clear the cancellation of later calls (borrowed while the container is open). */
void ss_weights_set_stop(struct ss_weights *weights, struct ss__asking *asking);

/* Read every byte of every tensor and verify what the format can verify (CRCs); for checks.
 * Errors: as ss_weights_check too. */
SS_MUST_USE ss_status ss_weights_verify(const struct ss_weights *weights, ss_err *err);

/* ---- writing ---- */

/* A tensor to write: f32, or as halves f16 (ss_weights_to_f16), row-major, borrowed. */
struct ss_weights_tensor_out {
    const char *name;
    const void *data;
    size_t n_dims;
    uint64_t shape[2];
    bool is_half;
};
/* The nearest halves of numbers, ties to even; above 65,504 infinity. */
void ss_weights_to_f16(const float *numbers, size_t n, uint16_t *out);
/* Bytes of its numbers. */
uint64_t ss_weights_tensor_out_bytes(const struct ss_weights_tensor_out *tensor);

/* Write a file of tensors in the order given, with the same bytes for the same tensors. Errors:
 * SS_E_IO, SS_E_NOMEM; SS_E_LIMIT for more than a torch archive of 4 GiB holds. */
SS_MUST_USE ss_status ss_weights_safetensors_write(const char *path,
                                                   const struct ss_weights_tensor_out *tensors,
                                                   size_t n, ss_err *err);
/* The same with texts under `__metadata__`: pairs of key and value, NULL at the end. */
SS_MUST_USE ss_status
ss_weights_safetensors_write_with(const char *path, const struct ss_weights_tensor_out *tensors,
                                  size_t n, const char *const *metadata, ss_err *err);
SS_MUST_USE ss_status ss_weights_torch_write(const char *path,
                                             const struct ss_weights_tensor_out *tensors,
                                             size_t n, ss_err *err);

/* The kind of a file by its first bytes, and an archive's by its directory: "safetensors",
 * "torch zip", "torch stream", "zip", "npy", "npz", "pickle" (static), or NULL when it is none
 * of them. Errors: it cannot be read, which says nothing of what it is. */
SS_MUST_USE ss_status ss_weights_sniff(const char *path, const char **out, ss_err *err);

#endif
