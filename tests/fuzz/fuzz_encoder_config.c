/* config.json of an encoder, of every architecture; where it is sound and small, the tables of
 * its rotary positions too. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "encoder/encoder_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

enum { MOST_POSITIONS = 1000 };

static char path[] = "/tmp/saescope-fuzz-XXXXXX";

static void remove_file(void)
{
    unlink(path);
}

static FILE *open_file(void)
{
    static int fd = -1;
    if (fd < 0) {
        fd = mkstemp(path);
        close(fd);
        atexit(remove_file);
    }
    return fopen(path, "wb"); /* not the library's writing: no flush to disk wanted */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct ss__encoder_config config;
    float *turns[SS__N_LAYER_KINDS] = {NULL};
    ss_err err;
    FILE *file = open_file();
    if (file == NULL) {
        return 0;
    }
    fwrite(data, 1, n_bytes, file);
    fclose(file);
    if (ss__encoder_config_read(path, &config, &err) == SS_OK && config.body.has_rotary &&
        config.n_positions <= MOST_POSITIONS) {
        (void)!ss__rope_make(&config, turns, &err);
    }
    for (size_t i = 0; i < SS__N_LAYER_KINDS; i++) {
        ss__free(turns[i]);
    }
    return 0;
}
