/* Options of readers that a card gives with a configuration, as the reference library's readers
 * take them. */
#include <string.h>

#include "base/buf.h"
#include "repo/repo.h"

/* For a message; "…" for a value that is no single text. */
static const char *shown(const struct ss_format_option_value *value)
{
    return value->n == 1 && !value->is_list && !value->is_null ? value->items[0] : "…";
}

static bool has_option(const struct ss_repo_config *config, const char *name)
{
    for (size_t i = 0; i < config->n_options; i++) {
        if (strcmp(config->options[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* With columns picked the names are those of the picked ones. */
static ss_status check_names(const char *repo, const struct ss_repo_config *config,
                             const struct ss_format_row_options *rows, ss_err *err)
{
    if (rows->n_names > 0 && has_option(config, "usecols")) {
        return ss__fail_file(err, repo, SS_E_UNSUPPORTED,
                             "its card sets both names of columns and 'usecols' for "
                             "configuration '%.80s', which is not read here",
                             config->name);
    }
    return SS_OK;
}

/* A value that would change rows and is not read is an error. Names that nobody knows are
 * noted, for the caller to say, since they may be of a newer release. */
ss_status ss_repo_apply_options(const char *repo, const struct ss_repo_config *config,
                                struct ss_repo_choice *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf ignored = {0};
    const char *kind = out->kind == NULL ? "" : out->kind->name;
    for (size_t i = 0; config != NULL && i < config->n_options; i++) {
        const struct ss_repo_option *option = &config->options[i];
        ss_format_option_fate fate = SS_FORMAT_OPTION_UNKNOWN;
        SS_TRY(ss_format_row_options_set(&out->rows, kind, option->name, &option->value, &fate,
                                         err));
        if (fate == SS_FORMAT_OPTION_REFUSED) {
            SS_FAIL_FILE(repo, SS_E_UNSUPPORTED,
                         "its card sets '%.60s: %.60s' for configuration '%.80s', which is not "
                         "read that way here",
                         option->name, shown(&option->value), config->name);
        }
        if (fate == SS_FORMAT_OPTION_UNKNOWN && !option->value.is_null &&
            ignored.n_bytes < 200) {
            ss__buf_printf(&ignored, "%s%.60s", ignored.n_bytes == 0 ? "" : ", ", option->name);
        }
    }
    if (config != NULL) {
        SS_TRY(check_names(repo, config, &out->rows, err));
    }
    SS_TRY(ss__buf_check(&ignored, err));
    if (ignored.n_bytes > 0) {
        out->ignored = ss__arena_strndup(&out->arena, ignored.data, ignored.n_bytes);
    }
out:
    ss__buf_release(&ignored);
    return status;
}
