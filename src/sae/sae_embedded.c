/* The table of SAEs in the library; sae_embedded_files.S has their bytes. */
#include "sae/sae_embedded.h"

extern const char ss_sae_minilm_config[], ss_sae_minilm_config_end[];
extern const char ss_sae_minilm_weights[], ss_sae_minilm_weights_end[];

const struct ss_sae_embedded ss_sae_embedded[] = {
    {"all-MiniLM-L6-v2",
     {{"config.json", ss_sae_minilm_config, ss_sae_minilm_config_end},
      {"sae.safetensors", ss_sae_minilm_weights, ss_sae_minilm_weights_end}}},
};
const size_t ss_sae_n_embedded = sizeof ss_sae_embedded / sizeof ss_sae_embedded[0];
