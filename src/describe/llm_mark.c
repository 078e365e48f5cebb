/* Sentences for fuzzing: of each text that scores a label, the sentence on which the SAE fires
 * most or the one on which it fires least is marked, and the model is asked whether the marked
 * one has the property. Which of the two it is depends on a hash, so that neither places nor
 * numbers tell. */
#include <string.h>

#include "base/hash.h"
#include "describe/feature_sets.h"
#include "describe/llm_priv.h"
#include "describe/sentences.h"

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
