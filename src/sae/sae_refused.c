/* Formats that are known and not read: each is recognised, so that the message says what it is
 * and why, instead of guessing its rule. Their markers must not match a format that is read,
 * since a claim by two is an error (sae.c). What each one stores: docs/spec/sae-formats.md, §2
 * and §3. */
#include <string.h>

#include "sae/sae_format.h"

/* An epoch, a state dict and optimiser beside each other, with the tensors of a tied SAE.
 * Openai's SAEs have the first three tensors as well, and one of the two that are excluded. */
static bool is_csr_training(const struct ss_sae_checkpoint *from)
{
    return ss_sae_has_tensor(from, "pre_bias") && ss_sae_has_tensor(from, "latent_bias") &&
           ss_sae_has_tensor(from, "stats_last_nonzero") &&
           !ss_sae_has_tensor(from, "latents_mean_square") &&
           !ss_sae_has_value(from, "activation");
}

static bool is_prismadb(const struct ss_sae_checkpoint *from)
{
    return from->weights != NULL && (ss_weights_find(from->weights, "zscore_mean") != NULL ||
                                     ss_sae_has_tensor(from, "epoch_on_count"));
}

/* Two linear layers, of which only the encoder's bias has another name than elsewhere: every
 * name by which another format would be told is excluded. */
static bool is_encoder_sae(const struct ss_sae_checkpoint *from)
{
    return strncmp(from->prefix, "model_state_dict/", 17) == 0 &&
           !ss_sae_has_tensor(from, "b_dec") && !ss_sae_has_tensor(from, "bias") &&
           ss_sae_has_tensor(from, "encoder.weight") &&
           ss_sae_has_tensor(from, "decoder.weight") &&
           !ss_sae_has_tensor(from, "encoder.bias") &&
           !ss_sae_has_tensor(from, "latent_bias") && !ss_sae_has_tensor(from, "neuron_bias") &&
           !ss_sae_has_tensor(from, "gate_bias");
}

static bool is_lightning(const struct ss_sae_checkpoint *from)
{
    return ss_sae_has_value(from, "pytorch-lightning_version");
}

static bool is_goodfire(const struct ss_sae_checkpoint *from)
{
    return ss_sae_has_tensor(from, "encoder_linear.weight") &&
           ss_sae_has_tensor(from, "decoder_linear.weight");
}

static bool is_llama_scope(const struct ss_sae_checkpoint *from)
{
    return ss_sae_has_tensor(from, "jump_relu_threshold") ||
           ss_sae_has_tensor(from, "log_jumprelu_threshold");
}

static bool is_llama_scope_folder(const struct ss_sae_checkpoint *from)
{
    return ss_sae_checkpoint_has_file(from, "hyperparams.json") &&
           ss_sae_checkpoint_has_file(from, "final.safetensors");
}

const struct ss_sae_format ss_sae_refused_formats[] = {
    {.name = "CSR_Adaptive_Rep",
     .claims_tensors = is_csr_training,
     .refusal = "its training checkpoint stores neither k nor whether inputs are normalised; "
                "save it as a SparseAutoEncoder of sentence-transformers"},
    {.name = "prismadb",
     .claims_tensors = is_prismadb,
     .refusal = "its inputs are scaled per dimension by the statistics of a training set"},
    {.name = "EncoderSAE",
     .claims_tensors = is_encoder_sae,
     .refusal = "its checkpoint does not store k"},
    {.name = "Lightning",
     .claims_tensors = is_lightning,
     .refusal = "a training checkpoint of PyTorch Lightning does not say how its tensors are "
                "used; save the SAE alone"},
    {.name = "Goodfire",
     .claims_tensors = is_goodfire,
     .refusal = "its SAEs read the hidden states of a language model, not sentence embeddings"},
    {.name = "Llama Scope",
     .claims_config = is_llama_scope_folder,
     .claims_tensors = is_llama_scope,
     .refusal = "its SAEs read the hidden states of a language model, scaled by the statistics "
                "of a dataset that are not in the weights"},
};
const size_t ss_sae_n_refused_formats =
    sizeof ss_sae_refused_formats / sizeof ss_sae_refused_formats[0];
