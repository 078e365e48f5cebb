/* Scores on single sentences: of each of a feature's positives the sentence that the SAE answers
 * most and the one that it answers least, each alone; a label that says what the feature means
 * is nearer to the former.
 *
 * Texts are shared by features, so that sentences are embedded once, text by text in the order
 * of the evidence. */
#include "describe/sentences.h"

#include <math.h>

#include "base/stop.h"
#include "tensor/tensor.h"

enum { TEXTS_OF_BLOCK = 64, BYTES_OF_BLOCK = 1 << 17, MAX_SENTENCES = 512 };

/* ---- sentences ---- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool ends_here(const char *data, size_t at)
{
    return data[at] == '.' || data[at] == '!' || data[at] == '?';
}

static size_t count_characters(struct ss_text text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n_bytes; i++) {
        n += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    }
    return n;
}

size_t ss_describe_split_sentences(struct ss_text text, struct ss_text *out, size_t n_most)
{
    size_t begin = 0;
    size_t n = 0;
    for (size_t at = 0; at < text.n_bytes && n < n_most; at++) {
        size_t next = at + 1;
        while (next < text.n_bytes && is_space(text.data[next])) {
            next++;
        }
        const bool is_end =
            next == text.n_bytes || (ends_here(text.data, at) && next > at + 1 &&
                                     text.data[next] >= 'A' && text.data[next] <= 'Z');
        if (!is_end) {
            continue;
        }
        const size_t end = next == text.n_bytes ? text.n_bytes : at + 1;
        const struct ss_text sentence = {text.data + begin, end - begin};
        if (count_characters(sentence) > SS_DESCRIBE_SENTENCE_CHARACTERS) {
            out[n++] = sentence;
        }
        begin = next;
        at = next - 1;
    }
    return n;
}

/* ---- which texts ask for which features ---- */

/* A feature that a text is a positive of. */
struct pair {
    uint32_t row, feature;
};

struct testing {
    const struct ss_describe_sentence_job *job;
    struct pair *pairs; /* by row, then feature */
    size_t n_pairs;
    struct ss_text *sentences;
    size_t *offsets; /* [texts of the block + 1] */
    uint32_t *rows;  /* [texts of the block] */
    float *x;        /* [sentences, width] */
    float *h;        /* [sentences, n_features] */
    float *label;    /* [width] */
    size_t x_room, h_room, sentences_room;
    uint32_t *twice, *n; /* [n_features] twice the pairs that the label orders, and pairs */
};

/* Texts in the order of their keys, as far as the test goes: with few features all of them. */
static void cut_pairs(struct testing *testing)
{
    size_t n_texts = 0;
    for (size_t i = 0; i < testing->n_pairs; i++) {
        n_texts += i == 0 || testing->pairs[i].row != testing->pairs[i - 1].row;
        if (n_texts > SS_DESCRIBE_SENTENCE_MOST_TEXTS) {
            testing->n_pairs = i;
        }
    }
}

static ss_status list_pairs(struct testing *testing, ss_err *err)
{
    const struct ss_describe_sentence_job *job = testing->job;
    size_t *offsets = NULL;
    ss_status status = SS_OK;
    SS_ALLOC(offsets, job->n_texts + 1);
    for (size_t i = 0; i < job->n_features * SS_DESCRIBE_SENTENCE_TEXTS; i++) {
        if (job->texts_of[i] != SS_DESCRIBE_NO_STRING) {
            offsets[job->texts_of[i] + 1]++;
            testing->n_pairs++;
        }
    }
    for (size_t t = 0; t < job->n_texts; t++) {
        offsets[t + 1] += offsets[t];
    }
    SS_ALLOC(testing->pairs, testing->n_pairs);
    for (size_t i = 0; i < job->n_features * SS_DESCRIBE_SENTENCE_TEXTS; i++) {
        if (job->texts_of[i] != SS_DESCRIBE_NO_STRING) {
            testing->pairs[offsets[job->texts_of[i]]++] =
                (struct pair){job->texts_of[i], (uint32_t)(i / SS_DESCRIBE_SENTENCE_TEXTS)};
        }
    }
    cut_pairs(testing);
out:
    ss__free(offsets);
    return status;
}

/* ---- a block of texts ---- */

/* Cut texts from pair `first` on, until the block is full; gives the pair behind it. */
static ss_status fill_block(struct testing *testing, size_t first, size_t *n_texts,
                            size_t *n_sentences, size_t *behind, ss_err *err)
{
    const struct ss_describe_sentence_job *job = testing->job;
    size_t n_bytes = 0;
    size_t at = first;
    *n_texts = *n_sentences = 0;
    while (at < testing->n_pairs && *n_texts < TEXTS_OF_BLOCK && n_bytes < BYTES_OF_BLOCK) {
        const uint32_t row = testing->pairs[at].row;
        SS_GROW_OR_RETURN(testing->sentences, testing->sentences_room,
                          *n_sentences + MAX_SENTENCES);
        const size_t n = ss_describe_split_sentences(
            job->texts[row], testing->sentences + *n_sentences, MAX_SENTENCES);
        testing->rows[*n_texts] = row;
        testing->offsets[*n_texts] = *n_sentences;
        *n_sentences += n >= 2 ? n : 0;
        testing->offsets[++*n_texts] = *n_sentences;
        n_bytes += job->texts[row].n_bytes;
        while (at < testing->n_pairs && testing->pairs[at].row == row) {
            at++;
        }
    }
    *behind = at;
    return SS_OK;
}

static void compare_pair(struct testing *testing, struct pair pair, size_t begin, size_t end)
{
    const struct ss_describe_sentence_job *job = testing->job;
    const uint32_t feature = pair.feature;
    size_t strong = begin;
    size_t weak = begin;
    for (size_t i = begin; i < end; i++) {
        /* what is not above 0 is no answer, and of equal ones the first counts */
        const float h = fmaxf(testing->h[i * job->n_features + feature], 0);
        if (h > fmaxf(testing->h[strong * job->n_features + feature], 0)) {
            strong = i;
        }
        if (h < fmaxf(testing->h[weak * job->n_features + feature], 0)) {
            weak = i;
        }
    }
    if (strong == weak) {
        return;
    }
    if (job->take_pair != NULL) {
        job->take_pair(job->taker, feature, pair.row, testing->sentences[strong],
                       testing->sentences[weak]);
        return;
    }
    job->place_label(job->context, feature, testing->label);
    const float of_strong =
        ss_tensor_dot(testing->x + strong * job->width, testing->label, job->width);
    const float of_weak =
        ss_tensor_dot(testing->x + weak * job->width, testing->label, job->width);
    testing->twice[feature] += of_strong > of_weak ? 2 : of_strong == of_weak;
    testing->n[feature]++;
}

static ss_status test_block(struct testing *testing, size_t *at, ss_err *err)
{
    const struct ss_describe_sentence_job *job = testing->job;
    size_t n_texts = 0;
    size_t n = 0;
    size_t behind = 0;
    SS_RETURN_IF_ERROR(fill_block(testing, *at, &n_texts, &n, &behind, err));
    SS_GROW_OR_RETURN(testing->x, testing->x_room, n * job->width);
    SS_GROW_OR_RETURN(testing->h, testing->h_room, n * job->n_features);
    if (n > 0) {
        const struct ss_describe_batch batch = {
            .embedder = job->embedder, .texts = testing->sentences, .n = n, .stop = job->stop};
        SS_RETURN_IF_ERROR(ss_describe_embed_all(&batch, testing->x, err));
        SS_RETURN_IF_ERROR(
            job->answers->answer(job->answers->user, testing->x, n, testing->h, err));
        for (size_t i = 0; i < n && job->take_pair == NULL; i++) {
            job->place(job->context, testing->x + i * job->width, testing->x + i * job->width);
        }
    }
    for (size_t t = 0; *at < behind; t++) {
        for (; *at < behind && testing->pairs[*at].row == testing->rows[t]; ++*at) {
            compare_pair(testing, testing->pairs[*at], testing->offsets[t],
                         testing->offsets[t + 1]);
        }
    }
    return SS_OK;
}

ss_status ss_describe_test_sentences(const struct ss_describe_sentence_job *job,
                                     struct ss_describe_score *scores, ss_err *err)
{
    ss_status status = SS_OK;
    struct testing testing = {.job = job};
    struct ss__step step;
    SS_TRY(list_pairs(&testing, err));
    SS_ALLOC(testing.twice, job->n_features);
    SS_ALLOC(testing.n, job->n_features);
    SS_ALLOC(testing.label, job->width);
    SS_ALLOC(testing.offsets, TEXTS_OF_BLOCK + 1);
    SS_ALLOC(testing.rows, TEXTS_OF_BLOCK);
    ss__step_begin(&step, job->stop, "sentences", "test");
    for (size_t at = 0; at < testing.n_pairs;) {
        SS_TRY(test_block(&testing, &at, err));
        SS_TRY(ss__step_tell(&step, at, testing.n_pairs, err));
    }
    for (size_t f = 0; f < job->n_features; f++) {
        if (testing.n[f] > 0) {
            const double share = testing.twice[f] / (2.0 * testing.n[f]);
            scores[f].sentences = (struct ss_describe_share){
                share, ss_describe_wilson(share, testing.n[f]), testing.n[f]};
        }
    }
out:
    ss__free(testing.pairs);
    ss__free(testing.sentences);
    ss__free(testing.offsets);
    ss__free(testing.rows);
    ss__free(testing.x);
    ss__free(testing.h);
    ss__free(testing.label);
    ss__free(testing.twice);
    ss__free(testing.n);
    return status;
}
