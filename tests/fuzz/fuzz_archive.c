/* Any bytes as an archive of a dataset's files: the first decides which kind, and what follows
 * may be a tar without checksums, which are put right here. All rows are read whole. */
#include <string.h>

#include "base/mem.h"
#include "dataset/dataset.h"
#include "fuzz_folder.h"
#include "fuzz_tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MAX_ROWS = 1000 };

static void read_rows(const char *path)
{
    ss_dataset *dataset = NULL;
    struct ss_text json;
    bool has_row = true;
    ss_err err;
    if (ss_dataset_open_rows(&path, 1, NULL, &dataset, &err) == SS_OK) {
        for (size_t i = 0; i < MAX_ROWS && has_row; i++) {
            if (ss_dataset_next_json(dataset, &json, &has_row, &err) != SS_OK) {
                break;
            }
        }
    }
    ss_dataset_close(dataset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = {"a.tar", "a.zip"};
    char path[FUZZ_PATH_BYTES];
    const size_t kind = n > 0 ? data[0] == 'P' : 0;
    uint8_t *copy = ss__alloc(n, 1);
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, data, n);
    if (kind == 0) {
        put_sums(copy, n);
    }
    fuzz_put(names[kind], copy, n);
    read_rows(fuzz_path(names[kind], path));
    fuzz_drop(names[kind]);
    ss__free(copy);
    return 0;
}
