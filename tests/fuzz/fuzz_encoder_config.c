/* config.json of an encoder, of every architecture; where it is sound and small, the tables of
 * its rotary positions too. */
#include "base/mem.h"
#include "encoder/encoder_priv.h"
#include "fuzz_folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { MOST_POSITIONS = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct ss_encoder_config config;
    float *turns[SS_ENCODER_N_LAYER_KINDS] = {NULL};
    char path[FUZZ_PATH_BYTES];
    ss_err err;
    fuzz_put("config.json", data, n_bytes);
    const struct ss_encoder_config_source source = {.path = fuzz_path("config.json", path)};
    if (ss_encoder_config_read(&source, &config, &err) == SS_OK && config.body.has_rotary &&
        config.n_positions <= MOST_POSITIONS) {
        (void)!ss_encoder_rope_make(&config, turns, &err);
    }
    for (size_t i = 0; i < SS_ENCODER_N_LAYER_KINDS; i++) {
        ss__free(turns[i]);
    }
    return 0;
}
