/* A .npy file of embeddings, f32, a row per row of the dataset, filled batch by batch. */
#ifndef SS_PASS_EMBEDDINGS_FILE_H
#define SS_PASS_EMBEDDINGS_FILE_H

#include "folder/npy.h"
#include "pass/batch.h"

struct ss_pass_embeddings_file {
    struct ss_folder_npy_stream stream;
    struct ss_pass_batch_walk walk; /* set fills_gaps before the first batch: rows without an
                                      embedding keep their place */
    float *missing;                 /* [width] what stands there */
    size_t width;
};
#define SS_PASS_EMBEDDINGS_FILE_CLOSED                                                         \
    ((struct ss_pass_embeddings_file){.stream = SS_FOLDER_NPY_CLOSED})

/* Begin a file; `missing` is the value of rows without an embedding. A name that promises
 * another format is refused. Release with ss_pass_embeddings_file_abort after success and
 * failure. Errors: SS_E_USAGE (the name), those of ss_folder_npy_open. */
SS_MUST_USE ss_status ss_pass_embeddings_file_open(const char *path, bool force, size_t width,
                                                   float missing,
                                                   struct ss_pass_embeddings_file *file,
                                                   ss_err *err);
/* The rows of a batch with their embeddings [n_rows, width]. */
SS_MUST_USE ss_status ss_pass_embeddings_file_add(struct ss_pass_embeddings_file *file,
                                                  const struct ss_pass_batch *batch,
                                                  const float *embeddings, ss_err *err);
/* Complete the file, with the rows behind the last batch up to n_read. */
SS_MUST_USE ss_status ss_pass_embeddings_file_commit(struct ss_pass_embeddings_file *file,
                                                     uint64_t n_read, ss_err *err);
void ss_pass_embeddings_file_abort(struct ss_pass_embeddings_file *file);

#endif
