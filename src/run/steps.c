/* The table of finishing steps. */
#include "run/steps.h"

#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/number.h"
#include "folder/descriptions.h"
#include "folder/families_file.h"
#include "run/map_step.h"

/* ---- labels ---- */

/* Half of the texts score labels, and a score needs 10 texts on one side and 20 on the other. */
enum { LEAST_ROWS = 60 };

static const char *labels_lack(const struct ss_run_steps *steps)
{
    return !steps->has_evidence ? "the run keeps no evidence (`evidence`)"
           : !steps->has_texts  ? "the run has no texts: name their `dataset`"
           : steps->encoder == NULL
               ? "the run is of embeddings: saescope describe makes labels with the `model` "
                 "that embedded the texts"
           : steps->run->info.n_rows_used < LEAST_ROWS
               ? "fewer than 60 rows cannot tell how good a label is"
               : NULL;
}

static ss_status make_labels(const struct ss_run_steps *steps, ss_err *err)
{
    const struct ss_describe_options options = {.struct_size = sizeof options,
                                                .n_threads = steps->n_threads,
                                                .progress = steps->progress,
                                                .log = steps->log,
                                                .sae = steps->sae};
    return ss_describe_run(steps->folder, steps->encoder, &options, NULL, err);
}

/* ---- families ---- */

static const char *families_lack(const struct ss_run_steps *steps)
{
    return steps->has_pairs ? NULL : "pairs of features were not counted (`no_pairs`)";
}

static ss_status find_families(const struct ss_run_steps *steps, ss_err *err)
{
    const struct ss_families_options options = {.struct_size = sizeof options,
                                                .encoder = steps->encoder,
                                                .n_threads = steps->n_threads,
                                                .progress = steps->progress,
                                                .log = steps->log};
    return ss_families_run(steps->folder, &options, NULL, err);
}

/* ---- clusters and the map ---- */

static const char *map_lacks(const struct ss_run_steps *steps)
{
    return !steps->has_centroids ? "the run has no centroids (`evidence`)"
           : steps->run->info.n_rows_used < LEAST_ROWS
               ? "fewer than 60 rows do not say where features lie"
           : !ss_run_map_has_features(steps->run) ? "no feature fires in 5 rows or more"
                                                  : NULL;
}

static ss_status make_map(const struct ss_run_steps *steps, ss_err *err)
{
    const struct ss_map_options options = {.struct_size = sizeof options,
                                           .n_threads = steps->n_threads,
                                           .progress = steps->progress,
                                           .log = steps->log};
    return ss_map_run(steps->folder, steps->encoder, &options, NULL, err);
}

/* ---- the table ---- */

static const struct {
    const char *name;
    const char *files[16]; /* NULL at the end */
    /* What stands in the way, in words; NULL: nothing does. */
    const char *(*lacks)(const struct ss_run_steps *steps);
    ss_status (*run)(const struct ss_run_steps *steps, ss_err *err);
} table[SS_RUN_N_STEPS] = {
    {"labels", {SS_FOLDER_DESCRIPTION_FILES}, labels_lack, make_labels},
    {"families", {SS_FOLDER_FAMILY_FILES}, families_lack, find_families},
    {"map", {SS_RUN_MAP_FILES, SS_RUN_FILE_PLACED}, map_lacks, make_map},
};

const char *const *ss_run_step_files(size_t i)
{
    return table[i].files;
}

/* ---- which ---- */

static bool is_word(const char *begin, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(begin, word, n) == 0;
}

static bool find_step(const char *begin, size_t n, unsigned *bit)
{
    for (size_t i = 0; i < SS_RUN_N_STEPS; i++) {
        if (is_word(begin, n, table[i].name)) {
            *bit = 1U << i;
            return true;
        }
    }
    return false;
}

static ss_status fail_unknown(const char *name, size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf names = {0};
    for (size_t i = 0; i < SS_RUN_N_STEPS; i++) {
        ss__buf_printf(&names, "%s%s", i == 0 ? "" : ", ", table[i].name);
    }
    status = ss__buf_text(&names) == NULL
                 ? ss__fail_nomem(err, "names")
                 : ss__fail(err, SS_E_USAGE,
                            "`steps`: there is no step '%.*s'; give all, none, or names with "
                            "commas between: %s",
                            (int)ss__min_size(n, 60), name, names.data);
    ss__buf_release(&names);
    return status;
}

ss_status ss_run_steps_choose(const char *names, unsigned *chosen, ss_err *err)
{
    *chosen = 0;
    if (names == NULL || strcmp(names, "none") == 0) {
        return SS_OK;
    }
    if (strcmp(names, "all") == 0) {
        *chosen = (1U << SS_RUN_N_STEPS) - 1;
        return SS_OK;
    }
    for (const char *at = names;; at++) {
        const size_t n = strcspn(at, ",");
        unsigned bit = 0;
        if (!find_step(at, n, &bit)) {
            return fail_unknown(at, n, err);
        }
        *chosen |= bit;
        at += n;
        if (*at == '\0') {
            return SS_OK;
        }
    }
}

/* ---- doing them ---- */

static ss_status skip(const struct ss_run_steps *steps, const char *folder, size_t i,
                      const char *reason, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf record = {0};
    ss__log(&steps->log, SS_LEVEL_NOTICE, "no %s: %s", table[i].name, reason);
    ss__buf_add_text(&record, "{\n      \"skipped\": ");
    ss__json_add_string(&record, reason, strlen(reason), false);
    ss__buf_add_text(&record, "\n    }");
    if (ss__buf_text(&record) == NULL) {
        SS_TRY(ss__fail_nomem(err, "a record"));
    }
    SS_TRY(ss_run_steps_record(folder, table[i].name, record.data, NULL, err));
out:
    ss__buf_release(&record);
    return status;
}

ss_status ss_run_steps_skip(const struct ss_run_steps *steps, const char *folder,
                            unsigned *chosen, ss_err *err)
{
    for (size_t i = 0; i < SS_RUN_N_STEPS; i++) {
        const char *reason = (*chosen & (1U << i)) == 0 ? NULL : table[i].lacks(steps);
        if (reason != NULL) {
            SS_RETURN_IF_ERROR(skip(steps, folder, i, reason, err));
            *chosen &= ~(1U << i);
        }
    }
    return SS_OK;
}

void ss_run_steps_leave_done(const struct ss__json *root, unsigned *chosen)
{
    for (size_t i = 0; i < SS_RUN_N_STEPS; i++) {
        if (ss__json_get(ss__json_get(root, "steps"), table[i].name) != NULL) {
            *chosen &= ~(1U << i);
        }
    }
}

ss_status ss_run_steps_do(const struct ss_run_steps *steps, unsigned chosen, ss_err *err)
{
    for (size_t i = 0; i < SS_RUN_N_STEPS; i++) {
        const ss_status status = (chosen & (1U << i)) == 0 ? SS_OK : table[i].run(steps, err);
        if (status == SS_E_STOPPED) {
            return ss__fail(err, SS_E_STOPPED,
                            "%s: stopped on request while %s were made; the results of the "
                            "pass are complete",
                            steps->folder, table[i].name);
        }
        SS_RETURN_IF_ERROR(status);
    }
    return SS_OK;
}
