/* Datasets that are repositories: which files are read, and how. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "dataset/dataset_files.h"
#include "dataset/repo.h"

/* Say what a user might not expect of a choice. */
static void say_choice(const struct ss_log *log, const char *name,
                       const struct ss__repo_choice *choice)
{
    if (choice->repeated != NULL) {
        ss__log(log, SS_LEVEL_WARNING,
                "%s: '%s' is matched by two patterns of the split and read twice, as the "
                "reference library does",
                name, choice->repeated);
    }
    if (choice->ignored != NULL) {
        ss__log(log, SS_LEVEL_WARNING, "%s: options of its card that are not known: %s", name,
                choice->ignored);
    }
}

static ss_status check_kind(const char *name, const struct ss__repo_choice *choice, ss_err *err)
{
    return choice->kind == NULL || choice->kind->is_readable
               ? SS_OK
               : ss__fail_file(err, name, SS_E_UNSUPPORTED,
                               "the dataset is of the kind '%s', which is not read; expected "
                               "csv, json, parquet, arrow or text files",
                               choice->kind->name);
}

static void take_reading(const struct ss__repo_choice *choice, struct ss__repo_reading *reading)
{
    reading->format = choice->format;
    reading->delimiter = choice->delimiter;
    if (choice->has_text_unit && reading->text_unit == SS_UNIT_LINE) {
        reading->text_unit = choice->text_unit;
    }
}

static ss_status take_paths(const char *folder, const struct ss__repo_choice *choice,
                            struct ss__paths *out, ss_err *err)
{
    ss_status status = SS_OK;
    for (size_t i = 0; i < choice->n; i++) {
        SS_GROW(out->items, out->room, out->n + 1);
        out->items[out->n] = ss__path_join(folder, choice->paths[i]);
        if (out->items[out->n] == NULL) {
            status = ss__fail_nomem(err, "a file name");
            goto out;
        }
        out->n++;
    }
out:
    return status;
}

ss_status ss__repo_files(const char *folder, const struct ss_dataset_options *options,
                         struct ss__paths *out, struct ss__repo_reading *reading, ss_err *err)
{
    ss_status status = SS_OK;
    char **paths = NULL;
    size_t n_paths = 0;
    struct ss__repo_card card = {.configs = NULL};
    struct ss__repo_choice choice = {.kind = NULL};
    const struct ss__repo_wish wish = {options->config, options->split};
    if (ss__path_look(folder) != SS__PATH_FOLDER) {
        SS_FAIL_FILE(folder, ss__path_look(folder) == SS__PATH_NONE ? SS_E_NOINPUT : SS_E_USAGE,
                     "is no folder: --split and --config choose from a dataset repository");
    }
    SS_TRY(ss__repo_list_folder(folder, &paths, &n_paths, err));
    SS_TRY(ss__repo_folder_card(folder, &card, err));
    const struct ss__repo repo = {folder, (const char *const *)paths, n_paths, &card};
    SS_TRY(ss__repo_choose(&repo, &wish, &choice, err));
    SS_TRY(check_kind(folder, &choice, err));
    say_choice(&options->log, folder, &choice);
    take_reading(&choice, reading);
    SS_TRY(take_paths(folder, &choice, out, err));
out:
    ss__repo_choice_release(&choice);
    ss__repo_card_release(&card);
    ss__list_release(paths, n_paths);
    return status;
}
