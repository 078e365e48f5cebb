/* GET /api/v1/diff?by=COLUMN&q_max=&offset=&limit=: what `saescope diff --json` prints, of this run
 * and the one that the viewer was started with, or of the groups of a kept column. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "web/viewer_priv.h"

enum { BY, Q_MAX, OFFSET, LIMIT, N_PARAMETERS };
enum { DEFAULT_LIMIT = 100, MAX_LIMIT = 1000, MAX_OFFSET = 100000000 };
const char *const ss_web_diff_parameters[] = {"by", "q_max", "offset", "limit", NULL};

ss_status ss_web_compare(struct ss_web_api *api, const char *by, ss_err *err)
{
    const bool is_by = by[0] != '\0';
    struct ss_diff_options options = {.struct_size = sizeof options, .by = is_by ? by : NULL};
    ss_diff **place = is_by ? &api->groups : &api->source.diff, *diff = NULL;
    if (*place != NULL && (!is_by || strcmp(api->groups_by, by) == 0)) {
        return SS_OK;
    }
    if (api->source.asking != NULL) {
        options.progress = api->source.asking->stop;
    }
    SS_RETURN_IF_ERROR(
        ss_diff_run(api->source.folder, is_by ? NULL : api->with, &options, &diff, err));
    ss_diff_free(*place);
    *place = diff;
    memcpy(api->groups_by, by, is_by ? strlen(by) + 1 : 0);
    return SS_OK;
}

static void put_difference(struct ss__json_writer *writer, const struct ss_web_source *source,
                           const struct ss_difference *item)
{
    struct ss_description description = {.struct_size = sizeof description, .label = ""};
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"difference_pct", item->difference_pct},
                   {"low_pct", item->low_pct},
                   {"high_pct", item->high_pct},
                   {"effect", item->effect},
                   {"odds_ratio", item->odds_ratio},
                   {"z", item->z},
                   {"p", item->p},
                   {"q", item->q}};
    if (source->descriptions != NULL) {
        (void)ss_descriptions_get(source->descriptions, item->feature_a, &description);
    }
    ss__put_open(writer, NULL, '{');
    ss__put_count(writer, "feature_a", item->feature_a);
    ss__put_count(writer, "feature_b", item->feature_b);
    ss_web_put_finite(writer, "similarity", item->similarity);
    ss__put_text(writer, "group", item->group);
    ss__put_count(writer, "n_fires_a", item->n_fires_a);
    ss__put_count(writer, "n_rows_a", item->n_rows_a);
    ss__put_count(writer, "n_fires_b", item->n_fires_b);
    ss__put_count(writer, "n_rows_b", item->n_rows_b);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        ss_web_put_finite(writer, numbers[i].key, numbers[i].value);
    }
    ss__put_text(writer, "label", description.label);
    ss__put_close(writer, '}');
}

struct page {
    double most_q;
    size_t offset, limit;
};

static void put_differences(struct ss_web_call *call, const ss_diff *diff,
                            const struct page *page)
{
    struct ss__json_writer *writer = &call->writer;
    struct ss_diff_info info = {.struct_size = sizeof info};
    size_t n_found = 0;
    ss_diff_describe(diff, &info);
    ss__put_bool(writer, "same_sae", info.is_same_sae);
    ss__put_count(writer, "n_compared", info.n);
    ss__put_count(writer, "n_unmatched_a", info.n_unmatched_a);
    ss__put_count(writer, "n_unmatched_b", info.n_unmatched_b);
    ss__put_open(writer, "differences", '[');
    for (size_t i = 0; i < info.n; i++) {
        struct ss_difference item = {.struct_size = sizeof item};
        (void)ss_diff_get(diff, i, &item);
        if (item.q > page->most_q) {
            continue;
        }
        if (n_found >= page->offset && n_found - page->offset < page->limit) {
            put_difference(writer, &call->api->source, &item);
        }
        n_found++;
    }
    ss__put_close(writer, ']');
    ss__put_count(writer, "n_found", n_found);
}

static const char *read_page(const struct ss_web_call *call, struct page *page)
{
    const char *q = call->values[Q_MAX];
    page->most_q = INFINITY;
    if (q[0] != '\0') {
        if (!ss__parse_double(q, strlen(q), &page->most_q) ||
            !(page->most_q >= 0 && page->most_q <= 1)) {
            return "q_max is not a number from 0 to 1.";
        }
    }
    if (!ss_web_read_count(call->values[OFFSET], 0, MAX_OFFSET, &page->offset)) {
        return "offset is not a number up to 100000000.";
    }
    return ss_web_read_count(call->values[LIMIT], DEFAULT_LIMIT, MAX_LIMIT, &page->limit)
               ? NULL
               : "limit is not a number up to 1000.";
}

void ss_web_answer_diff(struct ss_web_call *call)
{
    struct page page;
    ss_err err = {0};
    const char *by = call->values[BY], *why = read_page(call, &page);
    if (why != NULL) {
        ss_web_refuse(call, 400, why);
    } else if (by[0] == '\0' && call->api->with == NULL) {
        ss_web_refuse(
            call, 404,
            "There is no other run to compare with, which the viewer is started with; "
            "by=COLUMN compares groups of this one.");
    } else if (ss_web_compare(call->api, by, &err) != SS_OK) {
        err.code = err.code == SS_E_NOINPUT ? SS_E_UNSUPPORTED : err.code; /* no such column */
        ss_web_refuse_error(call, &err);
    } else {
        put_differences(call, by[0] == '\0' ? call->api->source.diff : call->api->groups,
                        &page);
    }
}
