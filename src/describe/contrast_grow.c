/* Growing labels: by the phrase whose joint text "a, b" is worth most. The vector of a joint
 * text is near the mean of the vectors of its parts, so that all candidates can be tried
 * without an encoder, by adding similarities; then the joint texts of the best of them are
 * embedded. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/sort.h"
#include "describe/contrast.h"

enum { SCREENED_IDLE = 1000 };
static const double least_gain = 0.01;
static const double most_alike = 0.85; /* cosine with a phrase that was chosen */
static const double least_z = 1;       /* of a phrase that is added */

static int by_worth(const void *left, const void *right)
{
    const struct ss_describe_candidate *a = left;
    const struct ss_describe_candidate *b = right;
    if (a->worth != b->worth) {
        return a->worth > b->worth ? -1 : 1;
    }
    return (a->place > b->place) - (a->place < b->place);
}

/* Similarities of a candidate that stand ready: with the describing texts, and by row of the
 * pool. */
static const float *with_describing(const struct ss_describe_labelling *labelling,
                                    uint32_t candidate)
{
    return labelling->similarities +
           labelling->candidates[candidate].place * labelling->sets.describe.n;
}

static const float *with_pool(const struct ss_describe_contrasting *work,
                              const struct ss_describe_labelling *labelling, uint32_t candidate)
{
    return work->candidate_products +
           labelling->candidates[candidate].row * work->view->n_pool[SS_STATS_DESCRIBE];
}

void ss_describe_begin_label(const struct ss_describe_contrasting *work,
                             struct ss_describe_labelling *labelling)
{
    const size_t n = labelling->sets.describe.n;
    labelling->n_chosen = 0;
    labelling->is_done = labelling->n_candidates == 0;
    if (labelling->is_done) {
        return;
    }
    ss__sort(labelling->candidates, labelling->n_candidates, sizeof *labelling->candidates,
             by_worth);
    const struct ss_describe_candidate *first = &labelling->candidates[0];
    labelling->chosen[labelling->n_chosen++] = 0;
    labelling->best = first->worth - ss_describe_worth_of_z(first->z, 1);
    memcpy(labelling->joint, with_describing(labelling, 0), n * sizeof(float));
    memcpy(labelling->joint + n, with_pool(work, labelling, 0),
           work->view->n_pool[SS_STATS_DESCRIBE] * sizeof(float));
    labelling->joint_length = (double)first->length;
    ss_describe_centre(work->view, ss_describe_vector(&work->strings, first->string),
                       labelling->vector);
    labelling->n_bytes = work->strings.texts[first->string].n_bytes;
}

/* ---- all candidates, without an encoder ---- */

/* Whether a phrase says a word of the label again. */
static bool says_again(const struct ss_describe_contrasting *work,
                       const struct ss_describe_labelling *labelling, uint32_t candidate)
{
    const struct ss_text text = work->strings.texts[labelling->candidates[candidate].string];
    for (size_t i = 0; i < labelling->n_chosen; i++) {
        const uint32_t chosen = labelling->chosen[i];
        if (ss_describe_repeats(&work->corpus, text,
                                work->strings.texts[labelling->candidates[chosen].string])) {
            return true;
        }
    }
    return false;
}

static bool is_alike(const struct ss_describe_contrasting *work,
                     const struct ss_describe_labelling *labelling, uint32_t candidate)
{
    const size_t width = work->view->evidence->width;
    const float *x =
        ss_describe_vector(&work->strings, labelling->candidates[candidate].string);
    for (size_t i = 0; i < labelling->n_chosen; i++) {
        const float *y = ss_describe_vector(&work->strings,
                                            labelling->candidates[labelling->chosen[i]].string);
        const double lengths = sqrt((double)ss_tensor_sum_squares(x, width) *
                                    (double)ss_tensor_sum_squares(y, width));
        if (labelling->chosen[i] == candidate ||
            (double)ss_tensor_dot(x, y, width) >= most_alike * lengths) {
            return true;
        }
    }
    return false;
}

/* What the label and a candidate count for in the direction of their joint text. */
struct parts {
    float old, more;
};

static struct parts weigh_parts(const struct ss_describe_contrasting *work,
                                const struct ss_describe_labelling *labelling,
                                uint32_t candidate)
{
    const struct ss_describe_candidate *other = &labelling->candidates[candidate];
    const size_t width = work->view->evidence->width;
    const double more = (double)other->length;
    const double old = labelling->joint_length *
                       ss_describe_weight_of_parts(labelling->n_chosen, labelling->n_bytes,
                                                   work->strings.texts[other->string].n_bytes);
    const float *x = ss_describe_vector(&work->strings, other->string);
    const double product = (double)(ss_tensor_dot(x, labelling->vector, width) -
                                    ss_tensor_dot(work->view->mean, labelling->vector, width));
    const double squares = old * old + more * more + 2 * old * product;
    const double factor = squares > 0 ? 1 / sqrt(squares) : 0;
    return (struct parts){(float)(old * factor), (float)(more * factor)};
}

static double screen_candidate(const struct ss_describe_contrasting *work,
                               const struct ss_describe_labelling *labelling,
                               uint32_t candidate, float *room)
{
    const size_t n = labelling->sets.describe.n;
    const size_t n_pool = work->view->n_pool[SS_STATS_DESCRIBE];
    const float *describing = with_describing(labelling, candidate);
    const float *pool = with_pool(work, labelling, candidate);
    const struct parts parts = weigh_parts(work, labelling, candidate);
    const float *steps =
        work->steps + (labelling->n_chosen - 1) * work->view->evidence->first[SS_STATS_SCORE];
    for (size_t i = 0; i < n; i++) {
        room[i] = parts.old * labelling->joint[i] + parts.more * describing[i] +
                  steps[labelling->sets.describe.rows[i]];
    }
    for (size_t i = 0; i < n_pool; i++) {
        room[n + i] = parts.old * labelling->joint[n + i] + parts.more * pool[i] + steps[i];
    }
    ss_describe_sort(room, n);
    return ss_describe_worth_of(labelling, room, room + n, n_pool, SCREENED_IDLE) +
           ss_describe_worth_of_z(labelling->candidates[candidate].z, labelling->n_chosen + 1);
}

/* Joint texts are embedded for the best of each round: fewer where they are longer. */
static size_t most_tried(const struct ss_describe_labelling *labelling)
{
    static const uint8_t tried[SS_DESCRIBE_PHRASES] = {0, 8, 4, 3, 2};
    return tried[labelling->n_chosen];
}

static void note_tried(struct ss_describe_labelling *labelling, uint32_t candidate,
                       double worth)
{
    size_t at = labelling->n_tried;
    while (at > 0 && worth > labelling->tried[at - 1].worth) {
        at--;
    }
    if (at == most_tried(labelling)) {
        return;
    }
    labelling->n_tried += labelling->n_tried < most_tried(labelling);
    for (size_t i = labelling->n_tried - 1; i > at; i--) {
        labelling->tried[i] = labelling->tried[i - 1];
    }
    labelling->tried[at] = (struct ss_describe_tried){candidate, worth};
}

static void screen_label(void *context, size_t index, size_t worker)
{
    const struct ss_describe_contrasting *work = context;
    struct ss_describe_labelling *labelling = &work->block[index];
    labelling->n_tried = 0;
    for (uint32_t c = 0; !labelling->is_done && c < labelling->n_candidates; c++) {
        if (labelling->candidates[c].z >= least_z && !is_alike(work, labelling, c) &&
            !says_again(work, labelling, c)) {
            note_tried(labelling, c, screen_candidate(work, labelling, c, work->rooms[worker]));
        }
    }
}

/* ---- joint texts ---- */

/* Of the block, one behind the other. */
struct joints {
    struct ss__buf bytes;
    size_t *ends;
    struct ss_text *texts;
    size_t n, ends_room, texts_room;
};

static void add_joint_text(const struct ss_describe_contrasting *work,
                           const struct ss_describe_labelling *labelling, uint32_t candidate,
                           struct ss__buf *out)
{
    for (size_t i = 0; i <= labelling->n_chosen; i++) {
        const uint32_t c = i < labelling->n_chosen ? labelling->chosen[i] : candidate;
        const struct ss_text text = work->strings.texts[labelling->candidates[c].string];
        if (i > 0) {
            ss__buf_add_text(out, ", ");
        }
        ss__buf_add(out, text.data, text.n_bytes);
    }
}

static ss_status propose_joints(struct ss_describe_contrasting *work,
                                struct ss_describe_labelling *labelling, struct joints *joints,
                                ss_err *err)
{
    labelling->first_trial = work->n_trials;
    labelling->n_trials = 0;
    for (size_t i = 0; i < labelling->n_tried; i++) {
        const uint32_t candidate = labelling->tried[i].candidate;
        add_joint_text(work, labelling, candidate, &joints->bytes);
        SS_RETURN_IF_ERROR(ss__buf_check(&joints->bytes, err));
        SS_GROW_OR_RETURN(joints->ends, joints->ends_room, joints->n + 1);
        joints->ends[joints->n++] = joints->bytes.n_bytes;
        SS_RETURN_IF_ERROR(
            ss_describe_add_trial(work, labelling, candidate, (uint32_t)(joints->n - 1), err));
    }
    labelling->is_done = labelling->n_tried == 0;
    return SS_OK;
}

static ss_status embed_joints(struct ss_describe_contrasting *work, struct joints *joints,
                              ss_err *err)
{
    const size_t width = work->view->evidence->width;
    SS_GROW_OR_RETURN(joints->texts, joints->texts_room, joints->n);
    for (size_t i = 0; i < joints->n; i++) {
        const size_t begin = i == 0 ? 0 : joints->ends[i - 1];
        joints->texts[i] =
            (struct ss_text){joints->bytes.data + begin, joints->ends[i] - begin};
    }
    SS_GROW_OR_RETURN(work->vectors, work->vectors_room, joints->n * width);
    SS_GROW_OR_RETURN(work->lengths, work->lengths_room, joints->n);
    const struct ss_describe_batch batch = {.embedder = &work->options->embedder,
                                            .texts = joints->texts,
                                            .n = joints->n,
                                            .stop = work->options->stop};
    SS_RETURN_IF_ERROR(ss_describe_embed_all(&batch, work->vectors, err));
    for (size_t i = 0; i < joints->n; i++) {
        ss_describe_place(work, work->vectors + i * width, i);
    }
    work->n_rows = joints->n;
    return SS_OK;
}

/* ---- the step ---- */

/* With few texts areas are noise, and every phrase seems to add something. */
static size_t most_phrases(const struct ss_describe_labelling *labelling)
{
    return labelling->sets.describe.n < SS_DESCRIBE_FEW_TEXTS ? SS_DESCRIBE_FEW_PHRASES
                                                              : SS_DESCRIBE_PHRASES;
}

static void take_phrase(const struct ss_describe_contrasting *work,
                        struct ss_describe_labelling *labelling,
                        const struct ss_describe_trial *trial)
{
    const size_t n_pool = work->view->n_pool[SS_STATS_DESCRIBE];
    labelling->best = trial->worth;
    labelling->chosen[labelling->n_chosen++] = trial->candidate;
    ss_describe_compare(work, labelling, trial->row, labelling->joint);
    memcpy(labelling->joint + labelling->sets.describe.n, work->products + trial->row * n_pool,
           n_pool * sizeof(float));
    labelling->joint_length = (double)work->lengths[trial->row];
    memcpy(labelling->vector, work->vectors + trial->row * work->view->evidence->width,
           work->view->evidence->width * sizeof(float));
    labelling->n_bytes +=
        2 + work->strings.texts[labelling->candidates[trial->candidate].string].n_bytes;
    labelling->is_done = labelling->n_chosen == most_phrases(labelling);
}

static void take_best(const struct ss_describe_contrasting *work,
                      struct ss_describe_labelling *labelling)
{
    const struct ss_describe_trial *trials = work->trials + labelling->first_trial;
    size_t best = 0;
    double best_worth = 0;
    for (size_t i = 0; i < labelling->n_trials; i++) {
        const double z = labelling->candidates[trials[i].candidate].z;
        const double worth =
            trials[i].worth + ss_describe_worth_of_z(z, labelling->n_chosen + 1);
        if (i == 0 || worth > best_worth) {
            best = i;
            best_worth = worth;
        }
    }
    if (trials[best].worth < labelling->best + least_gain) {
        labelling->is_done = true;
    } else {
        take_phrase(work, labelling, &trials[best]);
    }
}

ss_status ss_describe_grow_labels(struct ss_describe_contrasting *work, ss_err *err)
{
    ss_status status = SS_OK;
    struct joints joints = {0};
    ss_describe_begin_trials(work);
    ss__pool_run(work->view->pool, work->n_block, screen_label, work);
    SS_TRY(ss__pool_check(work->view->pool, err));
    for (size_t i = 0; i < work->n_block; i++) {
        if (!work->block[i].is_done) {
            SS_TRY(propose_joints(work, &work->block[i], &joints, err));
        }
    }
    SS_TRY(embed_joints(work, &joints, err));
    SS_TRY(ss_describe_measure(work, err));
    for (size_t i = 0; i < work->n_block; i++) {
        if (!work->block[i].is_done) {
            take_best(work, &work->block[i]);
        }
    }
out:
    ss__buf_release(&joints.bytes);
    ss__free(joints.ends);
    ss__free(joints.texts);
    return status;
}
