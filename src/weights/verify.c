/* Reading every byte of an open container: a file that can not be read to its end shows here,
 * and archives are summed again. Opening has checked all else already. */
#include <zlib.h>

#include "base/mem.h"
#include "source/source.h"
#include "weights/weights_priv.h"

enum { STEP_BYTES = 16 << 20 };

static ss_status verify_file(const struct ss_weights *self, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_source_zip zip = {0};
    if (ss_source_zip_matches(&self->source)) {
        SS_TRY(ss_source_zip_read(&self->source, &zip, err));
        SS_TRY(ss_source_zip_check_all(&zip, err));
    } else {
        /* The sum itself says nothing; computing it touches all bytes. */
        for (size_t at = 0; at < self->source.n_bytes; at += STEP_BYTES) {
            (void)crc32_z(0, self->source.data + at,
                          ss__min_size(STEP_BYTES, self->source.n_bytes - at));
            SS_TRY(ss__check_stop(self->source.asking, err));
        }
    }
    SS_TRY(ss__map_check(&self->map, self->path, err));
out:
    ss_source_zip_release(&zip);
    return status;
}

ss_status ss_weights_verify(const struct ss_weights *weights, ss_err *err)
{
    if (weights->n_shards == 0) {
        return verify_file(weights, err);
    }
    for (size_t i = 0; i < weights->n_shards; i++) {
        const ss_status status = verify_file(weights->shards[i], err);
        if (status != SS_OK) {
            return status;
        }
    }
    return SS_OK;
}
