/* Writing .npy files, byte-identical to numpy.save. */
#ifndef SS_RUN_NPY_H
#define SS_RUN_NPY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/output.h"

/* Append the header (magic, version 1.0, description, padding) of a row-major f32 array. Its
 * length does not depend on shape[0], so that a stream can put the number of rows in later. */
void ss__npy_add_header(struct ss__buf *buf, size_t n_dims, const uint64_t *shape);

/* Write a whole row-major f32 array atomically. Errors: SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss__npy_write(const char *path, const float *data, size_t n_dims,
                                    const uint64_t *shape, ss_err *err);

/* A [n_rows, width] f32 array whose number of rows is known at the end. */
struct ss__npy_stream {
    struct ss__out out;
    uint64_t n_rows, width;
};
#define SS__NPY_CLOSED ((struct ss__npy_stream){.out = SS__OUT_CLOSED})

/* As ss__out_open_named. */
SS_MUST_USE ss_status ss__npy_open(const char *path, bool force, uint64_t width,
                                   struct ss__npy_stream *stream, ss_err *err);
SS_MUST_USE ss_status ss__npy_add(struct ss__npy_stream *stream, const float *rows,
                                  size_t n_rows, ss_err *err);
/* Put the shape in and commit the file. On error nothing is left of it. */
SS_MUST_USE ss_status ss__npy_commit(struct ss__npy_stream *stream, ss_err *err);
void ss__npy_abort(struct ss__npy_stream *stream);

#endif
