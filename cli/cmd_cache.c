/* saescope cache: what lies in the cache of the hub, whether it is sound, and what can go. */
#include <string.h>
#include <time.h>

#include "commands.h"

/* 438123456 → "438.1 MB" */
static const char *format_size(uint64_t n_bytes, char out[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)n_bytes;
    size_t unit = 0;
    for (; value >= 999.95 && unit < 4; unit++) {
        value /= 1000;
    }
    snprintf(out, 32, "%.*f %s", unit == 0 ? 0 : 1, value, units[unit]);
    return out;
}

/* ---- ls ---- */

static void format_day(int64_t seconds, char out[32])
{
    const time_t when = (time_t)seconds;
    struct tm day;
    if (seconds <= 0 || gmtime_r(&when, &day) == NULL ||
        strftime(out, 32, "%Y-%m-%d", &day) == 0) {
        snprintf(out, 32, "-");
    }
}

static void print_json_repo(const struct ss_cache_repo *repo)
{
    printf("{\"schema\": 1, \"kind\": \"%s\", \"id\": ", repo->kind);
    cli_print_json(stdout, cli_text_of(repo->id));
    printf(", \"path\": ");
    cli_print_json(stdout, cli_text_of(repo->path));
    printf(", \"refs\": ");
    cli_print_json(stdout, cli_text_of(repo->refs));
    printf(", \"bytes\": %llu, \"files\": %zu, \"revisions\": %zu, \"used_at\": %lld}\n",
           (unsigned long long)repo->n_bytes, repo->n_files, repo->n_revisions,
           (long long)repo->used_at);
}

static void print_repo(const struct ss_cache_repo *repo)
{
    char size[32], day[32];
    format_day(repo->used_at, day);
    printf("%-8s %10s  %5zu files  %s  ", repo->kind, format_size(repo->n_bytes, size),
           repo->n_files, day);
    cli_print_safely(stdout, cli_text_of(repo->id), 0);
    if (repo->refs[0] != '\0') {
        printf("  (");
        cli_print_safely(stdout, cli_text_of(repo->refs), 0);
        putchar(')');
    }
    putchar('\n');
}

static int list(const struct cli_values *values)
{
    struct ss_cache_list cache = {0};
    ss_err err;
    uint64_t n_bytes = 0;
    char size[32];
    if (ss_cache_list(NULL, &cache, &err) != SS_OK) {
        return cli_fail(&err);
    }
    for (size_t i = 0; i < cache.n_repos; i++) {
        n_bytes += cache.repos[i].n_bytes;
        (cli_given(values, OPT_JSON) ? print_json_repo : print_repo)(&cache.repos[i]);
    }
    if (!cli_given(values, OPT_QUIET) && !cli_given(values, OPT_JSON)) {
        cli_say(stderr, "%zu repositor%s, %s: %s", cache.n_repos,
                cache.n_repos == 1 ? "y" : "ies", format_size(n_bytes, size), cache.path);
    }
    ss_cache_list_release(&cache);
    return CLI_OK;
}

/* ---- verify, prune ---- */

static void print_finding(void *user, const struct ss_cache_finding *finding)
{
    const struct cli_values *values = user;
    if (cli_given(values, OPT_JSON)) {
        printf("{\"schema\": 1, \"path\": ");
        cli_print_json(stdout, cli_text_of(finding->path));
        printf(", \"what\": ");
        cli_print_json(stdout, cli_text_of(finding->what));
        printf(", \"bytes\": %llu}\n", (unsigned long long)finding->n_bytes);
    } else {
        cli_say(stdout, "%s: %s", finding->path, finding->what);
    }
}

static struct ss_cache_check_options check_options(const struct cli_values *values)
{
    return (struct ss_cache_check_options){
        .struct_size = sizeof(struct ss_cache_check_options),
        .dry_run = cli_given(values, OPT_DRY_RUN),
        .found = print_finding,
        .user = (void *)(uintptr_t)values,
        .progress = cli_stop(),
    };
}

static int verify(const struct cli_values *values)
{
    const struct ss_cache_check_options options = check_options(values);
    struct ss_cache_sum sum;
    ss_err err;
    if (ss_cache_verify(&options, &sum, &err) != SS_OK) {
        return cli_fail(&err);
    }
    if (!cli_given(values, OPT_QUIET)) {
        fprintf(stderr, "%zu files checked, %zu without a known hash, %zu not sound\n",
                sum.n_checked, sum.n_unknown, sum.n_findings);
    }
    return sum.n_findings == 0 ? CLI_OK : ss_status_exit_code(SS_E_DATA);
}

static int prune(const struct cli_values *values)
{
    const struct ss_cache_check_options options = check_options(values);
    struct ss_cache_sum sum;
    ss_err err;
    char size[32];
    if (ss_cache_prune(&options, &sum, &err) != SS_OK) {
        return cli_fail(&err);
    }
    if (!cli_given(values, OPT_QUIET)) {
        fprintf(stderr, "%zu %s, %s %s\n", sum.n_findings,
                options.dry_run ? "would be removed" : "removed",
                format_size(sum.n_bytes, size), options.dry_run ? "would be freed" : "freed");
    }
    return CLI_OK;
}

/* ---- the command ---- */

static const struct {
    const char *name;
    int (*run)(const struct cli_values *values);
} actions[] = {{"ls", list}, {"verify", verify}, {"prune", prune}};

static int cache(const struct cli_command *command, const struct cli_values *values)
{
    if (cli_was_typed(values, OPT_DRY_RUN) && strcmp(values->arguments[0], "prune") != 0 &&
        !cli_given(values, OPT_QUIET)) {
        cli_say(stderr, "note: --dry-run has no effect without prune");
    }
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        if (strcmp(values->arguments[0], actions[i].name) == 0) {
            return actions[i].run(values);
        }
    }
    return cli_usage_error(command, "'%s' is not one of ls, verify, prune",
                           values->arguments[0]);
}

const struct cli_command cli_cache = {
    .name = "cache",
    .summary = "what was downloaded from the hub: ls, verify, prune",
    .argument = "ls|verify|prune",
    .argument_choices = (const char *const[]){"ls", "verify", "prune", NULL},
    .n_least = 1,
    .n_most = 1,
    .about =
        "ls lists the repositories in the cache of the hub, which other programs use too.\n\n"
        "verify reads every file, compares its content with the hash that names it, prints "
        "what "
        "is not sound, and ends with 65 if there is any.\n\nprune removes what nobody can use: "
        "unfinished downloads, content that no snapshot names, and links that lead nowhere. It "
        "removes nothing through a link, and leaves what another program may be working on; "
        "with --dry-run it only says what would be removed.",
    .examples = {{"saescope cache ls", "what is there and how large it is"},
                 {"saescope cache verify", "re-hash everything"},
                 {"saescope cache prune --dry-run", "what would be removed"}},
    .uses = {{OPT_DRY_RUN, false, NULL, NULL},
             {OPT_JSON, false, NULL, "print JSON, an object per line"},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = cache,
};
