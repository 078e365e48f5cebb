/* saescope inspect: what a path is, whether it is sound, and its first rows. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"

enum { MAX_TABLE_COLUMNS = 16, MAX_CELL_COLUMNS = 60 };

/* Characters of a cell as they will be shown. */
static size_t cell_width(const char *cell)
{
    size_t n = 0;
    for (; *cell != '\0'; cell++) {
        n += ((unsigned char)*cell & 0xC0) != 0x80;
    }
    return n > MAX_CELL_COLUMNS ? MAX_CELL_COLUMNS : n;
}

static void print_padded(const char *cell, size_t width)
{
    cli_print_safely(stdout, cli_text_of(cell), MAX_CELL_COLUMNS + 1);
    for (size_t n = cell_width(cell); n < width; n++) {
        putchar(' ');
    }
}

/* A value as people read it. */
static const char *as_word(const char *value, ss_value_kind kind)
{
    return kind != SS_VALUE_BOOL ? value : strcmp(value, "true") == 0 ? "yes" : "no";
}

static const char *cell_of(const struct ss_report *report, size_t row, size_t column)
{
    const char *cell = report->cells[row * report->n_table_columns + column];
    return row == 0 ? cell : as_word(cell, report->kinds[column]);
}

static void print_table(const struct ss_report *report, bool colours)
{
    size_t widths[MAX_TABLE_COLUMNS] = {0};
    const size_t n_columns = report->n_table_columns > MAX_TABLE_COLUMNS
                                 ? MAX_TABLE_COLUMNS
                                 : report->n_table_columns;
    for (size_t r = 0; r < report->n_table_rows; r++) {
        for (size_t c = 0; c < n_columns; c++) {
            const size_t width = cell_width(cell_of(report, r, c));
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    putchar('\n');
    for (size_t r = 0; r < report->n_table_rows; r++) {
        printf("  %s", colours && r == 0 ? "\033[1m" : "");
        for (size_t c = 0; c < n_columns; c++) {
            const bool is_last = c + 1 == n_columns;
            print_padded(cell_of(report, r, c), is_last ? 0 : widths[c]);
            printf("%s", is_last ? "" : "  ");
        }
        printf("%s\n", colours && r == 0 ? "\033[0m" : "");
    }
}

/* Numbers as people read them: separators in whole ones, six digits of others. */
static void print_value(const struct ss_fact *fact)
{
    char text[32], message[CLI_MESSAGE_BYTES], *end = NULL;
    if (fact->kind == SS_VALUE_NUMBER) {
        const unsigned long long whole = strtoull(fact->value, &end, 10);
        if (*end == '\0') {
            fputs(cli_thousands(whole, text), stdout);
        } else {
            printf("%.6g", strtod(fact->value, NULL));
        }
    } else {
        cli_print_safely(
            stdout, cli_text_of(as_word(cli_name_flags(fact->value, message), fact->kind)), 0);
    }
}

static void print_report(const struct ss_report *report, const char *path, bool colours)
{
    size_t width = 0;
    for (size_t i = 0; i < report->n_facts; i++) {
        const size_t n = cell_width(report->facts[i].name);
        width = n > width ? n : width;
    }
    printf("%s%s%s: ", colours ? "\033[1m" : "", report->title, colours ? "\033[0m" : "");
    cli_print_safely(stdout, cli_text_of(path), 0);
    putchar('\n');
    for (size_t i = 0; i < report->n_facts; i++) {
        if (report->facts[i].value[0] != '\0') {
            printf("  ");
            print_padded(report->facts[i].name, width);
            printf("  ");
            print_value(&report->facts[i]);
            putchar('\n');
        }
    }
    if (report->n_table_rows > 1) {
        print_table(report, colours);
    }
}

/* What stands in brackets is for people. */
static void print_key(const char *name)
{
    putchar('"');
    for (; *name != '\0' && strncmp(name, " (", 2) != 0; name++) {
        putchar(*name == ' ' || *name == '-' ? '_' : *name);
    }
    printf("\": ");
}

static void print_json_value(const char *value, ss_value_kind kind)
{
    if (kind == SS_VALUE_TEXT) {
        cli_print_json(stdout, cli_text_of(value));
    } else {
        fputs(value, stdout);
    }
}

static void print_json_table(const struct ss_report *report)
{
    printf(", \"table\": [");
    for (size_t r = 1; r < report->n_table_rows; r++) {
        printf("%s{", r > 1 ? ", " : "");
        for (size_t c = 0; c < report->n_table_columns; c++) {
            printf("%s", c > 0 ? ", " : "");
            print_key(report->cells[c]);
            print_json_value(report->cells[r * report->n_table_columns + c], report->kinds[c]);
        }
        putchar('}');
    }
    putchar(']');
}

static const char *const type_names[] = {
    [SS_PATH_ENCODER] = "model", [SS_PATH_SAE] = "sae",         [SS_PATH_DATASET] = "dataset",
    [SS_PATH_RUN] = "run",       [SS_PATH_WEIGHTS] = "weights", [SS_PATH_ARCHIVE] = "archive",
    [SS_PATH_JSON] = "json",
};

static void print_json_report(const struct ss_report *report, const char *path)
{
    char message[CLI_MESSAGE_BYTES];
    printf("{\"schema\": 1, \"path\": ");
    cli_print_json(stdout, cli_text_of(path));
    printf(", \"type\": \"%s\", \"is\": ", type_names[report->kind]);
    cli_print_json(stdout, cli_text_of(report->title));
    for (size_t i = 0; i < report->n_facts; i++) {
        printf(", ");
        print_key(report->facts[i].name);
        print_json_value(cli_name_flags(report->facts[i].value, message),
                         report->facts[i].kind);
    }
    if (report->n_table_rows > 1) {
        print_json_table(report);
    }
    puts("}");
}

static int print_row(void *user, struct ss_text json)
{
    (void)user;
    cli_print_raw_json(stdout, json);
    putchar('\n');
    return ferror(stdout) || cli_is_stopped();
}

static int print_rows(const struct cli_values *values)
{
    ss_err err;
    struct ss_dataset_options options = cli_dataset_options(values);
    options.all_columns = true;
    const ss_status status =
        ss_dataset_each_json(values->arguments, values->n_arguments, &options,
                             values->count[OPT_ROWS], print_row, NULL, &err);
    if (status == SS_OK && cli_is_stopped()) {
        fputs("saescope: stopped on request; the rows above are not all\n", stderr);
        return ss_status_exit_code(SS_E_STOPPED);
    }
    return status == SS_OK ? CLI_OK : cli_fail(&err);
}

/* What a name that is no path is taken for. A bare word is more likely a mistyped file than a
 * repository, so it is of the hub only when it says so (as names of datasets must). */
static ss_fetch_kind kind_of(const struct cli_values *values, const char *path)
{
    const char *as = values->text[OPT_AS];
    const bool is_bare = as == NULL && strchr(path, '/') == NULL;
    return is_bare || (as != NULL && strcmp(as, "dataset") == 0) ? SS_FETCH_DATASET
           : as != NULL && strcmp(as, "sae") == 0                ? SS_FETCH_SAE
                                                                 : SS_FETCH_MODEL;
}

static int inspect(const struct cli_command *command, const struct cli_values *values)
{
    struct ss_report report = {0};
    struct ss_fetch_result place = {.struct_size = sizeof place};
    ss_err err;
    const char *path = values->arguments[0];
    if (cli_given(values, OPT_ROWS)) {
        return print_rows(values);
    }
    if (cli_given(values, OPT_WHERE) || cli_given(values, OPT_SAMPLE)) {
        return cli_usage_error(command, "--where and --sample choose among --rows N");
    }
    struct cli_progress progress;
    cli_progress_start(&progress, values, "check");
    const struct ss_dataset_options dataset = cli_dataset_options(values);
    const struct ss_sae_options sae = cli_sae_options(values);
    const struct ss_inspect_options options = {
        .struct_size = sizeof options,
        .as = values->text[OPT_AS],
        .check = cli_given(values, OPT_CHECK),
        .dataset = &dataset,
        .sae = &sae,
        .log = cli_log(values),
        .progress = cli_show_progress(&progress),
    };
    ss_status status = cli_fetch(values, kind_of(values, path), path, &place, &err);
    status = status == SS_OK ? ss_inspect(place.path, &options, &report, &err) : status;
    ss_fetch_result_release(&place);
    cli_progress_end(&progress);
    if (status != SS_OK) {
        return cli_fail(&err);
    }
    if (cli_given(values, OPT_JSON)) {
        print_json_report(&report, path);
    } else if (!cli_given(values, OPT_QUIET)) {
        print_report(&report, path, cli_colours(values, stdout));
        if (report.kind == SS_PATH_RUN) {
            putchar('\n');
            cli_say(stdout,
                    "  saescope show %s lists its features, with a number it has the "
                    "texts of one",
                    path);
        }
        if (options.check) {
            puts("  OK: every byte was read and checked");
        }
    }
    ss_report_release(&report);
    return CLI_OK;
}

const struct cli_command cli_inspect = {
    .name = "inspect",
    .summary = "what a file or folder is, and whether it is sound",
    .argument = "PATH",
    .n_least = 1,
    .n_most = 1,
    .about =
        "Says in a screen what a file or folder is. With --check it reads everything in it "
        "and ends with 0 if it is sound, or with 65 and one error message if it is not. With "
        "--rows it prints the first rows of a dataset as JSON lines, all columns.\n\nInstead "
        "of a path there may be a name, as other commands take it: ORG/NAME of the model hub, "
        "hf:ORG/NAME of a dataset with --as dataset, or wandb:ENTITY/PROJECT/NAME:ALIAS with "
        "--as sae.",
    .examples = {{"saescope inspect sentence-transformers/all-MiniLM-L6-v2",
                  "a model, here of the hub"},
                 {"saescope inspect --check sae.pt", "read every byte of a weights file"},
                 {"saescope inspect --rows 5 abstracts.parquet",
                  "the first five rows, as JSON lines"}},
    .uses = {{OPT_CHECK, false, NULL, NULL},
             {OPT_ROWS, false, NULL, NULL},
             {OPT_AS, false, NULL, NULL},
             {OPT_SPLIT, false, NULL, NULL},
             {OPT_CONFIG, false, NULL, NULL},
             {OPT_SAE_FORMAT, false, NULL, NULL},
             {OPT_SAE_TOP_K, false, NULL, NULL},
             {OPT_TEXT_COLUMN, false, NULL, NULL},
             CLI_USES_ROWS,
             CLI_USES_SELECTION_SEED,
             {OPT_OFFLINE, false, NULL, NULL},
             {OPT_JSON, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = inspect,
};
