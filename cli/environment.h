/* The variables of the environment and the places that count beside options, in one table. */
#ifndef SS_CLI_ENVIRONMENT_H
#define SS_CLI_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

enum { CLI_MAX_NAMES = 4 };

struct cli_variable {
    const char *names[CLI_MAX_NAMES]; /* the first that is set counts */
    const char *meaning;              /* without a full stop at its end */
    bool of_network;                  /* of the hub, artifact stores and what was fetched */
};
extern const struct cli_variable cli_variables[];
extern const size_t cli_n_variables;

struct cli_place {
    const char *path;
    const char *meaning;
    bool of_run; /* in the results of analyze; else of what was fetched */
};
extern const struct cli_place cli_places[];
extern const size_t cli_n_places;

#endif
