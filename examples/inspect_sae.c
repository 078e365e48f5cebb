/* Say what a sparse autoencoder is and how it is read:
 *     inspect_sae SAE */
#include <stdio.h>

#include <saescope.h>

int main(int n, char **words)
{
    ss_sae *sae = NULL;
    struct ss_sae_info info = {.struct_size = sizeof info};
    ss_err err;
    if (n != 2) {
        fprintf(stderr, "usage: inspect_sae SAE\n");
        return 64;
    }
    /* A batch-top-k SAE has no row-wise rule of its own, so one is chosen here. */
    const struct ss_sae_options options = {.struct_size = sizeof options,
                                           .batchtopk_rule = SS_BATCHTOPK_ROW_TOPK};
    const ss_status status = ss_sae_open(words[1], &options, &sae, &err);
    if (status != SS_OK) {
        fprintf(stderr, "%s\n", err.message);
        return ss_status_exit_code(status);
    }
    ss_sae_describe(sae, &info);
    printf("%s SAE with %zu features over %zu-wide embeddings, stored as %s\n", info.kind,
           info.n_features, info.width, info.dtype);
    printf("rule: %s\n", info.rule);
    printf("encoder: %s\n", info.model_name[0] != '\0' ? info.model_name : "not named");
    ss_sae_free(sae);
    return 0;
}
