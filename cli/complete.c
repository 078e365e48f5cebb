/* Shell completions, from the tables of options and commands. */
#include <string.h>

#include "cli.h"

static void print_names(FILE *to)
{
    for (size_t i = 0; i < cli_n_commands; i++) {
        if (!cli_commands[i]->hidden) {
            fprintf(to, " %s", cli_commands[i]->name);
        }
    }
}

static void print_choices(FILE *to, const struct cli_option *option)
{
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        fprintf(to, "%s%s", i == 0 ? "" : " ", option->choices[i]);
    }
}

/* Whether the value of an option is a file or folder. */
static bool takes_path(const struct cli_option *option)
{
    static const char *const placeholders[] = {"PATH", "MODEL",   "SAE", "SAE,SAE",
                                               "FILE", "DATASET", "RUN", "DIR"};
    for (size_t i = 0; i < sizeof placeholders / sizeof placeholders[0]; i++) {
        if (option->placeholder != NULL && strcmp(option->placeholder, placeholders[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the arguments of a command are files or folders. */
static bool takes_paths(const struct cli_command *command)
{
    const char *argument = command->argument == NULL ? "" : command->argument;
    return strncmp(argument, "PATH", 4) == 0 || strncmp(argument, "RUN", 3) == 0 ||
           strcmp(argument, "STATE") == 0;
}

static void print_words(FILE *to, const char *const *words)
{
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        fprintf(to, "%s ", words[i]);
    }
}

/* ---- bash ---- */

/* "COMMAND:--name|COMMAND:-n) what its value may be". */
static void bash_value(FILE *to, const struct cli_command *command,
                       const struct cli_option *option)
{
    fprintf(to, "    %s:--%s", command->name, option->name);
    if (option->letter != 0) {
        fprintf(to, "|%s:-%c", command->name, option->letter);
    }
    fputs(") ", to);
    if (option->choices != NULL) {
        fputs("words='", to);
        print_choices(to, option);
        fputs("' ;;\n", to);
    } else {
        fputs(takes_path(option) ? "files=y ;;\n" : "return ;;\n", to);
    }
}

/* "COMMAND:*) its options and arguments". */
static void bash_words(FILE *to, const struct cli_command *command)
{
    fprintf(to, "    %s:*) words='", command->name);
    print_words(to, command->argument_choices);
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        fprintf(to, "--%s ", cli_options[command->uses[i].id].name);
    }
    fprintf(to, "'%s ;;\n", takes_paths(command) ? " files=y" : "");
}

static void bash_command(FILE *to, const struct cli_command *command)
{
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        const struct cli_option *option = &cli_options[command->uses[i].id];
        if (option->kind != CLI_FLAG) {
            bash_value(to, command, option);
        }
    }
    bash_words(to, command);
}

/* Bash cuts words at "=", so that --precision=m arrives as three. */
void cli_complete_bash(FILE *to)
{
    fputs("_saescope() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local words= files=\n    COMPREPLY=()\n"
          "    if [ \"$word\" = = ]; then word=\n"
          "    elif [ \"$before\" = = ]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then words='",
          to);
    print_names(to);
    fputs(" --help --version'\n    else case ${COMP_WORDS[1]}:$before in\n", to);
    for (size_t i = 0; i < cli_n_commands; i++) {
        bash_command(to, cli_commands[i]);
    }
    fputs("    esac; fi\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
          "    [ -z \"$files\" ] || case $word in -*) ;; *)\n"
          "        COMPREPLY+=($(compgen -f -- \"$word\")) ;; esac\n"
          "}\n"
          "complete -o filenames -F _saescope saescope\n",
          to);
}

/* ---- zsh ---- */

/* Text inside single quotes of a shell; `also` is escaped with a backslash. */
static void print_quoted(FILE *to, const char *text, const char *also)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", to);
        } else {
            fprintf(to, "%s%c", strchr(also, *text) != NULL ? "\\" : "", *text);
        }
    }
}

static void zsh_option(FILE *to, const struct cli_use *use)
{
    const struct cli_option *option = &cli_options[use->id];
    fprintf(to, "            '%s--%s[", option->kind == CLI_LIST ? "*" : "", option->name);
    print_quoted(to, use->help != NULL ? use->help : option->help, "[]:");
    fputc(']', to);
    if (option->choices != NULL) {
        fprintf(to, ":%s:(", option->placeholder);
        print_choices(to, option);
        fputc(')', to);
    } else if (option->placeholder != NULL) {
        fprintf(to, ":%s:%s", option->placeholder, takes_path(option) ? "_files" : " ");
    }
    fputs("' \\\n", to);
}

static void zsh_arguments(FILE *to, const struct cli_command *command)
{
    if (command->argument_choices != NULL) {
        fprintf(to, "            '1:%s:(", command->argument);
        print_words(to, command->argument_choices);
        fputs(")' ;;\n", to);
    } else if (takes_paths(command)) {
        fputs("            '*:file:_files' ;;\n", to);
    } else {
        fputs("            ;;\n", to);
    }
}

void cli_complete_zsh(FILE *to)
{
    fputs("#compdef saescope\n_saescope() {\n    local -a commands=(\n", to);
    for (size_t i = 0; i < cli_n_commands; i++) {
        if (!cli_commands[i]->hidden) {
            fprintf(to, "        '%s:", cli_commands[i]->name);
            print_quoted(to, cli_commands[i]->summary, ":");
            fputs("'\n", to);
        }
    }
    fputs("    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n"
          "        return\n    fi\n    case $words[2] in\n",
          to);
    for (size_t i = 0; i < cli_n_commands; i++) {
        fprintf(to, "        %s) shift words; (( CURRENT-- )); _arguments \\\n",
                cli_commands[i]->name);
        for (size_t j = 0; j < cli_n_uses(cli_commands[i]); j++) {
            zsh_option(to, &cli_commands[i]->uses[j]);
        }
        zsh_arguments(to, cli_commands[i]);
    }
    fputs("    esac\n}\n_saescope \"$@\"\n", to);
}

/* ---- fish ---- */

static void fish_option(FILE *to, const struct cli_command *command, const struct cli_use *use)
{
    const struct cli_option *option = &cli_options[use->id];
    fprintf(to, "complete -c saescope -n '__fish_seen_subcommand_from %s' -l %s", command->name,
            option->name);
    if (option->letter != 0) {
        fprintf(to, " -s %c", option->letter);
    }
    if (option->choices != NULL) {
        fputs(" -x -a '", to);
        print_choices(to, option);
        fputc('\'', to);
    } else if (option->placeholder != NULL) {
        fputs(takes_path(option) ? " -r -F" : " -x", to);
    }
    fputs(" -d '", to);
    print_quoted(to, use->help != NULL ? use->help : option->help, "");
    fputs("'\n", to);
}

void cli_complete_fish(FILE *to)
{
    for (size_t i = 0; i < cli_n_commands; i++) {
        if (cli_commands[i]->hidden) {
            continue;
        }
        fprintf(to, "complete -c saescope -f -n __fish_use_subcommand -a %s -d '",
                cli_commands[i]->name);
        print_quoted(to, cli_commands[i]->summary, "");
        fputs("'\n", to);
        if (cli_commands[i]->argument_choices != NULL) {
            fprintf(to, "complete -c saescope -f -n '__fish_seen_subcommand_from %s' -a '",
                    cli_commands[i]->name);
            print_words(to, cli_commands[i]->argument_choices);
            fputs("'\n", to);
        }
        for (size_t j = 0; j < cli_n_uses(cli_commands[i]); j++) {
            fish_option(to, cli_commands[i], &cli_commands[i]->uses[j]);
        }
    }
}
