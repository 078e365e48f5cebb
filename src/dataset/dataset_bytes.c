/* Bytes of a dataset, for programs that show how far reading is where rows are not known. */
#include <sys/stat.h>

#include "base/mem.h"
#include "dataset/dataset_state_priv.h"

uint64_t ss_dataset_stored_bytes(const ss_dataset *dataset, size_t index)
{
    struct stat facts;
    if (dataset->files[index].stream.state != NULL) {
        return ss_source_stream_size(&dataset->files[index].stream);
    }
    if (ss_dataset_archives_have(&dataset->archives, index)) {
        return ss_dataset_archives_bytes(&dataset->archives, index);
    }
    return stat(dataset->use.paths.items[index], &facts) == 0 && S_ISREG(facts.st_mode)
               ? (uint64_t)facts.st_size
               : 0;
}

/* One file of unknown size makes the sum unknown. */
ss_status ss_dataset_count_bytes(ss_dataset *dataset, ss_err *err)
{
    const size_t n = dataset->use.paths.n;
    SS_ALLOC_OR_RETURN(dataset->file_bytes, n);
    for (size_t i = 0; i < n; i++) {
        dataset->file_bytes[i] = ss_dataset_stored_bytes(dataset, i);
        if (dataset->file_bytes[i] == 0 ||
            !ss__add_u64(dataset->n_bytes, dataset->file_bytes[i], &dataset->n_bytes)) {
            ss__free(dataset->file_bytes);
            dataset->file_bytes = NULL;
            dataset->n_bytes = 0;
            break;
        }
    }
    return SS_OK;
}

uint64_t ss_dataset_bytes(const ss_dataset *dataset)
{
    return dataset->n_bytes;
}

/* A file may be opened again from its start, but progress never falls. */
uint64_t ss_dataset_bytes_done(ss_dataset *dataset)
{
    if (dataset->file_bytes == NULL) {
        return 0;
    }
    for (; dataset->n_files_done < dataset->current; dataset->n_files_done++) {
        dataset->n_bytes_done += dataset->file_bytes[dataset->n_files_done];
    }
    const uint64_t at = dataset->is_open ? ss_source_stream_position(&dataset->stream) : 0;
    const uint64_t now = ss__min_u64(dataset->n_bytes_done + at, dataset->n_bytes);
    dataset->n_bytes_told = now > dataset->n_bytes_told ? now : dataset->n_bytes_told;
    return dataset->n_bytes_told;
}
