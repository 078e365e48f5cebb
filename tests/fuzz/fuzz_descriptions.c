/* descriptions.json, and what is told of it. */
#include "base/mem.h"
#include "folder/descriptions.h"
#include "fuzz_folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    ss_descriptions *descriptions = NULL;
    struct ss_description description = {.struct_size = sizeof description};
    size_t best[5], n = 0;
    ss_err err;
    fuzz_put(SS_FOLDER_FILE_DESCRIPTIONS, data, n_bytes);
    if (ss_descriptions_open(fuzz_folder(), &descriptions, &err) == SS_OK) {
        for (size_t f = 0; f < ss_descriptions_n_features(descriptions); f++) {
            (void)ss_descriptions_get(descriptions, f, &description);
        }
        (void)!ss_descriptions_sharpest(descriptions, 5, best, &n, &err);
    }
    ss_descriptions_free(descriptions);
    return 0;
}
