/* GET /api/v1/search?q=&by=words|meaning|features&limit=: what `saescope search --json` prints. */
#include <string.h>

#include "base/mem.h"
#include "run/search.h"
#include "web/viewer_priv.h"

enum { Q, BY, LIMIT, N_PARAMETERS, DEFAULT_LIMIT = 10, MAX_LIMIT = 1000, N_SHOWN = 5 };
const char *const ss_web_search_parameters[] = {"q", "by", "limit", NULL};

static const char *read_by(const char *text, ss_search_by *by)
{
    static const char *const names[] = {[SS_SEARCH_WORDS] = "words",
                                        [SS_SEARCH_MEANING] = "meaning",
                                        [SS_SEARCH_FEATURES] = "features"};
    *by = SS_SEARCH_WORDS;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *by = (ss_search_by)i;
            return NULL;
        }
    }
    return text[0] == '\0' ? NULL : "by is not one of words, meaning, features.";
}

/* The strongest features of a hit, the strongest first. */
static void put_strongest(struct ss__json_writer *writer, const struct ss_search_hit *hit)
{
    size_t places[N_SHOWN], n = 0;
    for (size_t i = 0; i < hit->n_features; i++) {
        size_t at = n < N_SHOWN ? n++ : N_SHOWN;
        for (; at > 0 && hit->activations[places[at - 1]] < hit->activations[i]; at--) {
            if (at < N_SHOWN) {
                places[at] = places[at - 1];
            }
        }
        if (at < N_SHOWN) {
            places[at] = i;
        }
    }
    ss__put_open(writer, "features", '[');
    for (size_t i = 0; i < n; i++) {
        ss__put_open(writer, NULL, '{');
        ss__put_count(writer, "feature", hit->features[places[i]]);
        ss_web_put_float(writer, "activation", hit->activations[places[i]]);
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
}

static void put_hit(struct ss__json_writer *writer, const struct ss_search_hit *hit)
{
    ss__put_open(writer, NULL, '{');
    ss__put_number(writer, "score", hit->score);
    if (hit->feature != SS_NO_FEATURE) {
        ss__put_count(writer, "feature", hit->feature);
        ss__put_string(writer, "label", hit->text);
    } else {
        ss__put_count(writer, "row", hit->row);
        ss__put_string(writer, "file", hit->file);
        ss__put_string(writer, "text", hit->text);
        put_strongest(writer, hit);
    }
    ss__put_close(writer, '}');
}

static ss_status embed_query(struct ss_web_api *api, const char *query, float **embedding,
                             struct ss_run_search_in *in, ss_err *err)
{
    const struct ss_text text = {query, strlen(query)};
    SS_RETURN_IF_ERROR(ss_web_need_cosines(api, err));
    SS_RETURN_IF_ERROR(ss_web_need_encoder(api, err));
    SS_ALLOC_ALIGNED_OR_RETURN(*embedding, api->source.evidence.width);
    SS_RETURN_IF_ERROR(ss_encoder_embed(api->models.encoder, api->models.work, &text, 1,
                                        *embedding, NULL, err));
    in->cosines = &api->cosines;
    in->embedding = *embedding;
    return SS_OK;
}

static ss_status prepare(struct ss_web_api *api, ss_search_by by, const char *query,
                         float **embedding, struct ss_run_search_in *in, ss_err *err)
{
    if (by == SS_SEARCH_FEATURES) {
        return in->descriptions != NULL
                   ? SS_OK
                   : ss__fail(err, SS_E_UNSUPPORTED,
                              "this run has no labels: saescope describe RUN makes them");
    }
    SS_RETURN_IF_ERROR(ss_web_need_texts(api, err));
    if (!api->source.evidence.has_texts) {
        return ss__fail(err, SS_E_UNSUPPORTED, "this run was made without texts");
    }
    return by == SS_SEARCH_MEANING ? embed_query(api, query, embedding, in, err) : SS_OK;
}

static ss_status search(struct ss_web_call *call, ss_search_by by, size_t limit, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_web_api *api = call->api;
    struct ss__json_writer *writer = &call->writer;
    struct ss_run_search_in in = {.run = api->source.run,
                                  .descriptions = api->source.descriptions,
                                  .evidence = &api->source.evidence,
                                  .asking = api->source.asking};
    ss_search *found = NULL;
    float *embedding = NULL;
    size_t n_searched = 0, n_found = 0, n_listed = 0;
    SS_TRY(prepare(api, by, call->values[Q], &embedding, &in, err));
    SS_TRY(ss_run_search(&in, by, call->values[Q], limit, &found, err));
    ss_search_sizes(found, &n_searched, &n_found, &n_listed);
    ss__put_text(writer, "query", call->values[Q]);
    ss__put_count(writer, "n_searched", n_searched);
    ss__put_count(writer, "n_found", n_found);
    ss__put_open(writer, "found", '[');
    for (size_t i = 0; i < n_listed; i++) {
        struct ss_search_hit hit = {.struct_size = sizeof hit};
        SS_TRY(ss_search_get(found, i, &hit));
        put_hit(writer, &hit);
    }
    ss__put_close(writer, ']');
out:
    ss_search_free(found);
    ss__free(embedding);
    return status;
}

void ss_web_answer_search(struct ss_web_call *call)
{
    ss_search_by by = SS_SEARCH_WORDS;
    size_t limit = 0;
    ss_err err = {0};
    const char *why = read_by(call->values[BY], &by);
    if (why != NULL) {
        ss_web_refuse(call, 400, why);
    } else if (!ss_web_read_count(call->values[LIMIT], DEFAULT_LIMIT, MAX_LIMIT, &limit) ||
               limit == 0) {
        ss_web_refuse(call, 400, "limit is not a number from 1 to 1000.");
    } else if (search(call, by, limit, &err) != SS_OK) {
        ss_web_refuse_error(call, &err);
    }
}
