/* The files of a run folder: run.json, features.csv and top_activations.json, split at the
 * first two 0x1E bytes, with the numbers that run.json gives to the others, or small ones. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "folder/manifest_read.h"
#include "fuzz_folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static const char *const names[] = {SS_FOLDER_FILE_MANIFEST, SS_FOLDER_FILE_FEATURES,
                                    SS_FOLDER_FILE_TOP};

static void put_parts(const uint8_t *data, size_t n_bytes)
{
    for (size_t i = 0; i < 3; i++) {
        const uint8_t *end = i < 2 && n_bytes > 0 ? memchr(data, 0x1E, n_bytes) : NULL;
        const size_t n = end == NULL ? n_bytes : (size_t)(end - data);
        fuzz_put(names[i], data, n);
        data += end == NULL ? n : n + 1;
        n_bytes -= end == NULL ? n : n + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    char path[FUZZ_PATH_BYTES];
    ss_err err;
    put_parts(data, n_bytes);
    ss_run *run = ss__alloc(1, sizeof *run);
    if (ss_folder_manifest_read(run, fuzz_folder(), false, NULL, &err) != SS_OK) {
        run->info.n_features = n_bytes % 3 + 1;
        run->info.n_rows_used = 100;
        run->info.top_k = 10;
    }
    if (ss_folder_features_csv_read(run, fuzz_path(SS_FOLDER_FILE_FEATURES, path), &err) !=
        SS_OK) {
        run->info.n_features = n_bytes % 3 + 1;
        ss__free(run->features);
        run->features = ss__alloc(run->info.n_features, sizeof *run->features);
        for (size_t f = 0; f < run->info.n_features; f++) {
            run->features[f] = (struct ss_feature){
                .struct_size = sizeof(struct ss_feature), .n_fires = 10, .max_activation = 1};
        }
    }
    (void)!ss_folder_top_json_read(run, fuzz_path(SS_FOLDER_FILE_TOP, path), &err);
    ss_run_free(run);
    return 0;
}
