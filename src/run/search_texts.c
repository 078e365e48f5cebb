/* Texts and features of a run by words or by meaning.
 *
 * Words: those of the texts that the run kept which hold all words, the one that says them most
 * often first. Meaning: the query's embedding by the run's encoder, and the cosines of the texts'
 * embeddings with it, in double, in the order of their dimensions. Equal scores: the earlier row. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "run/evidence_read.h"
#include "run/results.h"
#include "run/run_models.h"
#include "run/text_words.h"

enum { DEFAULT_LIMIT = 10 };

struct found {
    double score;
    uint64_t row; /* of the dataset; of features their number */
    size_t item;  /* row of the evidence, or feature */
};

struct ss_search {
    struct ss_run *run;
    ss_descriptions *descriptions; /* of a search for features; else NULL */
    struct ss_run_evidence evidence;
    struct found *found; /* [n_found] */
    size_t n_found, n_searched, limit;
    bool is_of_features;
};

static int by_score(const void *left, const void *right)
{
    const struct found *a = left, *b = right;
    if (a->score != b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return (a->row > b->row) - (a->row < b->row);
}

static void add(struct ss_search *search, size_t item, uint64_t row, double score)
{
    search->found[search->n_found++] = (struct found){score, row, item};
}

/* ---- texts ---- */

static ss_status find_words(struct ss_search *search, const char *query,
                            struct ss__asking *asking, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run_words words = {0};
    const struct ss_run_evidence *evidence = &search->evidence;
    SS_TRY(ss_run_words_split(query, &words, err));
    for (size_t i = 0; i < evidence->n_texts; i++) {
        SS_TRY(ss__check_stop(asking, err));
        if (ss_run_words_hold(&words, evidence->texts[i])) {
            add(search, i, evidence->positions[i], (double)ss_run_words_count(&words));
        }
        SS_TRY(ss__buf_check(&words.text, err));
    }
out:
    ss_run_words_release(&words);
    return status;
}

static double cosine(const float *a, const float *b, size_t n)
{
    double dot = 0, square_a = 0, square_b = 0;
    for (size_t i = 0; i < n; i++) {
        dot += (double)a[i] * (double)b[i];
        square_a += (double)a[i] * (double)a[i];
        square_b += (double)b[i] * (double)b[i];
    }
    return square_a > 0 && square_b > 0 ? dot / (sqrt(square_a) * sqrt(square_b)) : 0;
}

static ss_status find_meaning(struct ss_search *search, const char *run_dir, const char *query,
                              const struct ss_search_options *options, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run_models models = {0};
    float *embedding = NULL;
    const struct ss_text text = {query, strlen(query)};
    const struct ss_run_evidence *evidence = &search->evidence;
    SS_ALLOC_ALIGNED(embedding, evidence->width);
    SS_TRY(ss_run_models_open(run_dir, options->n_threads, options->progress, &models, err));
    SS_TRY(ss_encoder_embed(models.encoder, models.work, &text, 1, embedding, NULL, err));
    for (size_t i = 0; i < evidence->n_texts; i++) {
        add(search, i, evidence->positions[i],
            cosine(evidence->embeddings + i * evidence->width, embedding, evidence->width));
    }
out:
    ss__free(embedding);
    ss_run_models_close(&models);
    return status;
}

static ss_status find_texts(struct ss_search *search, const char *run_dir, const char *query,
                            const struct ss_search_options *options, ss_err *err)
{
    struct ss__asking asking = {.stop = options->progress};
    SS_RETURN_IF_ERROR(
        ss_run_evidence_open(run_dir, search->run->info.n_features, &search->evidence, err));
    search->n_searched = search->evidence.n_texts;
    if (!search->evidence.has_texts) {
        return ss__fail_file(err, run_dir, SS_E_NOINPUT,
                             "the run was made without texts: there is nothing to search");
    }
    SS_ALLOC_OR_RETURN(search->found, search->n_searched);
    return options->by == SS_SEARCH_MEANING ? find_meaning(search, run_dir, query, options, err)
                                            : find_words(search, query, &asking, err);
}

/* ---- features ---- */

/* Its label, and its keywords. */
static ss_status read_description(const struct ss_search *search, size_t f,
                                  struct ss__buf *text, ss_err *err)
{
    struct ss_description description = {.struct_size = sizeof description};
    (void)ss_descriptions_get(search->descriptions, f, &description);
    text->n_bytes = 0;
    ss__buf_add_text(text, description.label);
    for (size_t i = 0; i < description.n_keywords; i++) {
        ss__buf_add_text(text, " ");
        ss__buf_add_text(text, description.keywords[i].text);
    }
    return ss__buf_check(text, err);
}

static ss_status find_features(struct ss_search *search, const char *run_dir, const char *query,
                               ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run_words words = {0};
    struct ss__buf text = {0};
    search->is_of_features = true;
    search->n_searched = search->run->info.n_features;
    SS_TRY(ss_descriptions_open(run_dir, &search->descriptions, err));
    if (ss_descriptions_n_features(search->descriptions) != search->n_searched) {
        SS_FAIL_FILE(run_dir, SS_E_DATA, "its descriptions are of another number of features");
    }
    SS_ALLOC(search->found, search->n_searched);
    SS_TRY(ss_run_words_split(query, &words, err));
    for (size_t f = 0; f < search->n_searched; f++) {
        SS_TRY(read_description(search, f, &text, err));
        if (ss_run_words_hold(&words, (struct ss_text){text.data, text.n_bytes})) {
            add(search, f, f, (double)search->run->features[f].rate_pct);
        }
        SS_TRY(ss__buf_check(&words.text, err));
    }
out:
    ss__buf_release(&text);
    ss_run_words_release(&words);
    return status;
}

/* ---- the calls ---- */

ss_status ss_search_run(const char *run_dir, const char *query,
                        const struct ss_search_options *options, ss_search **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_search *search = NULL;
    struct ss_search_options read = {.struct_size = sizeof read};
    *out = NULL;
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_search_options, err));
    const struct ss_run_options run_options = {.struct_size = sizeof run_options,
                                               .progress = read.progress};
    SS_ALLOC(search, 1);
    search->limit = read.limit == 0 ? DEFAULT_LIMIT : read.limit;
    SS_TRY(ss_run_open(run_dir, &run_options, &search->run, err));
    if (read.by == SS_SEARCH_FEATURES) {
        SS_TRY(find_features(search, run_dir, query, err));
    } else {
        SS_TRY(find_texts(search, run_dir, query, &read, err));
    }
    if (search->n_found > 1) {
        qsort(search->found, search->n_found, sizeof *search->found, by_score);
    }
    *out = search;
    search = NULL;
out:
    ss_search_free(search);
    return status;
}

void ss_search_free(ss_search *search)
{
    if (search == NULL) {
        return;
    }
    ss_run_evidence_release(&search->evidence);
    ss_descriptions_free(search->descriptions);
    ss_run_free(search->run);
    ss__free(search->found);
    ss__free(search);
}

void ss_search_sizes(const ss_search *search, size_t *n_searched, size_t *n_found,
                     size_t *n_listed)
{
    *n_searched = search->n_searched;
    *n_found = search->n_found;
    *n_listed = search->n_found < search->limit ? search->n_found : search->limit;
}

ss_status ss_search_get(const ss_search *search, size_t rank, struct ss_search_hit *out)
{
    if (rank >= search->n_found) {
        return SS_E_USAGE;
    }
    const struct found *found = &search->found[rank];
    struct ss_search_hit hit = {.struct_size = sizeof hit, .score = found->score};
    if (search->is_of_features) {
        struct ss_description description = {.struct_size = sizeof description};
        (void)ss_descriptions_get(search->descriptions, found->item, &description);
        hit.feature = found->item;
        hit.text = (struct ss_text){description.label, strlen(description.label)};
    } else {
        const struct ss_run_evidence *evidence = &search->evidence;
        const size_t first = evidence->codes.offsets[found->item];
        hit.feature = SS_NO_FEATURE;
        hit.row = found->row;
        hit.text = evidence->texts[found->item];
        hit.file = evidence->files[found->item];
        hit.n_features = evidence->codes.offsets[found->item + 1] - first;
        hit.features = evidence->codes.features + first;
        hit.activations = evidence->codes.values + first;
    }
    return ss__result_write(out, &hit, sizeof hit);
}
