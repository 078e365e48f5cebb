/* The viewer of a run that is being made: this program again, as a process of its own, so that nothing
 * that a browser does reaches the job. It gets only the processor time that nobody else wants. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

enum { LEAST_PRIORITY = 19, LOOK_MS = 100 };

static void wait_a_little(void)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    (void)nanosleep(&pause, NULL);
}

/* Whether the folder holds a run, or the beginning of one. */
static bool is_begun(const char *run_dir)
{
    DIR *folder = opendir(run_dir);
    bool found = false;
    if (folder == NULL) {
        return false;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL && !found;
         entry = readdir(folder)) {
        found = strcmp(entry->d_name, "run.json") == 0 ||
                strncmp(entry->d_name, ".unfinished.", strlen(".unfinished.")) == 0;
    }
    (void)closedir(folder);
    return found;
}

/* The link goes to standard error: standard output is the job's. */
static void become_viewer(const char *run_dir, pid_t job)
{
    const struct sched_param none = {0};
    char program[] = "saescope", verb[] = "view", end[] = "--";
    char *words[] = {program, verb, end, (char *)(uintptr_t)run_dir, NULL};
    (void)prctl(PR_SET_PDEATHSIG, SIGINT);
    (void)setpriority(PRIO_PROCESS, 0, LEAST_PRIORITY);
    (void)sched_setscheduler(0, SCHED_IDLE, &none);
    (void)dup2(STDERR_FILENO, STDOUT_FILENO);
    const int nothing = isatty(STDIN_FILENO) == 0 ? open("/dev/null", O_RDONLY) : -1;
    if (nothing >= 0) {
        (void)dup2(nothing, STDIN_FILENO);
    }
    while (!is_begun(run_dir) && !cli_is_stopped() && getppid() == job) {
        wait_a_little();
    }
    if (!cli_is_stopped() && getppid() == job) {
        (void)execv("/proc/self/exe", words);
        cli_say(stderr, "the viewer cannot be started: %s", strerror(errno));
    }
    _exit(0);
}

int cli_viewer_start(const char *run_dir)
{
    const pid_t job = getpid(), child = fork();
    if (child == 0) {
        become_viewer(run_dir, job);
    }
    if (child < 0) {
        cli_say(stderr, "the viewer cannot be started: %s", strerror(errno));
    }
    return child < 0 ? 0 : child;
}

void cli_viewer_end(int viewer, bool stays)
{
    int status = 0;
    if (viewer == 0) {
        return;
    }
    if (stays && waitpid(viewer, &status, WNOHANG) == 0) {
        cli_say(stderr, "the pages stay until Ctrl-C");
    }
    while (stays && !cli_is_stopped() && waitpid(viewer, &status, WNOHANG) == 0) {
        wait_a_little();
    }
    (void)kill(viewer, SIGINT);
    while (waitpid(viewer, &status, 0) < 0 && errno == EINTR) {
    }
}
