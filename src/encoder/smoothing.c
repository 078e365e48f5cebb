/* Activation-aware smoothing of a model before int8 quantisation (as SmoothQuant does). A few
 * channels of a model's hidden states are far larger than the others, whatever the text. With
 * one scale per row they use up the row's 8 bits, and the other channels are rounded coarsely.
 * So a channel's values are divided by a factor and the weights that they meet multiplied by it
 * (ss_tensor_matrix_smooth).
 *
 * Which channels are large cannot be read off the weights. The root mean square of every
 * channel is therefore measured once, on a few fixed texts and on tokens from the whole
 * vocabulary. They are the same for all users, so that an embedding depends on the model and
 * its own text only. What this does to the error of `low`: docs/numerics.md, "Levels of
 * precision". */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "encoder/encoder_priv.h"

enum { N_WORDS = 32 };

static const char *const sentences[] = {
    "The house stood at the end of a quiet street, and every morning the baker's children ran "
    "past it on their way to school.",
    "In 2019 the company reported revenue of $4.2 million (up 13%), mostly from sales in "
    "Europe "
    "and Asia; its board will meet again in March.",
    "How do I install the new version? First remove the old files, then run the setup program "
    "and restart your computer!",
    "We measure the temperature of a gas with two methods and show that the results agree "
    "within the errors of the experiment.",
};

/* One more text: ids at equal distances over the whole vocabulary. */
static ss_status add_words(const ss_encoder *encoder, struct ss_tokenizer_tokens *tokens,
                           ss_err *err)
{
    const size_t n_vocab =
        ss__min_size(ss_tokenizer_n_vocab(encoder->tokenizer), encoder->config.n_vocab);
    const size_t n = ss__min_size(N_WORDS, encoder->max_tokens);
    const size_t begin = ss_tokenizer_tokens_n_ids(tokens);
    SS_GROW_OR_RETURN(tokens->ids, tokens->ids_capacity, begin + n);
    SS_GROW_OR_RETURN(tokens->offsets, tokens->offsets_capacity, tokens->n_texts + 2);
    for (size_t i = 0; i < n; i++) {
        tokens->ids[begin + i] = (int32_t)(n_vocab * i / n);
    }
    tokens->n_texts++;
    tokens->offsets[tokens->n_texts] = begin + n;
    return SS_OK;
}

/* Sentences of four kinds of English texts, and words of whatever language the vocabulary is
 * of. */
static ss_status make_tokens(const ss_encoder *encoder, ss_work *work,
                             struct ss_tokenizer_tokens *tokens, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_tokenizer_token_scratch *scratch = NULL;
    SS_TRY(ss_encoder_scratch(work, &scratch, err));
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++) {
        const struct ss_text text = {sentences[i], strlen(sentences[i])};
        SS_TRY(ss_tokenizer_tokenize(encoder->tokenizer, scratch, text, encoder->max_tokens,
                                     tokens, err));
    }
    SS_TRY(add_words(encoder, tokens, err));
    for (size_t i = 0; i < ss_tokenizer_tokens_n_ids(tokens);
         i++) { /* some tokens may have no row */
        tokens->ids[i] = tokens->ids[i] < (int32_t)encoder->config.n_vocab ? tokens->ids[i] : 0;
    }
out:
    ss_encoder_scratch_end(work, status);
    return status;
}

/* Root mean squares of the layers' inputs, channel by channel. */
static ss_status measure(const ss_encoder *encoder, const struct ss_tokenizer_tokens *tokens,
                         ss_work *work, float *input_rms, size_t n_rms, ss_err *err)
{
    float *hidden = NULL;
    const struct ss_encoder_batch batch = {.ids = tokens->ids,
                                           .offsets = tokens->offsets,
                                           .n_sequences = tokens->n_texts,
                                           .squares = input_rms};
    SS_RETURN_IF_ERROR(ss_encoder_transformer_run(encoder, work, &batch, &hidden, err));
    for (size_t i = 0; i < n_rms; i++) {
        input_rms[i] = sqrtf(input_rms[i] / (float)ss_tokenizer_tokens_n_ids(tokens));
    }
    return SS_OK;
}

/* Measured with the layers as they are packed first, without factors: their errors are small
 * against what tells one channel from another. */
ss_status ss_encoder_smooth(ss_encoder *encoder, struct ss_encoder_binder *binder,
                            ss_work *work, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_encoder_config *config = &encoder->config;
    const size_t n_rms = config->n_layers * SS_ENCODER_N_MEASURED_INPUTS * config->width;
    struct ss_tokenizer_tokens tokens = {0};
    float *input_rms = NULL;
    if (!ss_tensor_precision_uses_smoothing(config->precision)) {
        return SS_OK;
    }
    SS_ALLOC(input_rms, n_rms);
    SS_TRY(make_tokens(encoder, work, &tokens, err));
    SS_TRY(measure(encoder, &tokens, work, input_rms, n_rms, err));
    SS_TRY(ss_encoder_layers_smooth(&encoder->transformer, config, binder, input_rms, err));
out:
    ss_tokenizer_tokens_release(&tokens);
    ss__free(input_rms);
    return status;
}
