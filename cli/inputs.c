/* What analyze and encode share: which inputs go together, and opening them in an order that
 * finds a wrong SAE before a large model is read. */
#include <string.h>

#include "cli.h"

int cli_check_inputs(const struct cli_command *command, const struct cli_values *values)
{
    const bool has_embeddings = cli_given(values, OPT_EMBEDDINGS);
    if (has_embeddings == cli_given(values, OPT_MODEL)) {
        return cli_usage_error(command, has_embeddings
                                            ? "--embeddings and --model exclude each other"
                                            : "--model MODEL is needed, or --embeddings PATH");
    }
    if (!has_embeddings && values->n_list == 0) {
        return cli_usage_error(command, "--dataset PATH is needed");
    }
    if (values->n_list == 0 &&
        (cli_given(values, OPT_WHERE) || cli_given(values, OPT_SAMPLE))) {
        return cli_usage_error(command, "--where and --sample choose rows of --dataset PATH, "
                                        "which is not given");
    }
    if (has_embeddings && cli_command_use(command, OPT_SAE) != NULL &&
        !cli_given(values, OPT_SAE)) {
        return cli_usage_error(command,
                               "--sae SAE is needed with --embeddings, which do not tell their "
                               "encoder; for those of all-MiniLM-L6-v2 one is built in: --sae "
                               "embedded:all-MiniLM-L6-v2");
    }
    if (has_embeddings && cli_given(values, OPT_SAVE_EMBEDDINGS)) {
        return cli_usage_error(command,
                               "--save-embeddings and --embeddings exclude each other");
    }
    if (cli_given(values, OPT_SAVE_EMBEDDINGS) &&
        strcmp(values->text[OPT_SAVE_EMBEDDINGS], "-") == 0) {
        return cli_usage_error(command, "--save-embeddings needs the name of a file, since "
                                        "standard output has the summary");
    }
    return CLI_OK;
}

ss_status cli_open_inputs(const struct cli_values *values, struct cli_inputs *in, ss_err *err)
{
    const struct ss_encoder_options encoder = cli_encoder_options(values);
    const struct ss_sae_options sae = cli_sae_options(values);
    const bool has_sae = cli_given(values, OPT_SAE);
    ss_status status =
        has_sae ? cli_open_sae(values, values->text[OPT_SAE], sae, &in->sae, err) : SS_OK;
    if (status == SS_OK && cli_given(values, OPT_EMBEDDINGS)) {
        const struct ss_embeddings_options embeddings = cli_embeddings_options(values);
        status =
            ss_embeddings_open(values->text[OPT_EMBEDDINGS], &embeddings, &in->embeddings, err);
    }
    if (status == SS_OK && values->n_list > 0) {
        status = cli_open_dataset(values, &in->dataset, err);
    }
    if (status == SS_OK && cli_given(values, OPT_MODEL)) {
        status = cli_open_encoder(values, encoder, &in->encoder, err);
    }
    if (status == SS_OK && !has_sae) {
        status = ss_sae_open_embedded(in->encoder, &sae, &in->sae, err);
    }
    return status;
}

void cli_close_inputs(struct cli_inputs *in)
{
    ss_dataset_close(in->dataset);
    ss_embeddings_free(in->embeddings);
    ss_sae_free(in->sae);
    ss_encoder_free(in->encoder);
}
