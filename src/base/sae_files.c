/* Names of weights of SAEs. A format that keeps them under another name is found by its documents
 * alone (sae/sae.c). */
#include "base/sae_files.h"

#include <string.h>

const char *const ss__sae_weights_names[] = {
    "sae.pt",     "sae.safetensors",    "ae.pt", "sae_weights.safetensors",
    "params.npz", "params.safetensors", NULL};

bool ss__is_sae_weights(const char *name)
{
    for (size_t i = 0; ss__sae_weights_names[i] != NULL; i++) {
        if (strcmp(name, ss__sae_weights_names[i]) == 0) {
            return true;
        }
    }
    return false;
}
