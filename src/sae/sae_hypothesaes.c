/* HypotheSAEs, one file SAE_M=M_K=K….pt with
 *
 *   config      {input_dim, m_total_neurons, k_active_neurons, use_batch_topk, ...}
 *   state_dict  encoder.weight [L, D], decoder.weight [D, L], input_bias [D], neuron_bias [L],
 *               threshold []
 *
 * Reference: the forward method of HypotheSAEs 2.0: the k largest, then relu; with
 * use_batch_topk what is above the threshold. Prefix lengths matter to training only. */
#include "sae/sae_format.h"

static const struct ss_sae_names names = {.encoder = "encoder.weight",
                                          .encoder_layout = SS_TENSOR_OUT_BY_IN,
                                          .decoder = "decoder.weight",
                                          .decoder_layout = SS_TENSOR_OUT_BY_IN,
                                          .bias = "neuron_bias",
                                          .decoder_bias = "input_bias"};
static const struct ss_sae_labels labels = {.encoder = "encoder.weight^T",
                                            .decoder = "decoder.weight^T",
                                            .subtracted = "input_bias",
                                            .bias = "neuron_bias",
                                            .threshold = "threshold"};

static const struct ss_sae_form forms[] = {
    {.variant = "topk",
     .kind = SS_SAE_TOPK,
     .names = &names,
     .labels = &labels,
     .subtracts_bias = true,
     .adds_bias = true},
    {.variant = "batch_topk",
     .kind = SS_SAE_BATCHTOPK,
     .names = &names,
     .labels = &labels,
     .subtracts_bias = true,
     .adds_bias = true,
     .threshold_form = SS_SAE_THRESHOLD_ALL,
     .threshold = "threshold"},
};

/* The config lies in the torch file, beside the state dict. Where only the state dict was
 * saved, the names of its biases are this project's own; reading then says that the config is
 * missing. */
static bool claims_tensors(const struct ss_sae_checkpoint *from)
{
    return ss_sae_has_value(from, "config/m_total_neurons") ||
           (ss_sae_has_tensor(from, "input_bias") && ss_sae_has_tensor(from, "neuron_bias"));
}

static const char *const tensors[] = {"encoder.weight", "decoder.weight", "input_bias",
                                      "neuron_bias",    "threshold",      NULL};

static const char *const read_keys[] = {"input_dim", "m_total_neurons", "k_active_neurons",
                                        "use_batch_topk", NULL};
static const char *const unused_keys[] = {
    "aux_k", "multi_k", "dead_neuron_threshold_steps", "prefix_lengths", "device", NULL};
static const struct ss_sae_keys keys = {.read = read_keys, .unused = unused_keys};

static ss_status hypothesaes_read(struct ss_sae_parts *sae, struct ss_sae_checkpoint *from,
                                  ss_err *err)
{
    bool is_batch = false;
    SS_RETURN_IF_ERROR(
        ss_sae_checkpoint_open_weights(from, NULL, "a file SAE_M=M_K=K.pt", err));
    SS_RETURN_IF_ERROR(
        ss_sae_value_size(from, "config/input_dim", &sae->parameters.width, err));
    SS_RETURN_IF_ERROR(
        ss_sae_value_size(from, "config/m_total_neurons", &sae->parameters.n_features, err));
    SS_RETURN_IF_ERROR(
        ss_sae_value_size(from, "config/k_active_neurons", &sae->rule.top_k, err));
    SS_RETURN_IF_ERROR(
        ss_sae_check_top_k(sae, ss_weights_path(from->weights), "k_active_neurons", err));
    SS_RETURN_IF_ERROR(ss_sae_value_bool(from, "config/use_batch_topk", &is_batch, err));
    SS_RETURN_IF_ERROR(ss_sae_check_values(from, "config/", &keys, err));
    SS_RETURN_IF_ERROR(ss_sae_set_model_name(sae, NULL, "", err));
    SS_RETURN_IF_ERROR(ss_sae_read_form(sae, from, &forms[is_batch], err));
    return ss_sae_add_files(&sae->provenance, from, NULL, NULL, err);
}

const struct ss_sae_format ss_sae_hypothesaes_format = {
    .name = "hypothesaes",
    .files = "a file SAE_M=M_K=K.pt",
    .claims_tensors = claims_tensors,
    .read = hypothesaes_read,
    .tensors = tensors,
};
