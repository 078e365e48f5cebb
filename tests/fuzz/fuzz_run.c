/* The files of a run folder: run.json, features.csv and top_activations.json, split at the
 * first two 0x1E bytes, with the numbers that run.json gives to the others, or small ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "run/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static char folder[] = "/tmp/saescope-fuzz-XXXXXX";
static char paths[3][64];

static void remove_folder(void)
{
    for (size_t i = 0; i < 3; i++) {
        unlink(paths[i]);
    }
    rmdir(folder);
}

static void make_folder(void)
{
    static const char *const names[] = {SS__FILE_MANIFEST, SS__FILE_FEATURES, SS__FILE_TOP};
    if (paths[0][0] == '\0' && mkdtemp(folder) != NULL) {
        for (size_t i = 0; i < 3; i++) {
            snprintf(paths[i], sizeof paths[i], "%s/%s", folder, names[i]);
        }
        atexit(remove_folder);
    }
}

static void put(const char *path, const void *data, size_t n_bytes)
{
    FILE *file = fopen(path, "wb"); /* not the library's writing: no flush to disk wanted */
    if (file != NULL) {
        fwrite(data, 1, n_bytes, file);
        fclose(file);
    }
}

static void put_parts(const uint8_t *data, size_t n_bytes)
{
    for (size_t i = 0; i < 3; i++) {
        const uint8_t *end = i < 2 && n_bytes > 0 ? memchr(data, 0x1E, n_bytes) : NULL;
        const size_t n = end == NULL ? n_bytes : (size_t)(end - data);
        put(paths[i], data, n);
        data += end == NULL ? n : n + 1;
        n_bytes -= end == NULL ? n : n + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    ss_err err;
    make_folder();
    put_parts(data, n_bytes);
    ss_run *run = ss__alloc(1, sizeof *run);
    if (ss__manifest_read(run, folder, false, &err) != SS_OK) {
        run->info.n_features = n_bytes % 3 + 1;
        run->info.n_rows_used = 100;
        run->info.top_k = 10;
    }
    if (ss__features_csv_read(run, paths[1], &err) != SS_OK) {
        run->info.n_features = n_bytes % 3 + 1;
        ss__free(run->features);
        run->features = ss__alloc(run->info.n_features, sizeof *run->features);
        for (size_t f = 0; f < run->info.n_features; f++) {
            run->features[f] = (struct ss_feature){.n_fires = 10, .max_activation = 1};
        }
    }
    (void)!ss__top_json_read(run, paths[2], &err);
    ss_run_free(run);
    return 0;
}
