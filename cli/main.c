/* The program: find the command, read its options, run it. */
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { LARGE_BLOCK_BYTES = 256 << 10 };

static const char *command_name_at(const void *unused, size_t index)
{
    (void)unused;
    return cli_commands[index]->name;
}

const struct cli_command *cli_command_find(const char *name)
{
    for (size_t i = 0; i < cli_n_commands; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0) {
            return cli_commands[i];
        }
    }
    return NULL;
}

static int unknown_command(const char *word)
{
    const char *meant = cli_suggest(word, command_name_at, NULL, cli_n_commands);
    if (meant != NULL) {
        return cli_usage_error(NULL, "unknown command '%s'; did you mean '%s'?", word, meant);
    }
    return cli_usage_error(NULL, "unknown command '%s'", word);
}

static int run_command(const struct cli_command *command, int n, char **words)
{
    struct cli_values values;
    int code = cli_parse(command, n, words, &values);
    if (code == CLI_OK && cli_given(&values, OPT_HELP)) {
        cli_help_command(command, strcmp(values.text[OPT_HELP], "-h") == 0, stdout);
    } else if (code == CLI_OK) {
        cli_check_effects(command, &values);
        code = command->run(command, &values);
    }
    cli_values_release(&values);
    return code;
}

static int show_help(int n, char **words)
{
    if (n == 0) {
        cli_help_overview(stdout);
        return CLI_OK;
    }
    const struct cli_command *command = cli_command_find(words[0]);
    if (command == NULL) {
        return unknown_command(words[0]);
    }
    cli_help_command(command, false, stdout);
    return CLI_OK;
}

static int dispatch(int n, char **words)
{
    const char *word = n == 0 ? NULL : words[0];
    if (word == NULL) {
        cli_help_overview(stderr);
        return CLI_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        return show_help(n - 1, words + 1);
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0 || strcmp(word, "-v") == 0 ||
        strcmp(word, "version") == 0) {
        printf("saescope %s\n", ss_version());
        return CLI_OK;
    }
    const struct cli_command *command = cli_command_find(word);
    if (command == NULL) {
        cli_expect_json(NULL, n, words);
        return word[0] == '-' ? cli_usage_error(NULL, "unknown option '%s'", word)
                              : unknown_command(word);
    }
    return run_command(command, n - 1, words + 1);
}

/* A standard stream that the caller closed must not become the first file that is opened: it is
 * filled with a descriptor on which reading gives nothing and writing fails. */
static void fill_standard_streams(void)
{
    for (int descriptor = 0; descriptor <= 2; descriptor++) {
        if (fcntl(descriptor, F_GETFD) == -1) {
            (void)open("/dev/null", descriptor == 2 ? O_WRONLY : O_RDONLY);
        }
    }
}

/* Large blocks go back to the system when they are freed, instead of staying as gaps that the
 * next larger one does not fit: the allocator would raise this bound by itself. */
static void return_large_blocks(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
}

/* Numbers are written and read with a point, whatever what was loaded with the program has set. */
static void use_plain_numbers(void)
{
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain != (locale_t)0) {
        (void)uselocale(plain);
    }
}

int main(int n, char **words)
{
    use_plain_numbers();
    return_large_blocks();
    fill_standard_streams();
    cli_catch_signals();
    return cli_close_output(dispatch(n - 1, words + 1));
}
