/* Texts and features of a run by words or by meaning.
 *
 * Words: those of the texts that the run kept which hold all words, the one that says them most
 * often first. Meaning: the query's embedding by the run's encoder, and the cosines of the texts'
 * embeddings with it, in double, in the order of their dimensions. Equal scores: the earlier row. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "base/sort.h"
#include "run/run_models.h"
#include "run/search.h"
#include "run/text_words.h"

enum { DEFAULT_LIMIT = 10 };

struct found {
    double score;
    uint64_t row; /* of the dataset; of features their number */
    size_t item;  /* row of the evidence, or feature */
};

struct ss_search {
    struct ss_run_search_in in;
    struct found *found; /* [n_kept] by falling score */
    size_t n_kept, n_found, n_searched, limit;
    bool is_of_features;
    bool keeps_listed; /* of meanings no more than are listed */

    /* What ss_search_run opened for it: */
    struct ss_run *run;
    ss_descriptions *descriptions;
    struct ss_folder_evidence evidence;
    struct ss_run_cosines cosines;
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
    search->found[search->n_kept++] = (struct found){score, row, item};
    search->n_found = search->n_kept;
}

/* ---- texts ---- */

static ss_status find_words(struct ss_search *search, const char *query, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run_words words = {0};
    const struct ss_folder_evidence *evidence = search->in.evidence;
    SS_TRY(ss_run_words_split(query, &words, err));
    for (size_t i = 0; i < evidence->n_texts; i++) {
        SS_TRY(ss__check_stop(search->in.asking, err));
        if (ss_run_words_hold(&words, evidence->texts[i])) {
            add(search, i, evidence->positions[i], (double)ss_run_words_count(&words));
        }
        SS_TRY(ss__buf_check(&words.text, err));
    }
out:
    ss_run_words_release(&words);
    return status;
}

/* The nearest that are to be listed, without putting all in order. */
static ss_status keep_nearest(struct ss_search *search, const double *scores, ss_err *err)
{
    const struct ss_folder_evidence *evidence = search->in.evidence;
    uint32_t *texts = NULL;
    SS_ALLOC_OR_RETURN(texts, search->limit);
    const size_t n = ss_run_cosines_largest(evidence, scores, search->limit, texts);
    for (size_t i = 0; i < n; i++) {
        add(search, texts[i], evidence->positions[texts[i]], scores[texts[i]]);
    }
    ss__free(texts);
    return SS_OK;
}

static ss_status find_meaning(struct ss_search *search, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_folder_evidence *evidence = search->in.evidence;
    double *scores = NULL;
    SS_ALLOC(scores, evidence->n_texts);
    ss_run_cosines_with(search->in.cosines, search->in.embedding, scores);
    if (search->keeps_listed) {
        SS_TRY(keep_nearest(search, scores, err));
    } else {
        for (size_t i = 0; i < evidence->n_texts; i++) {
            add(search, i, evidence->positions[i], scores[i]);
        }
    }
    SS_TRY(ss_folder_evidence_check(evidence, err));
    search->n_found = evidence->n_texts;
out:
    ss__free(scores);
    return status;
}

static ss_status find_texts(struct ss_search *search, ss_search_by by, const char *query,
                            ss_err *err)
{
    search->n_searched = search->in.evidence->n_texts;
    SS_ALLOC_OR_RETURN(search->found, search->n_searched);
    return by == SS_SEARCH_MEANING ? find_meaning(search, err) : find_words(search, query, err);
}

/* ---- features ---- */

/* Its label, and its keywords. */
static ss_status read_description(const struct ss_search *search, size_t f,
                                  struct ss__buf *text, ss_err *err)
{
    struct ss_description description = {.struct_size = sizeof description};
    (void)ss_descriptions_get(search->in.descriptions, f, &description);
    text->n_bytes = 0;
    ss__buf_add_text(text, description.label);
    for (size_t i = 0; i < description.n_keywords; i++) {
        ss__buf_add_text(text, " ");
        ss__buf_add_text(text, description.keywords[i].text);
    }
    return ss__buf_check(text, err);
}

static ss_status find_features(struct ss_search *search, const char *query, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run_words words = {0};
    struct ss__buf text = {0};
    search->is_of_features = true;
    search->n_searched = search->in.run->info.n_features;
    SS_ALLOC(search->found, search->n_searched);
    SS_TRY(ss_run_words_split(query, &words, err));
    for (size_t f = 0; f < search->n_searched; f++) {
        SS_TRY(read_description(search, f, &text, err));
        if (ss_run_words_hold(&words, (struct ss_text){text.data, text.n_bytes})) {
            add(search, f, f, (double)search->in.run->features[f].rate_pct);
        }
        SS_TRY(ss__buf_check(&words.text, err));
    }
out:
    ss__buf_release(&text);
    ss_run_words_release(&words);
    return status;
}

/* ---- over what is open ---- */

static ss_status find(struct ss_search *search, ss_search_by by, const char *query, ss_err *err)
{
    SS_RETURN_IF_ERROR(by == SS_SEARCH_FEATURES ? find_features(search, query, err)
                                                : find_texts(search, by, query, err));
    if (search->n_kept > 1) {
        ss__sort(search->found, search->n_kept, sizeof *search->found, by_score);
    }
    return SS_OK;
}

ss_status ss_run_search(const struct ss_run_search_in *in, ss_search_by by, const char *query,
                        size_t limit, ss_search **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_search *search = NULL;
    *out = NULL;
    SS_ALLOC(search, 1);
    search->in = *in;
    search->limit = limit;
    search->keeps_listed = true;
    SS_TRY(find(search, by, query, err));
    *out = search;
    search = NULL;
out:
    ss_search_free(search);
    return status;
}

/* ---- the calls ---- */

static ss_status open_texts(struct ss_search *search, const char *run_dir, ss_err *err)
{
    SS_RETURN_IF_ERROR(
        ss_folder_evidence_open(run_dir, search->run->info.n_features, &search->evidence, err));
    search->in.evidence = &search->evidence;
    return search->evidence.has_texts
               ? SS_OK
               : ss__fail_file(err, run_dir, SS_E_NOINPUT,
                               "the run was made without texts: there is nothing to search");
}

static ss_status open_features(struct ss_search *search, const char *run_dir, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_descriptions_open(run_dir, &search->descriptions, err));
    search->in.descriptions = search->descriptions;
    return ss_descriptions_n_features(search->descriptions) == search->run->info.n_features
               ? SS_OK
               : ss__fail_file(err, run_dir, SS_E_DATA,
                               "its descriptions are of another number of features");
}

/* The query as a point among the texts, in an array of their width. */
static ss_status embed(struct ss_search *search, const char *run_dir, const char *query,
                       const struct ss_search_options *options, float *embedding, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run_models models = {0};
    struct ss_encoder_info info = {.struct_size = sizeof info};
    const struct ss_text text = {query, strlen(query)};
    const struct ss_run_models_options how = {
        .n_threads = options->n_threads, .stop = options->progress, .no_sae = true};
    SS_TRY(ss_run_models_open(run_dir, &how, &models, err));
    ss_encoder_describe(models.encoder, &info);
    if (info.width != search->evidence.width) {
        SS_FAIL_FILE(run_dir, SS_E_DATA,
                     "its encoder gives %zu numbers and its embeddings have %zu", info.width,
                     search->evidence.width);
    }
    SS_TRY(ss_encoder_embed(models.encoder, models.work, &text, 1, embedding, NULL, err));
    SS_TRY(ss_run_cosines_init(&search->cosines, &search->evidence, err));
    search->in.cosines = &search->cosines;
    search->in.embedding = embedding;
out:
    ss_run_models_close(&models);
    return status;
}

ss_status ss_search_run(const char *run_dir, const char *query,
                        const struct ss_search_options *options, ss_search **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_search *search = NULL;
    struct ss_search_options read = {.struct_size = sizeof read};
    float *embedding = NULL;
    *out = NULL;
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_search_options, err));
    struct ss__asking asking = {.stop = read.progress};
    const struct ss_run_options run_options = {.struct_size = sizeof run_options,
                                               .progress = read.progress};
    SS_ALLOC(search, 1);
    search->limit = read.limit == 0 ? DEFAULT_LIMIT : read.limit;
    SS_TRY(ss_run_open(run_dir, &run_options, &search->run, err));
    search->in.run = search->run;
    search->in.asking = &asking;
    SS_TRY(read.by == SS_SEARCH_FEATURES ? open_features(search, run_dir, err)
                                         : open_texts(search, run_dir, err));
    if (read.by == SS_SEARCH_MEANING) {
        SS_ALLOC_ALIGNED(embedding, search->evidence.width);
        SS_TRY(embed(search, run_dir, query, &read, embedding, err));
    }
    SS_TRY(find(search, read.by, query, err));
    search->in.asking = NULL;
    search->in.embedding = NULL;
    *out = search;
    search = NULL;
out:
    ss__free(embedding);
    ss_search_free(search);
    return status;
}

void ss_search_free(ss_search *search)
{
    if (search == NULL) {
        return;
    }
    ss_run_cosines_release(&search->cosines);
    ss_folder_evidence_release(&search->evidence);
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
    if (rank >= search->n_kept) {
        return SS_E_USAGE;
    }
    const struct found *found = &search->found[rank];
    struct ss_search_hit hit = {.struct_size = sizeof hit, .score = found->score};
    if (search->is_of_features) {
        struct ss_description description = {.struct_size = sizeof description};
        (void)ss_descriptions_get(search->in.descriptions, found->item, &description);
        hit.feature = found->item;
        hit.text = (struct ss_text){description.label, strlen(description.label)};
    } else {
        const struct ss_folder_evidence *evidence = search->in.evidence;
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
