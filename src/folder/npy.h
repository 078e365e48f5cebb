/* Writing .npy files, byte-identical to numpy.save. */
#ifndef SS_FOLDER_NPY_H
#define SS_FOLDER_NPY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/output.h"

/* Append the header (magic, version 1.0, description, padding) of a row-major array of f32, or
 * of what a numpy type string such as "<i4" says. Its length does not depend on shape[0], so
 * that a stream can put the number of rows in later. */
void ss_folder_npy_add_header(struct ss__buf *buf, size_t n_dims, const uint64_t *shape);
void ss_folder_npy_add_header_of(struct ss__buf *buf, const char *descr, size_t n_dims,
                                 const uint64_t *shape);

/* Write a whole row-major f32 array atomically. Errors: SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_folder_npy_write(const char *path, const float *data, size_t n_dims,
                                          const uint64_t *shape, ss_err *err);

/* A [n_rows, width] f32 array whose number of rows is known at the end. */
struct ss_folder_npy_stream {
    struct ss__out out;
    uint64_t n_rows, width;
};
#define SS_FOLDER_NPY_CLOSED ((struct ss_folder_npy_stream){.out = SS__OUT_CLOSED})

/* As ss__out_open_named. */
SS_MUST_USE ss_status ss_folder_npy_open(const char *path, bool force, uint64_t width,
                                         struct ss_folder_npy_stream *stream, ss_err *err);
SS_MUST_USE ss_status ss_folder_npy_add(struct ss_folder_npy_stream *stream, const float *rows,
                                        size_t n_rows, ss_err *err);
/* Put the shape in and commit the file. On error nothing is left of it. */
SS_MUST_USE ss_status ss_folder_npy_commit(struct ss_folder_npy_stream *stream, ss_err *err);
void ss_folder_npy_abort(struct ss_folder_npy_stream *stream);

/* ---- archives ---- */

/* An array of an .npz archive, whose bytes are made when they are written, twice: once for the
 * checksum. */
struct ss_folder_npz_array {
    const char *name; /* without ".npy" */
    const char *descr;
    size_t n_dims;
    uint64_t shape[2];
    uint64_t n_bytes; /* of the values */
    const void *data; /* all of them, or NULL: then they come from: */
    ss_status (*rewind)(void *user, ss_err *err);
    ss_status (*read)(void *user, void *out, size_t n_bytes, ss_err *err); /* the next ones */
    void *user;
};

/* Write an archive into an open file and commit it: members stored, with the same bytes for the
 * same arrays; sizes beyond 4 GiB as zip64. Errors: SS_E_IO, SS_E_NOMEM, those of the arrays.
 */
SS_MUST_USE ss_status ss_folder_npz_write(struct ss__out *out,
                                          const struct ss_folder_npz_array *arrays,
                                          size_t n_arrays, ss_err *err);

#endif
