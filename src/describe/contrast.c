/* Labels by contrast: of the phrases that a feature's texts hold more often than others, those
 * whose embedding, too, tells these texts from others; all on the describe half.
 *
 * Features are worked on in blocks, so that memory does not grow with their number; a phrase is
 * embedded once over all of them. */
#include <string.h>

#include "base/stop.h"
#include "describe/contrast.h"

/* ---- candidates of a block ---- */

static void find_some(void *context, size_t index, size_t worker)
{
    const struct ss_describe_contrasting *work = context;
    struct ss_describe_labelling *labelling = &work->block[index];
    const struct ss_describe_candidate_query query = {.view = work->view,
                                                      .phrases = &work->phrases,
                                                      .pool_counts = work->pool_counts,
                                                      .coherence = work->coherence,
                                                      .sets = &labelling->sets,
                                                      .feature = labelling->feature};
    ss_describe_sets_fill(&labelling->sets, work->view, labelling->feature, false);
    ss_describe_learn(work, labelling, worker);
    labelling->status =
        ss_describe_find_candidates(&query, &work->counters[worker], labelling->candidates,
                                    &labelling->n_candidates, &labelling->err);
}

static ss_status find_candidates(struct ss_describe_contrasting *work, ss_err *err)
{
    ss_status status = SS_OK;
    ss__pool_run(work->view->pool, work->n_block, find_some, work);
    SS_TRY(ss__pool_check(work->view->pool, err));
    for (size_t i = 0; i < work->n_block; i++) {
        if (work->block[i].status != SS_OK) {
            status = work->block[i].status;
            if (err != NULL) {
                *err = work->block[i].err;
            }
            goto out;
        }
    }
out:
    return status;
}

static ss_status embed_candidates(struct ss_describe_contrasting *work, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf text = {0};
    for (size_t i = 0; i < work->n_block; i++) {
        struct ss_describe_labelling *labelling = &work->block[i];
        for (size_t c = 0; c < labelling->n_candidates; c++) {
            text.n_bytes = 0;
            ss_describe_phrase_text(&work->corpus, labelling->candidates[c].span, &text);
            SS_TRY(ss__buf_check(&text, err));
            SS_TRY(ss_describe_strings_add(&work->strings,
                                           (struct ss_text){text.data, text.n_bytes},
                                           &labelling->candidates[c].string, err));
        }
    }
    SS_TRY(ss_describe_strings_embed(&work->strings, err));
out:
    ss__buf_release(&text);
    return status;
}

/* The row of a string's vector in this block. */
static ss_status place_string(struct ss_describe_contrasting *work, uint32_t string,
                              uint32_t *row, ss_err *err)
{
    const size_t width = work->view->evidence->width;
    const size_t had = work->row_of_room;
    SS_GROW_OR_RETURN(work->row_of, work->row_of_room, work->strings.n);
    memset(work->row_of + had, 0, (work->row_of_room - had) * sizeof(uint32_t));
    if (work->row_of[string] == 0) {
        SS_GROW_OR_RETURN(work->vectors, work->vectors_room, (work->n_rows + 1) * width);
        SS_GROW_OR_RETURN(work->lengths, work->lengths_room, work->n_rows + 1);
        ss_describe_place(work, ss_describe_vector(&work->strings, string), work->n_rows);
        work->row_of[string] = (uint32_t)++work->n_rows;
    }
    *row = work->row_of[string] - 1;
    return SS_OK;
}

static ss_status measure_candidates(struct ss_describe_contrasting *work, ss_err *err)
{
    ss_status status = SS_OK;
    ss_describe_begin_trials(work);
    for (size_t i = 0; i < work->n_block; i++) {
        struct ss_describe_labelling *labelling = &work->block[i];
        labelling->n_trials = 0;
        for (uint32_t c = 0; c < labelling->n_candidates; c++) {
            uint32_t row = 0;
            SS_TRY(place_string(work, labelling->candidates[c].string, &row, err));
            SS_TRY(ss_describe_add_trial(work, labelling, c, row, err));
            labelling->candidates[c].row = row;
        }
        SS_GROW(labelling->similarities, labelling->similarities_room,
                labelling->n_candidates * labelling->sets.describe.n);
    }
    work->keeps = true;
    SS_TRY(ss_describe_measure(work, err));
    work->keeps = false;
    for (size_t t = 0; t < work->n_trials; t++) {
        const struct ss_describe_trial *trial = &work->trials[t];
        struct ss_describe_candidate *candidate =
            &trial->labelling->candidates[trial->candidate];
        candidate->worth = trial->worth + ss_describe_worth_of_z(candidate->z, 1);
        candidate->place = trial->candidate;
        candidate->length = work->lengths[trial->row];
    }
out:
    for (size_t s = 0; s < work->strings.n && s < work->row_of_room; s++) {
        work->row_of[s] = 0;
    }
    return status;
}

/* ---- the answer ---- */

static ss_status add_labels(struct ss_describe_contrasting *work, struct ss_describe_terms *out,
                            size_t *n, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf surface = {0};
    for (size_t i = 0; i < work->n_block; i++) {
        const struct ss_describe_labelling *labelling = &work->block[i];
        for (size_t k = 0; k < labelling->n_chosen; k++) {
            const struct ss_describe_candidate *candidate =
                &labelling->candidates[labelling->chosen[k]];
            surface.n_bytes = 0;
            SS_TRY(ss_describe_phrase_surface(&work->corpus, candidate->span,
                                              labelling->sets.describe.rows,
                                              labelling->sets.describe.n, &surface, err));
            SS_TRY(ss__buf_check(&surface, err));
            SS_TRY(ss_describe_terms_add(
                out, n, (struct ss_text){surface.data, surface.n_bytes}, candidate->z, err));
        }
        out->offsets[labelling->feature + 1] = *n;
    }
out:
    ss__buf_release(&surface);
    return status;
}

static ss_status label_block(struct ss_describe_contrasting *work, ss_err *err)
{
    bool is_done = false;
    SS_RETURN_IF_ERROR(find_candidates(work, err));
    SS_RETURN_IF_ERROR(embed_candidates(work, err));
    SS_RETURN_IF_ERROR(measure_candidates(work, err));
    for (size_t i = 0; i < work->n_block; i++) {
        ss_describe_begin_label(work, &work->block[i]);
    }
    while (!is_done) {
        is_done = true;
        for (size_t i = 0; i < work->n_block; i++) {
            is_done = is_done && work->block[i].is_done;
        }
        if (!is_done) {
            SS_RETURN_IF_ERROR(ss_describe_grow_labels(work, err));
        }
    }
    return SS_OK;
}

/* ---- all ---- */

static ss_status init_block(struct ss_describe_contrasting *work, ss_err *err)
{
    SS_ALLOC_OR_RETURN(work->block, SS_DESCRIBE_BLOCK);
    for (size_t i = 0; i < SS_DESCRIBE_BLOCK; i++) {
        SS_ALLOC_OR_RETURN(work->block[i].candidates, SS_DESCRIBE_MAX_CANDIDATES);
        SS_RETURN_IF_ERROR(ss_describe_sets_init(&work->block[i].sets, work->view, err));
        const size_t n = work->block[i].sets.n_rows;
        SS_ALLOC_OR_RETURN(work->block[i].probe, work->view->n_pool[SS_STATS_DESCRIBE]);
        SS_ALLOC_OR_RETURN(work->block[i].joint, n);
        SS_ALLOC_OR_RETURN(work->block[i].vector, work->view->evidence->width);
    }
    work->n_threads = ss__pool_n_threads(work->view->pool);
    SS_ALLOC_OR_RETURN(work->counters, work->n_threads);
    SS_ALLOC_OR_RETURN(work->rooms, work->n_threads);
    SS_ALLOC_OR_RETURN(work->solving, work->n_threads);
    for (size_t i = 0; i < work->n_threads; i++) {
        SS_RETURN_IF_ERROR(ss_describe_counter_init(&work->counters[i], work->phrases.n, err));
        SS_ALLOC_OR_RETURN(work->rooms[i],
                           work->block[0].sets.n_rows + work->view->evidence->width);
        SS_ALLOC_OR_RETURN(work->solving[i], 2 * work->view->evidence->width);
    }
    return SS_OK;
}

static ss_status init_contrast(struct ss_describe_contrasting *work, ss_err *err)
{
    const struct ss_describe_view *view = work->view;
    const struct ss_describe_evidence *evidence = view->evidence;
    const size_t n_describe = evidence->first[SS_STATS_SCORE];
    const size_t n_pool = view->n_pool[SS_STATS_DESCRIBE];
    SS_RETURN_IF_ERROR(
        ss_describe_corpus_init(&work->corpus, evidence->texts, n_describe, err));
    SS_RETURN_IF_ERROR(
        ss_describe_corpus_stop(&work->corpus, &work->options->stop_words, n_pool, err));
    SS_RETURN_IF_ERROR(ss_describe_phrases_init(&work->phrases, &work->corpus, n_describe,
                                                work->options->stop, err));
    SS_ALLOC_OR_RETURN(work->pool_counts, work->phrases.n);
    ss_describe_count_pool(&work->phrases, n_pool, work->pool_counts);
    SS_ALLOC_OR_RETURN(work->coherence, work->phrases.n);
    SS_RETURN_IF_ERROR(ss_describe_find_coherence(view, &work->phrases, work->pool_counts,
                                                  work->coherence, err));
    SS_RETURN_IF_ERROR(
        ss_tensor_matrix_new(n_pool, evidence->width, SS_PRECISION_HIGHEST, &work->pool, err));
    ss_tensor_matrix_fill(&work->pool, 0, n_pool, view->centred, SS_TENSOR_OUT_BY_IN);
    SS_RETURN_IF_ERROR(init_block(work, err));
    if (evidence->width <= SS_DESCRIBE_PROBE_MAX_WIDTH) {
        SS_RETURN_IF_ERROR(ss_describe_probe_init(&work->probe, view, err));
    }
    return ss_describe_learn_joining(work, err);
}

static void release_contrast(struct ss_describe_contrasting *work)
{
    for (size_t i = 0; work->block != NULL && i < SS_DESCRIBE_BLOCK; i++) {
        ss__free(work->block[i].candidates);
        ss__free(work->block[i].probe);
        ss__free(work->block[i].similarities);
        ss__free(work->block[i].joint);
        ss__free(work->block[i].vector);
        ss_describe_sets_release(&work->block[i].sets);
    }
    for (size_t i = 0; work->solving != NULL && i < work->n_threads; i++) {
        ss_describe_counter_release(&work->counters[i]);
        ss__free(work->rooms[i]);
        ss__free(work->solving[i]);
    }
    ss__free(work->block);
    ss__free(work->counters);
    ss__free(work->rooms);
    ss__free(work->solving);
    ss_describe_probe_release(&work->probe);
    ss__free(work->trials);
    ss__free(work->vectors);
    ss__free(work->products);
    ss__free(work->candidate_products);
    ss__free(work->lengths);
    ss__free(work->steps);
    ss__free(work->row_of);
    ss__free(work->pool_counts);
    ss__free(work->coherence);
    ss_tensor_matrix_release(&work->pool);
    ss_describe_strings_release(&work->strings);
    ss_describe_phrases_release(&work->phrases);
    ss_describe_corpus_release(&work->corpus);
}

ss_status ss_describe_contrast(const struct ss_describe_view *view,
                               const struct ss_describe_contrast_options *options,
                               struct ss_describe_terms *out, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n_features = view->evidence->n_features;
    struct ss_describe_contrasting work = {.view = view, .options = options};
    struct ss__step step;
    const size_t n_block = options->n_block == 0 || options->n_block > SS_DESCRIBE_BLOCK
                               ? SS_DESCRIBE_BLOCK
                               : options->n_block;
    size_t n = 0;
    work.strings = (struct ss_describe_strings){
        .embedder = options->embedder, .stop = options->stop, .keeps_lengths = true};
    SS_TRY(ss_describe_terms_init(out, n_features, err));
    if (view->n_pool[SS_STATS_DESCRIBE] == 0) {
        goto out;
    }
    ss__step_begin(&step, options->stop, options->step == NULL ? "labels" : options->step,
                   options->unit == NULL ? "feature" : options->unit);
    SS_TRY(ss__step_tell(&step, 0, n_features, err));
    SS_TRY(init_contrast(&work, err));
    for (size_t f = 0; f < n_features; f += work.n_block) {
        work.n_block = ss__min_size(n_block, n_features - f);
        for (size_t i = 0; i < work.n_block; i++) {
            work.block[i].feature = f + i;
        }
        SS_TRY(label_block(&work, err));
        SS_TRY(add_labels(&work, out, &n, err));
        SS_TRY(ss__step_tell(&step, f + work.n_block, n_features, err));
    }
out:
    release_contrast(&work);
    if (status != SS_OK) {
        ss_describe_terms_release(out);
    }
    return status;
}

ss_status ss_describe_join(const struct ss_describe_terms *terms, size_t n_most,
                           struct ss__arena *arena, struct ss_text *labels, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf label = {0};
    for (size_t f = 0; f < terms->n_features; f++) {
        label.n_bytes = 0;
        const size_t n = ss__min_size(n_most, terms->offsets[f + 1] - terms->offsets[f]);
        for (size_t i = terms->offsets[f]; i < terms->offsets[f] + n; i++) {
            if (i > terms->offsets[f]) {
                ss__buf_add_text(&label, ", ");
            }
            ss__buf_add(&label, terms->terms[i].text.data, terms->terms[i].text.n_bytes);
        }
        SS_TRY(ss__buf_check(&label, err));
        labels[f].data = ss__arena_strndup(arena, label.data, label.n_bytes);
        labels[f].n_bytes = label.n_bytes;
        if (labels[f].data == NULL) {
            status = ss__fail_nomem(err, "labels");
            goto out;
        }
    }
out:
    ss__buf_release(&label);
    return status;
}
