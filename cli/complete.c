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

void cli_complete_bash(FILE *to)
{
    fputs("_saescope() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n"
          "    case $before in\n",
          to);
    for (size_t i = OPT_NONE + 1; i < N_OPTIONS; i++) {
        if (cli_options[i].choices != NULL) {
            fprintf(to, "    --%s) words='", cli_options[i].name);
            print_choices(to, &cli_options[i]);
            fputs("' ;;\n", to);
        } else if (cli_options[i].kind == CLI_TEXT || cli_options[i].kind == CLI_LIST) {
            fprintf(to, "    --%s) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n",
                    cli_options[i].name);
        }
    }
    fputs("    esac\n    if [ -z \"$words\" ]; then\n        case ${COMP_WORDS[1]} in\n", to);
    for (size_t i = 0; i < cli_n_commands; i++) {
        const struct cli_command *command = cli_commands[i];
        fprintf(to, "        %s) words='", command->name);
        for (size_t j = 0; j < cli_n_uses(command); j++) {
            fprintf(to, "%s--%s", j == 0 ? "" : " ", cli_options[command->uses[j].id].name);
        }
        fputs("' ;;\n", to);
    }
    fputs("        esac\n    fi\n    if [ \"$COMP_CWORD\" -eq 1 ]; then words='", to);
    print_names(to);
    fputs(" --help --version'; fi\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
          "    case $word in -*) ;; *) [ \"$COMP_CWORD\" -gt 1 ] && "
          "COMPREPLY+=($(compgen -f -- \"$word\")) ;; esac\n"
          "}\n"
          "complete -o filenames -F _saescope saescope\n",
          to);
}

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
        fprintf(to, ":%s:%s", option->placeholder,
                option->kind == CLI_TEXT || option->kind == CLI_LIST ? "_files" : " ");
    }
    fputs("' \\\n", to);
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
        fputs("            '*:file:_files' ;;\n", to);
    }
    fputs("    esac\n}\n_saescope \"$@\"\n", to);
}

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
        fputs(" -r", to);
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
        for (size_t j = 0; j < cli_n_uses(cli_commands[i]); j++) {
            fish_option(to, cli_commands[i], &cli_commands[i]->uses[j]);
        }
    }
}
