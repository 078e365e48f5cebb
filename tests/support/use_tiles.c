/* Linked into a program, this makes it run as on a machine with the tile unit, unless
 * SAESCOPE_CPU asks for less. Where even the stand-in cannot run (tile_unit.h), the kernels
 * stay the usual ones.
 *
 * The test library takes the signal of undefined instructions for the time of each test. It is
 * not let to. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tile_unit.h"

__attribute__((constructor)) static void use_tiles(void)
{
    const char *asked = getenv("SAESCOPE_CPU");
    if (asked == NULL || strcmp(asked, "amx") == 0) {
        (void)tile_unit_use();
    }
}

typedef void handler(int number);

/* Instead of the C library's, which has the prototype. */
__attribute__((visibility("default"))) handler *signal(int number, handler *to)
{
    const struct sigaction action = {.sa_handler = to, .sa_flags = SA_RESTART};
    struct sigaction before = {.sa_handler = SIG_DFL};
    if (number != SIGILL && sigaction(number, &action, &before) != 0) {
        return SIG_ERR;
    }
    return before.sa_handler;
}
