/* GET /api/v1/rows/N: a text that the run kept, by its row in the dataset, with its features and the
 * texts that are nearest to it. */
#include <string.h>

#include "base/mem.h"
#include "web/viewer_priv.h"

enum { NEAR, N_PARAMETERS, DEFAULT_NEAR = 10, MAX_NEAR = 100 };
const char *const ss_web_row_parameters[] = {"near", NULL};

static size_t count_shared(const struct ss_sparse *codes, size_t a, size_t b)
{
    size_t n = 0, i = codes->offsets[a], k = codes->offsets[b];
    while (i < codes->offsets[a + 1] && k < codes->offsets[b + 1]) { /* both rise */
        const uint32_t left = codes->features[i], right = codes->features[k];
        n += left == right;
        i += left <= right;
        k += right <= left;
    }
    return n;
}

/* The nearest of all but `without`, rows of the evidence. */
static ss_status put_nearest(struct ss_web_api *api, const float *x, size_t n, size_t without,
                             struct ss__json_writer *writer, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_folder_evidence *evidence = &api->source.evidence;
    double *cosines = NULL;
    uint32_t *texts = NULL;
    SS_TRY(ss_web_need_cosines(api, err));
    SS_ALLOC(cosines, evidence->n_texts);
    SS_ALLOC(texts, n + 1);
    ss_run_cosines_with(&api->cosines, x, cosines);
    const size_t n_found = ss_run_cosines_largest(evidence, cosines, n + 1, texts);
    for (size_t i = 0, n_put = 0; i < n_found && n_put < n; i++) {
        if (texts[i] == without) {
            continue;
        }
        n_put++;
        ss__put_open(writer, NULL, '{');
        ss_web_put_where(writer, evidence, texts[i]);
        ss__put_number(writer, "cosine", cosines[texts[i]]);
        if (without < evidence->n_texts) {
            ss__put_count(writer, "n_shared",
                          count_shared(&evidence->codes, without, texts[i]));
        }
        ss__put_close(writer, '}');
    }
out:
    ss__free(cosines);
    ss__free(texts);
    return status;
}

ss_status ss_web_put_near(struct ss_web_api *api, const float *x, size_t n,
                          struct ss__json_writer *writer, ss_err *err)
{
    ss_status status = SS_OK;
    ss__put_open(writer, "nearest", '[');
    if (n > 0 && api->source.has_evidence && api->source.evidence.n_texts > 0) {
        status = put_nearest(api, x, n, SIZE_MAX, writer, err);
    }
    ss__put_close(writer, ']');
    return status;
}

size_t ss_web_find_row(const struct ss_folder_evidence *evidence, uint64_t row)
{
    for (size_t i = 0; i < evidence->n_texts; i++) {
        if (evidence->positions[i] == row) {
            return i;
        }
    }
    return evidence->n_texts;
}

/* The rows before and behind it that were kept, too; null at the ends. */
static void put_neighbours(const struct ss_folder_evidence *evidence, uint64_t row,
                           struct ss__json_writer *writer)
{
    const uint64_t *before = NULL, *after = NULL;
    for (size_t i = 0; i < evidence->n_texts; i++) {
        const uint64_t *at = &evidence->positions[i];
        before = *at < row && (before == NULL || *at > *before) ? at : before;
        after = *at > row && (after == NULL || *at < *after) ? at : after;
    }
    const struct {
        const char *key;
        const uint64_t *row;
    } rows[] = {{"previous_row", before}, {"next_row", after}};
    for (size_t i = 0; i < 2; i++) {
        if (rows[i].row == NULL) {
            ss__put_null(writer, rows[i].key);
        } else {
            ss__put_count(writer, rows[i].key, *rows[i].row);
        }
    }
}

/* The columns that were kept of a row, an object or null. */
static void put_kept(struct ss__json_writer *writer, struct ss_text kept)
{
    struct ss__json *document = NULL;
    const bool is_kept = kept.n_bytes > 0 && ss__json_parse("kept", kept.data, kept.n_bytes,
                                                            &document, NULL) == SS_OK;
    ss__put_value(writer, "kept", is_kept ? document : NULL);
    ss__json_free(document);
}

static ss_status put_row(struct ss_web_call *call, size_t text, size_t n_near, ss_err *err)
{
    struct ss_web_api *api = call->api;
    const struct ss_folder_evidence *evidence = &api->source.evidence;
    struct ss__json_writer *writer = &call->writer;
    ss_web_put_where(writer, evidence, text);
    ss__put_count(writer, "n_rows", evidence->counts[text]);
    put_kept(writer, evidence->kept[text]);
    put_neighbours(evidence, evidence->positions[text], writer);
    SS_RETURN_IF_ERROR(ss_web_put_active(writer, &evidence->codes, text, SIZE_MAX, err));
    ss__put_open(writer, "nearest", '[');
    SS_RETURN_IF_ERROR(put_nearest(api, evidence->embeddings + text * evidence->width, n_near,
                                   text, writer, err));
    ss__put_close(writer, ']');
    return SS_OK;
}

void ss_web_answer_row(struct ss_web_call *call)
{
    const struct ss_folder_evidence *evidence = &call->api->source.evidence;
    size_t n_near = 0;
    ss_err err = {0};
    if (!ss_web_read_count(call->values[NEAR], DEFAULT_NEAR, MAX_NEAR, &n_near)) {
        ss_web_refuse(call, 400, "near is not a number up to 100.");
        return;
    }
    if (ss_web_need_texts(call->api, &err) != SS_OK) {
        ss_web_refuse(call, 404, err.message);
        return;
    }
    const size_t text = ss_web_find_row(evidence, call->id);
    if (text == evidence->n_texts) {
        ss_web_refuse(call, 404,
                      "The run did not keep this row: it keeps a sample of the distinct texts, "
                      "and those of its features, by the first row that has them.");
    } else if (put_row(call, text, n_near, &err) != SS_OK) {
        ss_web_refuse_error(call, &err);
    }
}
