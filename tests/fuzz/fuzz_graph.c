/* What families and maps leave in a run folder, read back: the first byte says whether the others
 * are families.json, coactivation.npz, or map.csv and behind a 0x1E byte clusters.json. What is
 * accepted is walked. */
#include <string.h>

#include "folder/coactivation_file.h"
#include "folder/families_file.h"
#include "folder/results.h"
#include "fuzz_folder.h"
#include "web/pages_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { N_FEATURES = 24 };
static volatile uint64_t sink; /* so that what is walked is read */

/* Up from every feature, which ends where there are no circles. */
static void walk_families(const ss_families *families)
{
    for (size_t f = 0; f < N_FEATURES; f++) {
        struct ss_family_parent parent = {.struct_size = sizeof parent};
        for (size_t at = f, n = 0;; at = parent.parent, n++) {
            if (ss_families_parent(families, at, &parent) != SS_OK) {
                break;
            }
            if (n > N_FEATURES) {
                abort();
            }
        }
    }
    for (size_t i = 0; i < ss_families_n(families); i++) {
        struct ss_family family = {.struct_size = sizeof family};
        if (ss_families_get(families, i, &family) != SS_OK || family.n_members == 0) {
            abort();
        }
        for (size_t j = 0; j < family.n_members; j++) {
            if (family.members[j] >= N_FEATURES) {
                abort();
            }
        }
    }
}

static void read_families(const uint8_t *data, size_t n_bytes)
{
    char path[FUZZ_PATH_BYTES];
    ss_err err;
    ss_families *families = NULL;
    fuzz_put(SS_FOLDER_FILE_FAMILIES, data, n_bytes);
    if (ss_folder_families_read(fuzz_path(SS_FOLDER_FILE_FAMILIES, path), N_FEATURES, &families,
                                &err) == SS_OK) {
        walk_families(families);
    }
    ss_families_free(families);
}

static void read_coactivation(const uint8_t *data, size_t n_bytes)
{
    struct ss_folder_coactivation file = {0};
    ss_err err;
    fuzz_put(SS_FOLDER_FILE_COACTIVATION, data, n_bytes);
    if (ss_folder_coactivation_open(fuzz_folder(), N_FEATURES, &file, &err) == SS_OK) {
        uint64_t sum = 0;
        for (size_t i = 0; i < file.table.offsets[N_FEATURES]; i++) {
            sum += file.table.counts[i] + file.table.scores[i];
            sum += file.table.products[i] + file.table.score_products[i];
            if (file.table.others[i] >= N_FEATURES) {
                abort();
            }
        }
        for (size_t a = 0; a < N_FEATURES; a++) {
            sum += ss_graph_find(&file.table, a, N_FEATURES - 1);
        }
        sink = sum;
    }
    ss_folder_coactivation_release(&file);
}

static void read_map(const uint8_t *data, size_t n_bytes)
{
    const uint8_t *end = n_bytes == 0 ? NULL : memchr(data, 0x1E, n_bytes);
    const size_t n = end == NULL ? n_bytes : (size_t)(end - data);
    struct ss_run *run = calloc(1, sizeof *run);
    struct ss_web_texts texts = {0};
    struct ss_web_map *map = NULL;
    ss_err err;
    run->info.n_features = N_FEATURES;
    fuzz_put("map.csv", data, n);
    fuzz_drop("clusters.json");
    if (end != NULL) {
        fuzz_put("clusters.json", end + 1, n_bytes - n - 1);
    }
    const struct ss_web_source source = {.folder = fuzz_folder(), .run = run};
    if (ss_web_map_new(&source, &(struct ss_web_level){0}, &texts, &map, &err) == SS_OK) {
        ss_web_map_free(map);
    }
    ss_web_texts_release(&texts);
    free(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static void (*const readers[])(const uint8_t *, size_t) = {read_families, read_coactivation,
                                                               read_map};
    if (n_bytes > 0) {
        readers[data[0] % 3](data + 1, n_bytes - 1);
    }
    return 0;
}
