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
static const double least_gain = 0.002;
static const double most_alike = 0.85; /* cosine with a phrase that was chosen */
static const double price_of_repeats = 0.03;

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
}

/* ---- all candidates, without an encoder ---- */

/* ---- words of one stem ---- */

enum { STEM_CHARACTERS = 4 };
static const double stem_share = 0.66; /* of the shorter word */

/* The next word of a phrase, between spaces and hyphens. */
static bool next_word(struct ss_text phrase, size_t *at, struct ss_text *word)
{
    while (*at < phrase.n_bytes && (phrase.data[*at] == ' ' || phrase.data[*at] == '-')) {
        ++*at;
    }
    const size_t begin = *at;
    while (*at < phrase.n_bytes && phrase.data[*at] != ' ' && phrase.data[*at] != '-') {
        ++*at;
    }
    *word = (struct ss_text){phrase.data + begin, *at - begin};
    return *at > begin;
}

static size_t count_characters(struct ss_text text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n_bytes; i++) {
        n += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    }
    return n;
}

static char lower_of(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Whether two words begin alike, as "vortex" and "vortices". */
static bool have_one_stem(struct ss_text a, struct ss_text b)
{
    size_t n = 0;
    while (n < a.n_bytes && n < b.n_bytes && lower_of(a.data[n]) == lower_of(b.data[n])) {
        n++;
    }
    if (n == a.n_bytes && n == b.n_bytes) {
        return true;
    }
    const size_t n_same = count_characters((struct ss_text){a.data, n});
    const size_t n_less = count_characters(a.n_bytes < b.n_bytes ? a : b);
    return n_same >= STEM_CHARACTERS && (double)n_same >= stem_share * (double)n_less;
}

static bool repeats(struct ss_text a, struct ss_text b)
{
    struct ss_text word, other;
    for (size_t i = 0; next_word(a, &i, &word);) {
        for (size_t j = 0; next_word(b, &j, &other);) {
            if (have_one_stem(word, other)) {
                return true;
            }
        }
    }
    return false;
}

/* What a phrase has to be worth more for if it says a word of the label again. */
static double price_of(const struct ss_describe_contrasting *work,
                       const struct ss_describe_labelling *labelling, uint32_t candidate)
{
    const struct ss_text text = work->strings.texts[labelling->candidates[candidate].string];
    for (size_t i = 0; i < labelling->n_chosen; i++) {
        const uint32_t chosen = labelling->chosen[i];
        if (repeats(text, work->strings.texts[labelling->candidates[chosen].string])) {
            return price_of_repeats;
        }
    }
    return 0;
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

static double screen_candidate(const struct ss_describe_contrasting *work,
                               const struct ss_describe_labelling *labelling,
                               uint32_t candidate, float *room)
{
    const size_t n = labelling->sets.describe.n;
    const size_t n_pool = work->view->n_pool[SS_STATS_DESCRIBE];
    const float *describing = with_describing(labelling, candidate);
    const float *pool = with_pool(work, labelling, candidate);
    const float old = (float)labelling->n_chosen * (float)labelling->joint_length;
    const float new = labelling->candidates[candidate].length;
    for (size_t i = 0; i < n; i++) {
        room[i] = old * labelling->joint[i] + new *describing[i];
    }
    for (size_t i = 0; i < n_pool; i++) {
        room[n + i] = old * labelling->joint[n + i] + new *pool[i];
    }
    ss_describe_sort(room, n);
    return ss_describe_worth_of(labelling, room, room + n, n_pool, SCREENED_IDLE) +
           ss_describe_worth_of_z(labelling->candidates[candidate].z, labelling->n_chosen + 1);
}

static void note_tried(struct ss_describe_labelling *labelling, uint32_t candidate,
                       double worth)
{
    size_t at = labelling->n_tried;
    while (at > 0 && worth > labelling->tried[at - 1].worth) {
        at--;
    }
    if (at == SS_DESCRIBE_TRIED) {
        return;
    }
    labelling->n_tried += labelling->n_tried < SS_DESCRIBE_TRIED;
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
        if (!is_alike(work, labelling, c)) {
            note_tried(labelling, c,
                       screen_candidate(work, labelling, c, work->rooms[worker]) -
                           price_of(work, labelling, c));
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
    labelling->is_done = labelling->n_chosen == most_phrases(labelling);
}

static void take_best(const struct ss_describe_contrasting *work,
                      struct ss_describe_labelling *labelling)
{
    const struct ss_describe_trial *trials = work->trials + labelling->first_trial;
    size_t best = 0;
    double best_worth = 0;
    double best_price = 0;
    for (size_t i = 0; i < labelling->n_trials; i++) {
        const double z = labelling->candidates[trials[i].candidate].z;
        const double price = price_of(work, labelling, trials[i].candidate);
        const double worth =
            trials[i].worth - price + ss_describe_worth_of_z(z, labelling->n_chosen + 1);
        if (i == 0 || worth > best_worth) {
            best = i;
            best_worth = worth;
            best_price = price;
        }
    }
    if (trials[best].worth - best_price < labelling->best + least_gain) {
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
