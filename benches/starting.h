/* How the floors start a command. */
#define _GNU_SOURCE
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_WORDS = 63 };

static void must(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(2);
    }
}

static int split(char *line, char **words) {
    int count = 0;
    for (char *word = strtok(line, " \n"); word && count < MOST_WORDS; word = strtok(0, " \n")) words[count++] = word;
    words[count] = 0;
    return count;
}

static void loopback_up(void) {
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(socket_, SIOCSIFFLAGS, &request)) _exit(126);
    close(socket_);
}

struct command {
    char **words;
    int output, apart;
};

static int become(void *argument) {
    struct command *command = argument;
    if (command->apart) loopback_up();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
    if (command->output >= 0) {
        dup2(command->output, STDOUT_FILENO);
        dup2(command->output, STDERR_FILENO);
    }
    execv(command->words[0], command->words);
    _exit(127);
}

/* As vfork does: nothing is copied, and this waits until the child is another program. */
static pid_t start(struct command command) {
    static char stack[64 << 10] __attribute__((aligned(16)));
    int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
    if (command.apart) flags |= CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS;
    if (command.apart && geteuid()) flags |= CLONE_NEWUSER;
    pid_t child = clone(become, stack + sizeof stack, flags, &command);
    must(child > 0, "clone");
    return child;
}
