/* Signals that end long jobs: the first one lets the command end by itself, with what it has
 * written removed. And the one that files raise which are cut while they are mapped. */
#include <signal.h>
#include <string.h>

#include "cli.h"

static volatile sig_atomic_t stop_requested;

static void note_stop(int number)
{
    (void)number;
    stop_requested = 1;
}

/* The terminal's, those of a closed session, of batch systems, and of a limit on processor time
 * (which comes again every second, so that only the others end the program at once when they
 * come a second time). What the caller has set to be ignored, as nohup does and shells for what
 * runs in the background, stays so. */
static void catch_stops(void)
{
    static const struct {
        int number;
        bool ends_second_time;
    } stops[] = {
        {SIGINT, true}, {SIGTERM, true}, {SIGHUP, true}, {SIGUSR1, true}, {SIGXCPU, false}};
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        struct sigaction before, action;
        memset(&action, 0, sizeof action);
        action.sa_handler = note_stop;
        action.sa_flags = stops[i].ends_second_time ? (int)SA_RESETHAND : 0;
        if (sigaction(stops[i].number, NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            (void)sigaction(stops[i].number, &action, NULL);
        }
    }
}

/* Where the fault is none of a mapped file, it happens again, and has its usual effect. */
static void recover(int number, siginfo_t *facts, void *context)
{
    (void)context;
    if (!ss_recover_fault(facts->si_addr)) {
        (void)signal(number, SIG_DFL);
    }
}

void cli_catch_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = recover;
    action.sa_flags = SA_SIGINFO;
    (void)sigaction(SIGBUS, &action, NULL);
    catch_stops();
    cli_catch_write_signals();
}

bool cli_is_stopped(void)
{
    return stop_requested != 0;
}

static int is_stopped(void *user, const struct ss_progress *progress)
{
    (void)user;
    (void)progress;
    return stop_requested != 0;
}

struct ss_progress_callback cli_stop(void)
{
    return (struct ss_progress_callback){is_stopped, NULL};
}
