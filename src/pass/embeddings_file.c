/* The number of rows is known at the end only, so the header is written first with room for
 * it and patched (folder/npy.h). Rows without an embedding are filled in by their numbers. */
#include "pass/embeddings_file.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"

/* What is written is .npy whatever the name; one that promises another format is refused. */
static ss_status check_extension(const char *path, ss_err *err)
{
    static const char *const others[] = {
        ".txt",     ".csv", ".tsv", ".json", ".jsonl", ".ndjson",      ".parquet", ".arrow",
        ".feather", ".npz", ".pt",  ".pth",  ".bin",   ".safetensors", ".pkl",     ".h5",
        ".hdf5",    ".gz",  ".zst", ".bz2",  ".xz",    ".zip"};
    const char *extension = strrchr(ss__path_name(path), '.');
    for (size_t i = 0; extension != NULL && i < sizeof others / sizeof *others; i++) {
        if (ss__equal_ignoring_case(extension, others[i]) &&
            ss__path_stat(path) != SS__PATH_OTHER) {
            return ss__fail_file(err, path, SS_E_USAGE,
                                 "embeddings are written as .npy, not as %s; let the name end "
                                 "in .npy",
                                 others[i]);
        }
    }
    return SS_OK;
}

ss_status ss_pass_embeddings_file_open(const char *path, bool force, size_t width,
                                       float missing, struct ss_pass_embeddings_file *file,
                                       ss_err *err)
{
    file->width = width;
    SS_RETURN_IF_ERROR(check_extension(path, err));
    SS_ALLOC_OR_RETURN(file->missing, width);
    for (size_t i = 0; i < width; i++) {
        file->missing[i] = missing;
    }
    return ss_folder_npy_open(path, force, width, &file->stream, err);
}

ss_status ss_pass_embeddings_file_add(struct ss_pass_embeddings_file *file,
                                      const struct ss_pass_batch *batch,
                                      const float *embeddings, ss_err *err)
{
    struct ss_pass_batch_row row;
    ss_pass_batch_walk_start(&file->walk, batch);
    while (ss_pass_batch_walk_next(&file->walk, &row)) {
        const float *values =
            row.is_used ? embeddings + row.index * file->width : file->missing;
        SS_RETURN_IF_ERROR(ss_folder_npy_add(&file->stream, values, 1, err));
    }
    return SS_OK;
}

ss_status ss_pass_embeddings_file_commit(struct ss_pass_embeddings_file *file, uint64_t n_read,
                                         ss_err *err)
{
    while (file->walk.fills_gaps && file->walk.next_id < n_read) {
        SS_RETURN_IF_ERROR(ss_folder_npy_add(&file->stream, file->missing, 1, err));
        file->walk.next_id++;
    }
    return ss_folder_npy_commit(&file->stream, err);
}

void ss_pass_embeddings_file_abort(struct ss_pass_embeddings_file *file)
{
    ss_folder_npy_abort(&file->stream);
    ss__free(file->missing);
    *file = SS_PASS_EMBEDDINGS_FILE_CLOSED;
}
