/* Labels and scores over made texts: a planted word is found and told apart, chance is called
 * chance, a feature that never fires has no label, and nothing depends on threads. */
#include <math.h>

#include "describe/corpus.h"
#include "describe/sentences.h"
#include "describe_helpers.h"

enum {
    N_TEXTS = 1200,
    N_POOL = 500,    /* of each half of 600 */
    N_FEATURES = 70, /* more than a block */
    PLANTED = 0,
    CHANCE = 1,
    NEVER = 2,
    HAN = 3,
    EVERYWHERE = 4,
    N_CHANCE = 40, /* features 10 … 49 fire by chance, too */
    MAX_SAMPLES = 128
};

static const char *const vocabulary[] = {
    "galaxy", "cluster", "halo",   "dust",    "orbit",  "planet", "comet",  "shock",
    "jet",    "plasma",  "photon", "spectra", "survey", "lens",   "pulsar", "quasar",
    "corona", "flare",   "tide",   "ring",    "moon",   "crater", "wind",   "torus"};

struct made {
    struct ss_text texts[N_TEXTS];
    float embeddings[N_TEXTS * STAND_IN_WIDTH];
    struct ss_sparse codes;
    size_t offsets[N_FEATURES * SS_STATS_N_SAMPLES + 1];
    uint32_t samples[N_FEATURES * SS_STATS_N_SAMPLES * MAX_SAMPLES];
    float activations[N_FEATURES * SS_STATS_N_SAMPLES * MAX_SAMPLES];
    double rates[N_FEATURES];
    struct ss_describe_evidence evidence;
};

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static bool fires(size_t feature, size_t text, bool is_planted, bool is_han)
{
    uint64_t state = feature * 7919 + text * 104729 + 17;
    next_random(&state);
    const uint64_t dice = next_random(&state) % 10;
    switch (feature) {
    case PLANTED:
        return is_planted;
    case HAN:
        return is_han;
    case NEVER:
        return false;
    case EVERYWHERE:
        return true;
    default:
        return dice == 0;
    }
}

/* As encoders do it: the mean of the words, not their sum. */
static ss_status mean_of_words(void *user, const struct ss_text *texts, size_t n, float *out,
                               ss_err *err)
{
    assert_int_equal(stand_in(user, texts, n, out, err), SS_OK);
    for (size_t i = 0; i < n; i++) {
        size_t n_words = 0;
        for (size_t k = 0; k < texts[i].n_bytes; k++) {
            n_words += texts[i].data[k] != ' ' && (k == 0 || texts[i].data[k - 1] == ' ');
        }
        for (size_t k = 0; k < STAND_IN_WIDTH; k++) {
            out[i * STAND_IN_WIDTH + k] /= (float)(n_words == 0 ? 1 : n_words);
        }
    }
    return SS_OK;
}

static void make_texts(struct made *made, struct ss__arena *arena, bool *planted, bool *han)
{
    uint64_t state = 3;
    for (size_t t = 0; t < N_TEXTS; t++) {
        struct ss__buf buf = {0};
        planted[t] = next_random(&state) % 8 == 0;
        han[t] = next_random(&state) % 9 == 0;
        for (size_t w = 0; w < 8; w++) {
            ss__buf_printf(&buf, "the %s ", vocabulary[next_random(&state) % 24]);
            if (planted[t] && w == 3) {
                ss__buf_add_text(&buf, "Zorblax Zorblax Zorblax Zorblax Zorblax ");
            }
        }
        ss__buf_add_text(&buf, han[t] ? "\u661f\u7cfb\u56e2" : "");
        made->texts[t] =
            (struct ss_text){ss__arena_strndup(arena, buf.data, buf.n_bytes), buf.n_bytes};
        ss__buf_release(&buf);
    }
    assert_int_equal(mean_of_words(NULL, made->texts, N_TEXTS, made->embeddings, NULL), SS_OK);
}

/* The lists of a half: the first that fire, or the first of the pool that do not. */
static size_t add_list(struct made *made, size_t feature, int half, bool firing, size_t n_most,
                       const bool *planted, const bool *han, size_t at)
{
    const size_t begin = half == 0 ? 0 : N_TEXTS / 2;
    const size_t n = firing ? N_TEXTS / 2 : N_POOL;
    size_t n_added = 0;
    for (size_t t = begin; t < begin + n && n_added < n_most; t++) {
        if (fires(feature, t, planted[t], han[t]) == firing) {
            made->samples[at] = (uint32_t)t;
            made->activations[at++] = 1 + (float)(t % 7);
            n_added++;
        }
    }
    return at;
}

static void make_samples(struct made *made, const bool *planted, const bool *han)
{
    size_t at = 0;
    for (size_t f = 0; f < N_FEATURES; f++) {
        size_t *offsets = made->offsets + f * SS_STATS_N_SAMPLES;
        const struct {
            int half;
            bool firing;
            size_t n;
        } lists[SS_STATS_N_SAMPLES] = {{0, true, 10},  {0, true, 20},  {0, true, 64},
                                       {1, true, 100}, {0, false, 50}, {1, false, 100}};
        for (size_t k = 0; k < SS_STATS_N_SAMPLES; k++) {
            offsets[k] = at;
            at =
                add_list(made, f, lists[k].half, lists[k].firing, lists[k].n, planted, han, at);
        }
        offsets[SS_STATS_N_SAMPLES] = at;
        made->rates[f] = 0.1;
    }
}

static void make(struct made *made, struct ss__arena *arena)
{
    static bool planted[N_TEXTS], han[N_TEXTS];
    size_t n = 0;
    made->codes.n_rows = N_TEXTS;
    made->codes.offsets = calloc(N_TEXTS + 1, sizeof(size_t));
    made->codes.features = calloc((size_t)N_TEXTS * N_FEATURES, sizeof(uint32_t));
    made->codes.values = calloc((size_t)N_TEXTS * N_FEATURES, sizeof(float));
    make_texts(made, arena, planted, han);
    for (size_t t = 0; t < N_TEXTS; t++) {
        for (size_t f = 0; f < N_FEATURES; f++) {
            if (fires(f, t, planted[t], han[t])) {
                made->codes.features[n] = (uint32_t)f;
                made->codes.values[n++] = 1;
            }
        }
        made->codes.offsets[t + 1] = n;
    }
    make_samples(made, planted, han);
    made->evidence = (struct ss_describe_evidence){.n_features = N_FEATURES,
                                                   .width = STAND_IN_WIDTH,
                                                   .n_texts = N_TEXTS,
                                                   .texts = made->texts,
                                                   .embeddings = made->embeddings,
                                                   .codes = &made->codes,
                                                   .first = {0, N_TEXTS / 2, N_TEXTS},
                                                   .n_pool = {N_POOL, N_POOL},
                                                   .sample_offsets = made->offsets,
                                                   .sample_texts = made->samples,
                                                   .sample_activations = made->activations,
                                                   .rates = made->rates};
}

struct answer {
    struct ss_describe_terms terms;
    struct ss__arena arena;
    struct ss_text labels[N_FEATURES];
    struct ss_describe_score scores[N_FEATURES];
};

static void answer_with(const struct made *made, size_t n_threads, struct answer *answer)
{
    ss_work *work = NULL;
    struct ss_describe_view *view = NULL;
    const struct ss_describe_embedder model = {mean_of_words, NULL, STAND_IN_WIDTH};
    const struct ss_describe_contrast_options options = {.embedder = model};
    const struct ss_describe_score_options scoring = {.embedder = model, .with_probe = true};
    assert_int_equal(ss_work_new(n_threads, &work, NULL), SS_OK);
    assert_int_equal(ss_describe_view_new(&made->evidence, work, &view, NULL), SS_OK);
    assert_int_equal(ss_describe_contrast(view, &options, &answer->terms, NULL), SS_OK);
    assert_int_equal(
        ss_describe_join(&answer->terms, SIZE_MAX, &answer->arena, answer->labels, NULL),
        SS_OK);
    assert_int_equal(ss_describe_score(view, answer->labels, &scoring, answer->scores, NULL),
                     SS_OK);
    ss_describe_view_free(view);
    ss_work_free(work);
}

static void release_answer(struct answer *answer)
{
    ss_describe_terms_release(&answer->terms);
    ss__arena_release(&answer->arena);
}

static void a_planted_word_is_the_label(void **state)
{
    static struct made made;
    static struct answer answer, alone;
    struct ss__arena arena = {0};
    size_t n_chance = 0;
    (void)state;
    make(&made, &arena);
    answer_with(&made, 2, &answer);
    const struct ss_describe_score *planted = &answer.scores[PLANTED];
    /* as the texts write it */
    assert_string_equal(answer.labels[PLANTED].data, "Zorblax");
    assert_true(planted->auc[SS_DESCRIBE_RANDOM].value >= 0.99);
    assert_true(planted->coverage == 1 && planted->coverage_random == 0);
    assert_int_equal(planted->verdict, SS_DESCRIBE_SHARP);
    assert_true(planted->f1 > 0.85 && planted->precision > 0.4);
    /* characters of a script without spaces make phrases */
    assert_non_null(strstr(answer.labels[HAN].data, "\u661f"));
    assert_true(answer.scores[HAN].coverage == 1);
    /* no text, no label; no negative, no score */
    assert_int_equal(answer.labels[NEVER].n_bytes, 0);
    assert_int_equal(answer.scores[NEVER].verdict, SS_DESCRIBE_TOO_FEW);
    assert_int_equal(answer.scores[EVERYWHERE].verdict, SS_DESCRIBE_TOO_FEW);
    for (size_t f = 10; f < 10 + N_CHANCE; f++) {
        const struct ss_describe_auc *auc = &answer.scores[f].auc[SS_DESCRIBE_RANDOM];
        n_chance += auc->interval.low <= 0.5 && auc->interval.high >= 0.5;
    }
    /* 95 % intervals: of 40, fewer than 35 hold the truth once in 100 */
    assert_true(n_chance >= 35);
    answer_with(&made, 1, &alone);
    for (size_t f = 0; f < N_FEATURES; f++) {
        assert_memory_equal(alone.scores[f].auc, answer.scores[f].auc,
                            sizeof alone.scores[f].auc);
        assert_memory_equal(alone.scores[f].ceiling_probe, answer.scores[f].ceiling_probe,
                            sizeof alone.scores[f].ceiling_probe);
        assert_string_equal(alone.labels[f].data, answer.labels[f].data);
    }
    release_answer(&alone);
    release_answer(&answer);
    free(made.codes.offsets);
    free(made.codes.features);
    free(made.codes.values);
    ss__arena_release(&arena);
}

/* ---- progress ---- */

struct told {
    size_t n_begun, n_ended; /* steps */
    uint64_t n_done;
    char names[64];    /* of those that ended */
    size_t stop_after; /* calls; 0: never */
    size_t n_calls;
};

static int note(void *user, const struct ss_progress *progress)
{
    struct told *told = user;
    if (progress->stage != SS_STAGE_STEP) {
        return 0;
    }
    assert_int_equal(progress->n_rows_total, N_FEATURES);
    assert_string_equal(progress->unit, "feature");
    assert_true(progress->n_rows_done >= told->n_done && progress->seconds >= 0);
    assert_int_equal(progress->is_end, progress->n_rows_done == N_FEATURES);
    told->n_begun += progress->n_rows_done == 0;
    told->n_ended += progress->is_end;
    told->n_done = progress->is_end ? 0 : progress->n_rows_done;
    if (progress->is_end) {
        strcat(strcat(told->names, progress->name), " ");
    }
    return ++told->n_calls == told->stop_after;
}

static void progress_is_told(void **state)
{
    static struct made made;
    struct ss__arena arena = {0};
    (void)state;
    make(&made, &arena);
    for (size_t stop_after = 0; stop_after < 3; stop_after++) {
        struct told told = {.stop_after = stop_after};
        const struct ss_progress_callback callback = {note, &told};
        const struct ss_describe_embedder model = {mean_of_words, NULL, STAND_IN_WIDTH};
        const struct ss_describe_contrast_options options = {.embedder = model,
                                                             .stop = callback};
        const struct ss_describe_score_options scoring = {.embedder = model, .stop = callback};
        static struct answer answer;
        struct ss_describe_view *view = NULL;
        ss_work *work = NULL;
        assert_int_equal(ss_work_new(2, &work, NULL), SS_OK);
        assert_int_equal(ss_describe_view_new(&made.evidence, work, &view, NULL), SS_OK);
        answer = (struct answer){0};
        const ss_status status = ss_describe_contrast(view, &options, &answer.terms, NULL);
        assert_int_equal(status, stop_after == 0 ? SS_OK : SS_E_STOPPED);
        if (stop_after == 0) {
            assert_int_equal(
                ss_describe_join(&answer.terms, SIZE_MAX, &answer.arena, answer.labels, NULL),
                SS_OK);
            assert_int_equal(
                ss_describe_score(view, answer.labels, &scoring, answer.scores, NULL), SS_OK);
            assert_string_equal(told.names, "labels scores ");
            assert_int_equal(told.n_begun, 1);
        }
        release_answer(&answer);
        ss_describe_view_free(view);
        ss_work_free(work);
    }
    free(made.codes.offsets);
    free(made.codes.features);
    free(made.codes.values);
    ss__arena_release(&arena);
}

/* ---- phrases ---- */

static const struct {
    const char *text;
    const char *phrases; /* sorted by first appearance, with | between */
} phrase_cases[] = {
    {"The equation of state, x-ray data",
     "equation|equation of state|state|x-ray|x-ray data|data"},
    {"", ""},
    {"of the 12 7 a", ""},
    {"loss of energy is achieved; lock the laser", /* no verb and no article inside */
     "loss|loss of energy|energy|achieved|lock|laser"},
    {"again Zorblax Zorblax spin-spin", "Zorblax|Zorblax spin-spin|spin-spin"},
    {"don't star-forming (galaxies) NGC 891 disc",
     "star-forming|galaxies|NGC|NGC 891 disc|disc"},
    {"\u5b87\u5b99\u5b66\u3002\u661f", "\u5b87\u5b99|\u5b87\u5b99\u5b66|\u5b99\u5b66"},
    {"\u0939\u093f\u0928\u094d\u0926\u0940 cafe\u0301s",
     "\u0939\u093f\u0928\u094d\u0926\u0940|\u0939\u093f\u0928\u094d\u0926\u0940 cafe\u0301s|"
     "cafe\u0301s"},
};

static void phrases_of_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof phrase_cases / sizeof phrase_cases[0]; i++) {
        const struct ss_text text = {phrase_cases[i].text, strlen(phrase_cases[i].text)};
        struct ss_describe_corpus corpus;
        struct ss_describe_phrases phrases;
        struct ss__buf found = {0};
        assert_int_equal(ss_describe_corpus_init(&corpus, &text, 1, NULL), SS_OK);
        ss_describe_forbid_english(&corpus);
        assert_int_equal(ss_describe_phrases_init(&phrases, &corpus, 1,
                                                  (struct ss_progress_callback){0}, NULL),
                         SS_OK);
        for (size_t k = 0; k < phrases.n_list; k++) {
            ss__buf_add_text(&found, k == 0 ? "" : "|");
            ss_describe_phrase_text(&corpus, phrases.phrases[phrases.list[k]], &found);
        }
        assert_string_equal(ss__buf_text(&found), phrase_cases[i].phrases);
        ss__buf_release(&found);
        ss_describe_phrases_release(&phrases);
        ss_describe_corpus_release(&corpus);
    }
}

/* Phrases of three words, and what they are part of nearly everywhere. */
static const struct {
    const char *texts[5];
    const char *phrase, *extended;
} extended_cases[] = {
    {{"A Markov chain Monte Carlo run", "the Markov chain Monte Carlo method"},
     "markov chain monte",
     "Markov chain Monte Carlo"},
    {{"A Markov chain Monte Carlo run", "the Markov chain Monte Carlo method"},
     "chain monte carlo",
     "Markov chain Monte Carlo"},
    {{"atoms in strong fields", "atoms in strong fields.", "atoms in strong light"},
     "atoms in strong",
     "atoms in strong"}, /* two of three */
    {{"qq b cc dd", "qq b cc dd", "qq b cc dd", "qq b cc dd", "qq b cc x"},
     "qq b cc",
     "qq b cc dd"}, /* four of five */
    {{"ab bc cd of the", "ab bc cd of the"}, "ab bc cd", "ab bc cd"},
    {{"ab bc cd of the ef gh", "ab bc cd of the ef gh"}, "ab bc cd", "ab bc cd of the ef"},
    {{"ab bc cd ab bc cd ab bc cd"}, "ab bc cd", "ab bc cd"},
    {{"new york city hall", "new york city hall"}, "york city", "york city"},
    {{"once ab bc cd de"}, "ab bc cd", "ab bc cd"},
};

static void phrases_are_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof extended_cases / sizeof extended_cases[0]; i++) {
        struct ss_text texts[5];
        uint32_t rows[5], words[8];
        size_t n = 0, n_words = 0;
        bool is_known = false;
        struct ss_describe_corpus corpus;
        struct ss__buf found = {0};
        for (; n < 5 && extended_cases[i].texts[n] != NULL; n++) {
            texts[n] = (struct ss_text){extended_cases[i].texts[n],
                                        strlen(extended_cases[i].texts[n])};
            rows[n] = (uint32_t)n;
        }
        assert_int_equal(ss_describe_corpus_init(&corpus, texts, n, NULL), SS_OK);
        ss_describe_forbid_english(&corpus);
        const struct ss_text phrase = {extended_cases[i].phrase,
                                       strlen(extended_cases[i].phrase)};
        assert_int_equal(
            ss_describe_corpus_find(&corpus, phrase, words, 8, &n_words, &is_known, NULL),
            SS_OK);
        assert_true(is_known);
        struct ss_describe_phrase span = {0, (uint32_t)n_words};
        while (memcmp(corpus.words + span.place, words, n_words * sizeof *words) != 0) {
            span.place++;
        }
        ss_describe_extend_phrase(&corpus, rows, n, &span);
        assert_int_equal(ss_describe_phrase_surface(&corpus, span, rows, n, &found, NULL),
                         SS_OK);
        assert_string_equal(ss__buf_text(&found), extended_cases[i].extended);
        ss__buf_release(&found);
        ss_describe_corpus_release(&corpus);
    }
}

static const struct {
    const char *a, *b;
    bool repeats;
} repeats_cases[] = {
    {"vortex", "vortices", true},
    {"X-ray", "gamma rays", true},
    {"X-ray spectra", "soft X-ray", true},
    {"neutrino flux", "Neutrinos", true},
    {"AGN", "AGNs", true},
    {"CMB anisotropy", "cosmic microwave background", true},
    {"gamma-ray burst", "GRBs", true},
    {"dark matter", "dark energy", true},
    {"loss of energy", "state of matter", false},
    {"NGC 891", "NGC 4151", true},
    {"galaxy 12", "planet 12", false},
    {"star", "starch", true}, /* they begin alike */
    {"comet", "common", false},
    {"SN", "solar neutrinos", false}, /* two letters are too few */
    {"\u661f\u7cfb", "\u661f\u56e2", false},
    {"\u661f\u7cfb", "\u661f\u7cfb", true},
    {"", "star", false},
};

static void words_said_twice(void **state)
{
    const struct ss_text known = {"of 12 loss", 10};
    struct ss_describe_corpus corpus;
    (void)state;
    assert_int_equal(ss_describe_corpus_init(&corpus, &known, 1, NULL), SS_OK);
    ss_describe_forbid_english(&corpus);
    for (size_t i = 0; i < sizeof repeats_cases / sizeof repeats_cases[0]; i++) {
        const struct ss_text a = {repeats_cases[i].a, strlen(repeats_cases[i].a)};
        const struct ss_text b = {repeats_cases[i].b, strlen(repeats_cases[i].b)};
        if (ss_describe_repeats(&corpus, a, b) != repeats_cases[i].repeats ||
            ss_describe_repeats(&corpus, b, a) != repeats_cases[i].repeats) {
            fail_msg("%s, %s", repeats_cases[i].a, repeats_cases[i].b);
        }
    }
    ss_describe_corpus_release(&corpus);
}

/* ---- sentences ---- */

/* By Python: [s for s in re.split(r"(?<=[.!?])\\s+(?=[A-Z])", text) if len(s) > 20] */
static const struct {
    const char *text;
    const char *sentences; /* with | between */
} sentence_cases[] = {
    {"", ""},
    {"Too short. Both of them.", ""},
    {"We observe a distant galaxy. Its redshift is large, z = 3.5 or so! Why is it so very "
     "bright?",
     "We observe a distant galaxy.|Its redshift is large, z = 3.5 or so!|Why is it so very "
     "bright?"},
    {"The value of 3.5 e.g. is small here. and this goes on without a capital",
     "The value of 3.5 e.g. is small here. and this goes on without a capital"},
    {"One sentence that is long.  \n\tAnother one behind some space.  ",
     "One sentence that is long.|Another one behind some space.  "},
    {"\u00c9toiles et galaxies lointaines. \u00c9toiles proches de nous ici.",
     "\u00c9toiles et galaxies lointaines. \u00c9toiles proches de nous ici."},
    {"\u0391\u03b2\u03b3\u03b4\u03b5\u03b6\u03b7\u03b8\u03b9\u03ba. Eleven letters. "
     "This one is long enough to count.",
     "This one is long enough to count."},
};

static void sentences_of_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sentence_cases / sizeof sentence_cases[0]; i++) {
        struct ss_text found[8];
        struct ss__buf buf = {0};
        const char *text = sentence_cases[i].text;
        const size_t n =
            ss_describe_split_sentences((struct ss_text){text, strlen(text)}, found, 8);
        for (size_t j = 0; j < n; j++) {
            ss__buf_add_text(&buf, j == 0 ? "" : "|");
            ss__buf_add(&buf, found[j].data, found[j].n_bytes);
        }
        assert_string_equal(ss__buf_text(&buf), sentence_cases[i].sentences);
        ss__buf_release(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_planted_word_is_the_label),
        cmocka_unit_test(progress_is_told),
        cmocka_unit_test(phrases_of_texts),
        cmocka_unit_test(phrases_are_whole),
        cmocka_unit_test(words_said_twice),
        cmocka_unit_test(sentences_of_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
