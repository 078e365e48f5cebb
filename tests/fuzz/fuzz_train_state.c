/* Any bytes as the state of a training: the hash at their end is made right first, so that what
 * is behind it is reached. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "train/train.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static const struct ss_train_config config = {.kind = SS_TRAIN_JUMPRELU,
                                                  .width = 2,
                                                  .n_features = 3,
                                                  .batch_rows = 2,
                                                  .seed = 1,
                                                  .n_steps = 100,
                                                  .lr = 1e-3,
                                                  .beta1 = 0.9,
                                                  .beta2 = 0.999,
                                                  .eps = 1e-8,
                                                  .max_grad_norm = 1e5,
                                                  .bandwidth = 0.1,
                                                  .threshold_init = 1};
    struct ss_trainer *trainer = NULL;
    struct ss_train_progress progress = {.identity = {"i", 1}};
    ss_err err = {0};
    char *bytes = malloc(n_bytes + SS__SHA256_BYTES);
    if (bytes == NULL || ss_train_new(&config, &trainer, &err) != SS_OK) {
        free(bytes);
        return 0;
    }
    memcpy(bytes, data, n_bytes);
    ss__sha256_of((struct ss_text){bytes, n_bytes}, (struct ss_text){0},
                  (uint8_t *)bytes + n_bytes);
    (void)ss_train_restore(
        trainer, "state", (struct ss_text){bytes, n_bytes + SS__SHA256_BYTES}, &progress, &err);
    ss_train_free(trainer);
    free(bytes);
    return 0;
}
