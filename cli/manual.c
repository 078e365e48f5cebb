/* Man pages, from the tables of options, commands, variables and places. That of the library is
 * made of its header (cmake/library_page.awk). */
#include <ctype.h>
#include <string.h>

#include "environment.h"
#include "help.h"

/* Text for roff: backslashes and hyphens escaped, no line that begins with a control character.
 */
static void print_roff(FILE *to, const char *text)
{
    bool at_begin = true;
    for (; *text != '\0'; text++) {
        if (strncmp(text, "\n\n", 2) == 0) {
            fputs("\n.PP\n", to);
            text++;
            at_begin = true;
            continue;
        }
        if (at_begin && (*text == '.' || *text == '\'')) {
            fputs("\\&", to);
        }
        at_begin = false;
        if (*text == '\\') {
            fputs("\\e", to);
        } else if (*text == '-') {
            fputs("\\-", to);
        } else {
            fputc(*text == '\n' ? ' ' : *text, to);
        }
    }
}

static void man_head(FILE *to, const char *name, const char *summary)
{
    char upper[64];
    size_t n = 0;
    for (; name[n] != '\0' && n + 1 < sizeof upper; n++) {
        upper[n] = (char)toupper((unsigned char)name[n]);
    }
    upper[n] = '\0';
    fprintf(to, ".TH %s 1 \"2026-11-24\" \"saescope %s\" \"User Commands\"\n.SH NAME\n", upper,
            ss_version());
    print_roff(to, name);
    fputs(" \\- ", to);
    print_roff(to, summary);
    fputc('\n', to);
}

static void man_option(FILE *to, const struct cli_use *use)
{
    const struct cli_option *option = &cli_options[use->id];
    char details[512];
    cli_format_details(use, details, sizeof details);
    fputs(".TP\n", to);
    if (option->letter != 0) {
        fprintf(to, "\\fB\\-%c\\fR, ", option->letter);
    }
    fputs("\\fB\\-\\-", to);
    print_roff(to, option->name);
    fputs("\\fR", to);
    if (option->placeholder != NULL) {
        fprintf(to, " \\fI%s\\fR", option->placeholder);
    }
    fputc('\n', to);
    print_roff(to, details);
    fputs(".\n", to);
}

/* Whether a command can ask the hub or an artifact store, or looks at what was fetched. */
static bool uses_network(const struct cli_command *command)
{
    return cli_command_use(command, OPT_OFFLINE) != NULL || strcmp(command->name, "cache") == 0;
}

/* Whether a command writes or reads the results of analyze. */
static bool uses_run(const struct cli_command *command)
{
    const char *argument = command->argument == NULL ? "" : command->argument;
    return strcmp(command->name, "analyze") == 0 || strncmp(argument, "RUN", 3) == 0;
}

static void man_variables(const struct cli_command *command, FILE *to)
{
    fputs(".SH ENVIRONMENT\n", to);
    print_roff(to, cli_on_values);
    fputc('\n', to);
    for (size_t i = 0; i < cli_n_variables; i++) {
        const struct cli_variable *variable = &cli_variables[i];
        if (variable->of_network && command != NULL && !uses_network(command)) {
            continue;
        }
        fputs(".TP\n", to);
        for (size_t j = 0; j < CLI_MAX_NAMES && variable->names[j] != NULL; j++) {
            fprintf(to, "%s\\fB%s\\fR", j == 0 ? "" : ", ", variable->names[j]);
        }
        fputc('\n', to);
        print_roff(to, variable->meaning);
        fputs(".\n", to);
    }
}

static void man_files(const struct cli_command *command, FILE *to)
{
    bool is_first = true;
    for (size_t i = 0; i < cli_n_places; i++) {
        const struct cli_place *place = &cli_places[i];
        if (command != NULL && !(place->of_run ? uses_run(command) : uses_network(command))) {
            continue;
        }
        fputs(is_first ? ".SH FILES\n.TP\n\\fI" : ".TP\n\\fI", to);
        is_first = false;
        print_roff(to, place->path);
        fputs("\\fR\n", to);
        print_roff(to, place->meaning);
        fputs(".\n", to);
    }
}

/* What every page ends with; command NULL: that of the program. */
static void man_tail(const struct cli_command *command, FILE *to)
{
    man_variables(command, to);
    man_files(command, to);
    fputs(".SH EXIT STATUS\n", to);
    print_roff(to, cli_on_exit + strlen("Exit status: "));
    fputs("\n.SH SEE ALSO\n", to);
    fputs(command == NULL ? ".BR saescope (3)\n" : ".BR saescope (1)\n", to);
}

void cli_man_command(const struct cli_command *command, FILE *to)
{
    char name[64], usage[256];
    snprintf(name, sizeof name, "saescope-%s", command->name);
    man_head(to, name, command->summary);
    cli_format_usage(command, usage, sizeof usage);
    fprintf(to, ".SH SYNOPSIS\n.B saescope %s\n", command->name);
    print_roff(to, usage);
    fputc('\n', to);
    fputs(".SH DESCRIPTION\n", to);
    print_roff(to, command->about);
    fputs("\n.SH OPTIONS\n", to);
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        man_option(to, &command->uses[i]);
    }
    fputs(".SH EXAMPLES\n", to);
    for (size_t i = 0; i < CLI_MAX_EXAMPLES && command->examples[i].command != NULL; i++) {
        fputs(".TP\n\\fB", to);
        print_roff(to, command->examples[i].command);
        fputs("\\fR\n", to);
        print_roff(to, command->examples[i].meaning);
        fputs(".\n", to);
    }
    man_tail(command, to);
}

void cli_man_overview(FILE *to)
{
    man_head(to, "saescope",
             "what the features of a sparse autoencoder mean in a text dataset");
    fputs(".SH SYNOPSIS\n.B saescope\n\\fICOMMAND\\fR [options]\n.SH DESCRIPTION\n", to);
    print_roff(to,
               "Reads a text dataset, embeds every text with a sentence encoder, encodes the "
               "embeddings with a sparse autoencoder (SAE), and tells what the SAE's features "
               "mean in that dataset: how often each fires, how the rates are distributed, "
               "and which texts activate it most.");
    fputs("\n.SH COMMANDS\n", to);
    for (size_t i = 0; i < cli_n_commands; i++) {
        if (!cli_commands[i]->hidden) {
            fputs(".TP\n.BR saescope\\-", to);
            print_roff(to, cli_commands[i]->name);
            fputs(" (1)\n", to);
            print_roff(to, cli_commands[i]->summary);
            fputs(".\n", to);
        }
    }
    man_tail(NULL, to);
}
