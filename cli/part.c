/* Which part of a job this process is: as it was told, or as the scheduler that started it says. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Where schedulers say it: the number of the process, how many there are, and, where numbers do
 * not begin with 0, the first one and the step. The first whose variables are set is taken: an
 * array before what runs inside one of its jobs. */
static const struct scheduler {
    const char *name, *rank, *size, *first, *step;
} schedulers[] = {
    {"a Slurm array", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN",
     "SLURM_ARRAY_TASK_STEP"},
    {"AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE", NULL, NULL},
    {"Google Batch", "BATCH_TASK_INDEX", "BATCH_TASK_COUNT", NULL, NULL},
    {"a Kubernetes Job", "JOB_COMPLETION_INDEX", NULL, NULL, NULL},
    {"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", NULL, NULL},
    {"MPICH", "PMI_RANK", "PMI_SIZE", NULL, NULL},
    {"Slurm", "SLURM_PROCID", "SLURM_NTASKS", NULL, NULL},
};
enum { N_SCHEDULERS = sizeof schedulers / sizeof schedulers[0] };

/* A whole number; false for anything else. */
static bool read_number(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    size_t n = 0;
    for (; text != NULL && text[n] >= '0' && text[n] <= '9' && n < 18; n++) {
        value = 10 * value + (uint64_t)(text[n] - '0');
    }
    *out = value;
    return n > 0 && text[n] == '\0';
}

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
    uint64_t value = 0;
    return variable != NULL && read_number(getenv(variable), &value) ? value : otherwise;
}

/* `n_parts` 0: as the scheduler says. */
static int find_part(const struct cli_command *command, const struct cli_values *values,
                     uint64_t n_parts, struct cli_part *part)
{
    uint64_t rank = 0;
    for (size_t i = 0; i < N_SCHEDULERS; i++) {
        const struct scheduler *at = &schedulers[i];
        if (!read_number(getenv(at->rank), &rank)) {
            continue;
        }
        const uint64_t first = number_of(at->first, 0), step = number_of(at->step, 1);
        part->n_parts = n_parts > 0 ? n_parts : number_of(at->size, 0);
        if (part->n_parts == 0) {
            return cli_usage_error(command,
                                   "%s does not tell how many parts there are; give "
                                   "--part auto/N",
                                   at->name);
        }
        part->part = (rank - first) / (step == 0 ? 1 : step) + 1;
        if (!cli_given(values, OPT_QUIET)) {
            cli_say(stderr, "part %llu of %llu, as %s says (%s=%llu)",
                    (unsigned long long)part->part, (unsigned long long)part->n_parts, at->name,
                    at->rank, (unsigned long long)rank);
        }
        return CLI_OK;
    }
    return cli_usage_error(command,
                           "--part auto finds no variable of a scheduler that it knows "
                           "(Slurm, Open MPI, MPICH, Kubernetes, AWS and Google Batch); "
                           "give --part K/N");
}

int cli_read_part(const struct cli_command *command, const struct cli_values *values,
                  struct cli_part *part)
{
    static const char automatic[] = "auto";
    const char *text = values->text[OPT_PART];
    *part = (struct cli_part){0, 0};
    if (text == NULL) {
        return CLI_OK;
    }
    const char *slash = strchr(text, '/');
    const size_t n_first = slash == NULL ? strlen(text) : (size_t)(slash - text);
    const bool is_auto =
        n_first == sizeof automatic - 1 && strncmp(text, automatic, n_first) == 0;
    if (slash != NULL && !read_number(slash + 1, &part->n_parts)) {
        part->n_parts = 0;
    }
    if (is_auto && (slash == NULL || part->n_parts > 0)) {
        return find_part(command, values, part->n_parts, part);
    }
    char first[32] = "";
    if (n_first < sizeof first) {
        memcpy(first, text, n_first);
    }
    const bool is_planned = slash == NULL && cli_given(values, OPT_PLAN); /* it has the N */
    return read_number(first, &part->part) && part->part > 0 &&
                   (is_planned || part->n_parts >= part->part)
               ? CLI_OK
               : cli_usage_error(command,
                                 "--part is K/N, with K from 1 to N, auto, or auto/N, and not "
                                 "'%s'",
                                 text);
}
