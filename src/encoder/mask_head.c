/* The language-model head: logits = decoder(LN(act(dense h))) + bias, then softmax over the
 * whole vocabulary (docs/spec/encoders.md 3). It runs for mask tokens only, a few rows, so that
 * the decoder is read where it lies instead of being packed. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "encoder/encoder_priv.h"

enum { NAME_BYTES = 160, VOCAB_STEP = 512 };

/* "base.end" into name. */
static const char *full_name(char name[NAME_BYTES], const char *base, const char *end)
{
    snprintf(name, NAME_BYTES, "%s.%s", base, end);
    return name;
}

/* Said by name before anything else is bound: many published models have no head. */
static ss_status need_head(const struct ss_encoder_head_names *names,
                           const struct ss_encoder_binder *binder, ss_err *err)
{
    char name[NAME_BYTES];
    if (ss_encoder_binder_has(binder, full_name(name, names->dense, "weight"))) {
        return SS_OK;
    }
    return ss__fail_file(err, ss_weights_path(binder->weights), SS_E_UNSUPPORTED,
                         "the model has no language-model head (no tensor '%s'), so masks "
                         "cannot be filled",
                         name);
}

/* Where neither name is there, ss_encoder_bind_vector names the first as missing. */
static ss_status bind_bias(struct ss_encoder_mask_head *head,
                           const struct ss_encoder_head_names *names, size_t n_vocab,
                           struct ss_encoder_binder *binder, ss_err *err)
{
    const char *name = names->biases[0];
    for (size_t i = 1; names->biases[i] != NULL && !ss_encoder_binder_has(binder, name); i++) {
        if (ss_encoder_binder_has(binder, names->biases[i])) {
            name = names->biases[i];
        }
    }
    return ss_encoder_bind_vector(binder, name, n_vocab, head->bias, err);
}

/* Vectors that the body lacks are zeros. */
static ss_status bind_vectors(struct ss_encoder_mask_head *head,
                              const struct ss_encoder_config *config,
                              const struct ss_encoder_head_names *names,
                              struct ss_encoder_binder *binder, ss_err *err)
{
    const size_t width = config->width;
    const struct {
        const char *base, *end;
        float **vector;
        bool is_there;
    } vectors[] = {
        {names->dense, "bias", &head->dense_bias, config->body.has_head_dense_bias},
        {names->norm, "weight", &head->gain, true},
        {names->norm, "bias", &head->shift, config->body.has_norm_bias},
    };
    const size_t n = sizeof vectors / sizeof vectors[0];
    SS_ALLOC_ALIGNED_OR_RETURN(head->vectors, n * width + config->n_vocab);
    memset(head->vectors, 0, (n * width + config->n_vocab) * sizeof *head->vectors);
    for (size_t i = 0; i < n; i++) {
        char name[NAME_BYTES];
        *vectors[i].vector = head->vectors + i * width;
        if (vectors[i].is_there) {
            SS_RETURN_IF_ERROR(
                ss_encoder_bind_vector(binder, full_name(name, vectors[i].base, vectors[i].end),
                                       width, *vectors[i].vector, err));
        }
    }
    head->bias = head->vectors + n * width;
    if (config->body.has_head_bias) {
        SS_RETURN_IF_ERROR(bind_bias(head, names, config->n_vocab, binder, err));
    }
    return SS_OK;
}

ss_status ss_encoder_mask_head_bind(struct ss_encoder_mask_head *head,
                                    const struct ss_encoder_config *config,
                                    const struct ss_encoder_transformer *transformer,
                                    struct ss_encoder_binder *binder, ss_err *err)
{
    char name[NAME_BYTES];
    const struct ss_encoder_head_names *names = &transformer->names->head;
    const size_t width = config->width;
    const uint64_t shape[2] = {config->n_vocab, width};
    SS_RETURN_IF_ERROR(need_head(names, binder, err));
    head->activation = names->gelu ? SS_TENSOR_ACT_GELU : config->head_activation;
    SS_RETURN_IF_ERROR(ss_encoder_bind_matrix(binder, full_name(name, names->dense, "weight"),
                                              width, width, &head->dense, err));
    SS_RETURN_IF_ERROR(bind_vectors(head, config, names, binder, err));
    return ss_encoder_bind_view(binder,
                                config->ties_head
                                    ? full_name(name, transformer->names->words, "weight")
                                    : names->decoder,
                                2, shape, &head->decoder, &head->decoder_owned, err);
}

void ss_encoder_mask_head_release(struct ss_encoder_mask_head *head)
{
    ss_tensor_matrix_release(&head->dense);
    ss__free(head->vectors);
    ss__free(head->decoder_owned);
    *head = (struct ss_encoder_mask_head){0};
}

struct logit_job {
    const struct ss_encoder_mask_head *head;
    const float *x; /* [n, D] */
    float *out;     /* [n, n_vocab] */
    size_t n, width, n_vocab;
};

/* A part of the vocabulary for all rows: a word's row is read once, for all masks. */
static void logits_of_words(void *context, size_t index, size_t worker)
{
    const struct logit_job *job = context;
    const size_t end = ss__min_size((index + 1) * VOCAB_STEP, job->n_vocab);
    (void)worker;
    for (size_t v = index * VOCAB_STEP; v < end; v++) {
        const float *word = job->head->decoder + v * job->width;
        for (size_t i = 0; i < job->n; i++) {
            job->out[i * job->n_vocab + v] =
                ss_tensor_dot(job->x + i * job->width, word, job->width) + job->head->bias[v];
        }
    }
}

/* Softmax runs per row in one thread: a sum in parts would depend on the number of threads. */
ss_status ss_encoder_mask_head_run(const ss_encoder *encoder, ss_work *work, const float *x,
                                   size_t n, float *out, ss_err *err)
{
    const struct ss_encoder_mask_head *head = &encoder->head;
    const size_t width = encoder->config.width;
    const size_t n_vocab = encoder->config.n_vocab;
    const struct ss_tensor_epilogue epilogue = {.bias = head->dense_bias,
                                                .activation = head->activation,
                                                .norm_gain = head->gain,
                                                .norm_shift = head->shift,
                                                .norm_eps = encoder->config.norm_eps};
    float *y = ss_tensor_work_scratch(work, SS_TENSOR_SLOT_POOLED_NEXT, n * width * sizeof *y);
    if (y == NULL) {
        return ss__fail_nomem(err, "the head");
    }
    SS_RETURN_IF_ERROR(ss_tensor_linear(work, &head->dense, x, n, y, &epilogue, err));
    struct logit_job job = {
        .head = head, .x = y, .out = out, .n = n, .width = width, .n_vocab = n_vocab};
    const size_t n_tasks = ss__divide_up(n_vocab, VOCAB_STEP);
    ss__pool_run(ss_tensor_work_pool(work), n_tasks, logits_of_words, &job);
    SS_RETURN_IF_ERROR(ss_tensor_work_check(work, err));
    SS_RETURN_IF_ERROR(ss_weights_check(encoder->weights, err)); /* where the decoder may lie */
    for (size_t i = 0; i < n; i++) {
        ss_tensor_softmax(out + i * n_vocab, n_vocab);
    }
    return SS_OK;
}
