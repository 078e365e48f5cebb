/* Fuzz target: a place for an SAE, then rows through it. The input is split at the first two
 * 0x1E bytes: cfg.json, config.json, weights. The weights' name, a folder or the file itself,
 * and a k are chosen by the size of the input. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz_folder.h"
#include "sae/sae.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static const char *const names[] = {
    "sae_weights.safetensors", "sae.safetensors", "ae.pt", "sae.pt",
    "model.safetensors",       "4_32_x.pth"};
enum { N_NAMES = sizeof names / sizeof names[0], MOST_WIDTH = 4096, N_ROWS = 3 };

static ss_work *work;

/* No file where there is nothing. */
static void put(const char *name, const void *data, size_t n_bytes)
{
    if (n_bytes > 0) {
        fuzz_put(name, data, n_bytes);
    }
}

static void drop_all(void)
{
    for (size_t i = 0; i < N_NAMES; i++) {
        fuzz_drop(names[i]);
    }
    fuzz_drop("cfg.json");
    fuzz_drop("config.json");
}

static void begin(void)
{
    if (work == NULL && ss_work_new(1, &work, NULL) != SS_OK) {
        abort();
    }
}

/* Rows through an SAE: features rise within a row, activations are above 0. */
static void check(const ss_sae *sae)
{
    static float x[N_ROWS * MOST_WIDTH];
    struct ss_sae_info info = {.struct_size = sizeof info};
    struct ss_sparse rows = {0};
    ss_sae_describe(sae, &info);
    for (size_t i = 0; i < N_ROWS * MOST_WIDTH; i++) {
        x[i] = (float)((i * 2654435761U) % 2001) / 1000 - 1;
    }
    if (info.rule == NULL || info.width == 0 || info.n_features == 0) {
        abort();
    }
    if (info.width <= MOST_WIDTH && ss_sae_encode(sae, work, x, N_ROWS, &rows, NULL) == SS_OK) {
        for (size_t r = 0; r < N_ROWS; r++) {
            for (size_t i = rows.offsets[r]; i < rows.offsets[r + 1]; i++) {
                if (rows.features[i] >= info.n_features || !(rows.values[i] > 0) ||
                    (i > rows.offsets[r] && rows.features[i] <= rows.features[i - 1])) {
                    abort();
                }
            }
        }
    }
    ss_sparse_release(&rows);
}

/* The part before the next 0x1E byte, which is taken away from the data. */
static size_t take(const uint8_t **data, size_t *n_bytes, const uint8_t **part)
{
    const uint8_t *end = *n_bytes == 0 ? NULL : memchr(*data, 0x1E, *n_bytes);
    const size_t n = end == NULL ? *n_bytes : (size_t)(end - *data);
    const size_t n_taken = end == NULL ? n : n + 1;
    *part = *data;
    *data += n_taken;
    *n_bytes -= n_taken;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    char path[FUZZ_PATH_BYTES];
    const uint8_t *part = NULL;
    ss_sae *sae = NULL;
    ss_err err;
    const char *name = names[n_bytes % N_NAMES];
    const struct ss_sae_options options = {
        .struct_size = sizeof options,
        .top_k = n_bytes % 5 == 0 ? 3 : 0,
        .batchtopk_rule = n_bytes % 2 == 0 ? SS_BATCHTOPK_ROW_TOPK : SS_BATCHTOPK_REFUSE};
    begin();
    drop_all();
    size_t n = take(&data, &n_bytes, &part);
    put("cfg.json", part, n);
    n = take(&data, &n_bytes, &part);
    put("config.json", part, n);
    put(name, data, n_bytes);
    (void)fuzz_path(name, path);
    for (int is_file = 0; is_file < 2; is_file++) {
        const char *place = is_file ? path : fuzz_folder();
        (void)ss_sae_is_at(place);
        if (ss_sae_open(place, &options, &sae, &err) == SS_OK) {
            check(sae);
        } else if (err.message[0] == '\0') {
            abort();
        }
        ss_sae_free(sae);
        sae = NULL;
    }
    return 0;
}
