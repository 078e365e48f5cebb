/* What an encoder makes of phrases joined by commas. The vector of "a, b" lies near the sum of
 * those of "a" and "b", weighed by their lengths, and a step from it that is the same whatever
 * the phrases are: texts that are lists are alike. With the step known, which is found once from
 * joint texts made for it, all candidates can be compared without an encoder. */
#include <math.h>
#include <string.h>

#include "describe/contrast.h"

enum { GROUPS = 48 }; /* of as many phrases as a label has at most */

/* Phrases of one text that stand for what labels are made of. */
static size_t choose_group(const struct ss_describe_contrasting *work, size_t text,
                           uint32_t group[SS_DESCRIBE_PHRASES])
{
    const struct ss_describe_phrases *phrases = &work->phrases;
    const size_t begin = phrases->offsets[text], end = phrases->offsets[text + 1];
    size_t n_fit = 0, n = 0;
    for (size_t round = 0; round < 2; round++) {
        size_t i = 0;
        for (size_t at = begin; at < end && n < SS_DESCRIBE_PHRASES; at++) {
            const uint32_t phrase = phrases->list[at];
            if (work->pool_counts[phrase] < 3 ||
                work->coherence[phrase] < SS_DESCRIBE_LEAST_COHERENCE) {
                continue;
            }
            if (round == 0) {
                n_fit++;
            } else if (i++ == n * n_fit / SS_DESCRIBE_PHRASES) {
                group[n++] = phrase;
            }
        }
    }
    return n_fit < SS_DESCRIBE_PHRASES ? 0 : n;
}

struct joining {
    struct ss_describe_strings strings; /* of groups: a, b, "a, b", c, "a, b, c", … */
    uint32_t *numbers;                  /* [groups, 2 * SS_DESCRIBE_PHRASES] */
    size_t n_groups;
};

static ss_status add_group(const struct ss_describe_contrasting *work, struct joining *joining,
                           const uint32_t *group, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf one = {0}, joint = {0};
    uint32_t *numbers =
        joining->numbers + joining->n_groups * (size_t)(2 * SS_DESCRIBE_PHRASES);
    for (size_t i = 0; i < SS_DESCRIBE_PHRASES; i++) {
        one.n_bytes = 0;
        ss_describe_phrase_text(&work->corpus, work->phrases.phrases[group[i]], &one);
        ss__buf_add_text(&joint, i == 0 ? "" : ", ");
        ss__buf_add(&joint, one.data, one.n_bytes);
        SS_TRY(ss__buf_check(&joint, err));
        SS_TRY(ss__buf_check(&one, err));
        SS_TRY(ss_describe_strings_add(
            &joining->strings, (struct ss_text){one.data, one.n_bytes}, &numbers[2 * i], err));
        SS_TRY(ss_describe_strings_add(&joining->strings,
                                       (struct ss_text){joint.data, joint.n_bytes},
                                       &numbers[2 * i + 1], err));
    }
    joining->n_groups++;
out:
    ss__buf_release(&one);
    ss__buf_release(&joint);
    return status;
}

double ss_describe_weight_of_parts(size_t n_parts, size_t n_bytes, size_t n_bytes_more)
{
    const double ratio = (double)n_bytes / (double)ss__max_size(1, n_bytes_more);
    return n_parts == 1 ? sqrt(ratio) : ratio;
}

/* What is left of a joint text's direction behind that of the sum of its parts. */
static void add_rest(const struct ss_describe_contrasting *work, const struct joining *joining,
                     const uint32_t *numbers, size_t n_parts, double *sums, float *rooms)
{
    const struct ss_describe_view *view = work->view;
    const size_t width = view->evidence->width;
    const struct ss_describe_strings *strings = &joining->strings;
    const float *a = ss_describe_vector(strings, numbers[2 * n_parts - 1]);
    const float *b = ss_describe_vector(strings, numbers[2 * n_parts]);
    const float *joint = ss_describe_vector(strings, numbers[2 * n_parts + 1]);
    const float weight = (float)ss_describe_weight_of_parts(
        n_parts, strings->texts[numbers[2 * n_parts - 1]].n_bytes,
        strings->texts[numbers[2 * n_parts]].n_bytes);
    float *sum = rooms, *whole = rooms + width;
    for (size_t k = 0; k < width; k++) {
        sum[k] = weight * (a[k] - view->mean[k]) + (b[k] - view->mean[k]);
    }
    ss_describe_normalize(sum, width, sum);
    ss_describe_centre(view, joint, whole);
    for (size_t k = 0; k < width; k++) {
        sums[k] += (double)whole[k] - (double)sum[k];
    }
}

/* Similarities of the step with the texts that may describe. */
static void place_step(struct ss_describe_contrasting *work, size_t n_parts, const float *step)
{
    const struct ss_describe_view *view = work->view;
    const size_t width = view->evidence->width;
    const size_t n = view->evidence->first[SS_STATS_SCORE];
    for (size_t t = 0; t < n; t++) {
        work->steps[(n_parts - 1) * n + t] =
            ss_tensor_dot(view->centred + t * width, step, width);
    }
}

static ss_status find_steps(struct ss_describe_contrasting *work, const struct joining *joining,
                            ss_err *err)
{
    ss_status status = SS_OK;
    const size_t width = work->view->evidence->width;
    double *sums = NULL;
    float *rooms = NULL;
    SS_ALLOC(sums, width);
    SS_ALLOC(rooms, 2 * width);
    for (size_t n_parts = 1; n_parts < SS_DESCRIBE_PHRASES; n_parts++) {
        memset(sums, 0, width * sizeof *sums);
        for (size_t g = 0; g < joining->n_groups; g++) {
            add_rest(work, joining, joining->numbers + g * (size_t)(2 * SS_DESCRIBE_PHRASES),
                     n_parts, sums, rooms);
        }
        for (size_t k = 0; k < width; k++) {
            rooms[k] = (float)(sums[k] / (double)ss__max_size(1, joining->n_groups));
        }
        place_step(work, n_parts, rooms);
    }
out:
    ss__free(sums);
    ss__free(rooms);
    return status;
}

ss_status ss_describe_learn_joining(struct ss_describe_contrasting *work, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n_pool = work->view->n_pool[SS_STATS_DESCRIBE];
    struct joining joining = {.strings = {.embedder = work->options->embedder,
                                          .stop = work->options->stop,
                                          .keeps_lengths = true}};
    uint32_t group[SS_DESCRIBE_PHRASES];
    SS_ALLOC(work->steps,
             (SS_DESCRIBE_PHRASES - 1) * work->view->evidence->first[SS_STATS_SCORE]);
    SS_ALLOC(joining.numbers, (size_t)GROUPS * 2 * SS_DESCRIBE_PHRASES);
    for (size_t i = 0; i < GROUPS && i < n_pool; i++) {
        if (choose_group(work, n_pool <= GROUPS ? i : i * n_pool / GROUPS, group) ==
            SS_DESCRIBE_PHRASES) {
            SS_TRY(add_group(work, &joining, group, err));
        }
    }
    SS_TRY(ss_describe_strings_embed(&joining.strings, err));
    SS_TRY(find_steps(work, &joining, err));
out:
    ss__free(joining.numbers);
    ss_describe_strings_release(&joining.strings);
    return status;
}
