/* Sentences for fuzzing: of each text that scores a label, the sentence on which the SAE fires
 * most or the one on which it fires least is marked, and the model is asked whether the marked
 * one has the property. Which of the two it is depends on a hash, so that neither places nor
 * numbers tell. */
#include <string.h>

#include "base/hash.h"
#include "describe/feature_sets.h"
#include "describe/llm_priv.h"
#include "describe/sentences.h"

enum { MOST_AROUND = 400 /* bytes of the text on either side of the sentence */ };

struct marking {
    const struct ss_text *texts;
    struct ss_describe_llm_plan *plan;
};

static void take_pair(void *user, size_t feature, uint32_t row, struct ss_text strong,
                      struct ss_text weak)
{
    const struct marking *marking = user;
    struct ss_describe_llm_plan *plan = marking->plan;
    const struct ss_text text = marking->texts[row];
    const uint64_t mix[] = {feature, ss__hash64(text.data, text.n_bytes)};
    const bool is_strong = (ss__hash64(mix, sizeof mix) >> 17 & 1) != 0;
    const struct ss_text sentence = is_strong ? strong : weak;
    plan->marked[feature * SS_DESCRIBE_LLM_MAX_MARKED + plan->n_marked[feature]++] =
        (struct ss_describe_llm_marked){row, (uint32_t)(sentence.data - text.data),
                                        (uint32_t)sentence.n_bytes, is_strong};
}

ss_status ss_describe_llm_plan_mark(struct ss_describe_llm_plan *plan,
                                    const struct ss_describe_llm_marking *with, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_describe_evidence *evidence = with->evidence;
    struct marking marking = {evidence->texts, plan};
    uint32_t *rows = NULL;
    _Static_assert((int)SS_DESCRIBE_SENTENCE_TEXTS == (int)SS_DESCRIBE_LLM_MAX_MARKED, "");
    SS_ALLOC(plan->marked, plan->n_features * SS_DESCRIBE_LLM_MAX_MARKED);
    SS_ALLOC(plan->n_marked, plan->n_features);
    SS_ALLOC(rows, plan->n_features * SS_DESCRIBE_SENTENCE_TEXTS);
    for (size_t f = 0; f < plan->n_features; f++) {
        const struct ss_describe_llm_shown *scored =
            plan->scored + f * SS_DESCRIBE_LLM_MAX_SCORED;
        uint32_t *of = rows + f * SS_DESCRIBE_SENTENCE_TEXTS;
        size_t n = 0;
        memset(of, 0xFF, SS_DESCRIBE_SENTENCE_TEXTS * sizeof *of);
        for (size_t i = 0; i < plan->n_scored[f] && n < SS_DESCRIBE_SENTENCE_TEXTS; i++) {
            if (scored[i].strength > 0) {
                of[n++] = scored[i].row;
            }
        }
    }
    const struct ss_describe_sentence_job job = {.texts = evidence->texts,
                                                 .n_texts = evidence->n_texts,
                                                 .n_features = plan->n_features,
                                                 .width = evidence->width,
                                                 .texts_of = rows,
                                                 .embedder = &with->embedder,
                                                 .answers = &with->answers,
                                                 .take_pair = take_pair,
                                                 .taker = &marking,
                                                 .stop = with->stop};
    SS_TRY(ss_describe_test_sentences(&job, NULL, err));
out:
    ss__free(rows);
    return status;
}

/* ---- prompts ---- */

/* A piece of a text, in which no marks but ours stand. */
static void add_piece(struct ss__buf *out, struct ss_text piece)
{
    struct ss__buf clean = {0};
    for (size_t i = 0; i < piece.n_bytes; i++) {
        const char c = piece.data[i];
        if (c == '<' || c == '>') {
            ss__buf_add_text(&clean, c == '<' ? "\u2039" : "\u203a");
        } else {
            ss__buf_add_byte(&clean, c);
        }
    }
    out->failed |= clean.failed;
    ss_describe_llm_add_text(out, (struct ss_text){clean.data, clean.n_bytes});
    ss__buf_release(&clean);
}

/* The last bytes of a text from a space on, where it is long. */
static struct ss_text end_of(struct ss_text text)
{
    size_t begin = text.n_bytes > MOST_AROUND ? text.n_bytes - MOST_AROUND : 0;
    while (begin > 0 && begin < text.n_bytes && text.data[begin] != ' ') {
        begin++;
    }
    return (struct ss_text){text.data + begin, text.n_bytes - begin};
}

static struct ss_text begin_of(struct ss_text text)
{
    size_t end = ss__min_size(text.n_bytes, MOST_AROUND);
    while (end > 0 && end < text.n_bytes && text.data[end] != ' ') {
        end--;
    }
    return (struct ss_text){text.data, end};
}

void ss_describe_llm_add_marked(struct ss__buf *out, struct ss_text text,
                                const struct ss_describe_llm_marked *marked)
{
    const size_t end = marked->begin + marked->n_bytes;
    const struct ss_text before = end_of((struct ss_text){text.data, marked->begin});
    const struct ss_text after =
        begin_of((struct ss_text){text.data + end, text.n_bytes - end});
    add_piece(out, before);
    ss__buf_add_text(out, before.n_bytes > 0 ? " << " : "<< ");
    add_piece(out, (struct ss_text){text.data + marked->begin, marked->n_bytes});
    ss__buf_add_text(out, after.n_bytes > 0 ? " >> " : " >>");
    add_piece(out, after);
}
