/* Lists of files, and what was found out about those of a dataset with them. */
#include "dataset/file_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sort.h"

/* ---- lists ---- */

ss_status ss_dataset_file_list_add(struct ss_dataset_file_list *list, const char *path,
                                   ss_err *err)
{
    SS_GROW_OR_RETURN(list->items, list->capacity, list->n + 1);
    list->items[list->n] = ss__strdup(path);
    if (list->items[list->n] == NULL) {
        return ss__fail_nomem(err, "a file name");
    }
    list->n++;
    return SS_OK;
}

void ss_dataset_file_list_release(struct ss_dataset_file_list *paths)
{
    ss__list_release(paths->items, paths->n);
    *paths = (struct ss_dataset_file_list){0};
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits at *at without leading zeros, which are passed with them. */
static size_t take_number(const char **at, const char **digits)
{
    *digits = *at + strspn(*at, "0");
    const size_t n = strspn(*digits, "0123456789");
    *at = *digits + n;
    return n;
}

/* A total order, so that reading order is the same everywhere: numbers of equal value are
 * compared as written. */
int ss_dataset_compare_natural(const char *a, const char *b)
{
    const char *left = a, *right = b;
    while (*left != '\0' && *right != '\0') {
        if (is_digit(*left) && is_digit(*right)) {
            const char *x = NULL, *y = NULL;
            const size_t n = take_number(&left, &x), m = take_number(&right, &y);
            const int order = n != m ? (n > m) - (n < m) : strncmp(x, y, n);
            if (order != 0) {
                return order;
            }
        } else if (*left != *right) {
            break;
        } else {
            left++;
            right++;
        }
    }
    const int order = (uint8_t)*left - (uint8_t)*right;
    return order != 0 ? order : strcmp(a, b); /* 01 and 1 */
}

static int compare_paths(const void *a, const void *b)
{
    return ss_dataset_compare_natural(*(char *const *)a, *(char *const *)b);
}

void ss_dataset_file_list_sort(struct ss_dataset_file_list *paths, size_t from)
{
    if (paths->n > from + 1) {
        ss__sort(paths->items + from, paths->n - from, sizeof *paths->items, compare_paths);
    }
}

ss_status ss_dataset_file_list_take(struct ss_dataset_file_list *out, char *path, ss_err *err)
{
    ss_status status = SS_OK;
    if (path == NULL) {
        return ss__fail_nomem(err, "a file name");
    }
    SS_GROW(out->items, out->capacity, out->n + 1);
    out->items[out->n++] = path;
    path = NULL;
out:
    ss__free(path);
    return status;
}

ss_status ss_dataset_file_list_check_repeats(const struct ss_dataset_file_list *paths,
                                             const struct ss_log *log, ss_err *err)
{
    ss_status status = SS_OK;
    const char **sorted = NULL, *repeated = NULL;
    SS_ALLOC(sorted, paths->n);
    for (size_t i = 0; i < paths->n; i++) {
        sorted[i] = paths->items[i];
    }
    if (paths->n > 1) {
        ss__sort(sorted, paths->n, sizeof *sorted, compare_paths);
    }
    for (size_t i = 1; i < paths->n; i++) {
        const bool is_same = strcmp(sorted[i - 1], sorted[i]) == 0;
        if (is_same && strcmp(sorted[i], "-") == 0) {
            SS_FAIL(SS_E_USAGE, "standard input is given twice, but can be read only once");
        }
        repeated = is_same && repeated == NULL ? sorted[i] : repeated;
    }
    if (repeated != NULL) {
        ss__log(log, SS_LEVEL_WARNING, "%s: is given more than once, and read each time",
                repeated);
    }
out:
    ss__free(sorted);
    return status;
}

/* ---- what was chosen ---- */

static ss_status copy(const char *text, char **out, ss_err *err)
{
    ss__free(*out);
    *out = ss__strdup(text);
    return *out == NULL ? ss__fail_nomem(err, "a name") : SS_OK;
}

/* Say what a user might not expect of a choice. */
static void say_choice(const struct ss_log *log, const char *name,
                       const struct ss_repo_choice *choice)
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

ss_status ss_dataset_found_note_choice(const char *name, const char *commit,
                                       struct ss_repo_choice *choice,
                                       struct ss_dataset_found *use, ss_err *err)
{
    SS_RETURN_IF_ERROR(copy(name, &use->repository, err));
    SS_RETURN_IF_ERROR(copy(commit, &use->commit, err));
    if (choice == NULL) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(copy(choice->config, &use->config, err));
    SS_RETURN_IF_ERROR(copy(choice->split, &use->split, err));
    use->format = choice->format;
    ss_format_row_options_release(&use->rows);
    use->rows = choice->rows;
    ss_format_row_options_init(&choice->rows);
    use->rows.finds_no_delimiter =
        choice->format != NULL; /* the reference library's is meant */
    if (use->rows.has_text_unit && use->text_unit == SS_UNIT_LINE) {
        use->text_unit = use->rows.text_unit;
    }
    say_choice(use->log, name, choice);
    return SS_OK;
}

void ss_dataset_found_release(struct ss_dataset_found *use)
{
    ss_dataset_file_list_release(&use->paths);
    ss__free(use->repository);
    ss__free(use->commit);
    ss__free(use->config);
    ss__free(use->split);
    ss_format_row_options_release(&use->rows);
    *use = (struct ss_dataset_found){.log = NULL};
}
