/* The floor: starts every command of a file, waits, and ends all at SIGTERM or SIGINT. Whoever boots services has to
 * do this much; what takes longer than this is the tool's own.
 *
 *     floor inherit FILE        one command a line, words split at spaces; output goes where the floor's goes
 *     floor pipes FILE          a pipe takes each command's output, read and thrown away: what showing logs needs
 *     floor spaces FILE         the same, each command in a network and a process table of its own, with nothing set up
 *                               there but the loopback: the kernel's part of a pod */
#define _GNU_SOURCE
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_WORDS = 63 };

static void must(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(2);
    }
}

static void watch(int epoll, int file) {
    struct epoll_event event = { .events = EPOLLIN, .data.fd = file };
    must(!epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event), "epoll_ctl");
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

int main(int count, char **arguments) {
    FILE *file = count == 3 ? fopen(arguments[2], "r") : 0;
    must(file != 0, "usage: floor inherit|pipes|spaces FILE");
    int apart = !strcmp(arguments[1], "spaces"), pipes = apart || !strcmp(arguments[1], "pipes");

    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGTERM);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGCHLD);
    sigprocmask(SIG_BLOCK, &awaited, 0);
    int signals = signalfd(-1, &awaited, SFD_CLOEXEC), epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, signals);

    pid_t *children = 0;
    int started = 0;
    char *line = 0, *words[MOST_WORDS + 1];
    for (size_t size = 0; getline(&line, &size, file) > 0;) {
        if (!split(line, words)) continue;
        int ends[2] = { -1, -1 };
        if (pipes) must(!pipe2(ends, O_CLOEXEC), "pipe");
        children = realloc(children, (started + 1) * sizeof *children);
        children[started++] = start((struct command){ words, ends[1], apart });
        if (pipes) {
            close(ends[1]);
            watch(epoll, ends[0]);
        }
    }

    static char trash[64 << 10];
    for (int running = started; running > 0;) {
        struct epoll_event events[64];
        int ready = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            int from = events[i].data.fd;
            ssize_t got = read(from, trash, sizeof trash);
            if (from != signals) {
                if (got <= 0) close(from);
                continue;
            }
            if (((struct signalfd_siginfo *)trash)->ssi_signo != SIGCHLD)
                /* The first process of a process table takes no other signal that it has no handler for. */
                for (int j = 0; j < started; j++) kill(children[j], apart ? SIGKILL : SIGTERM);
            while (waitpid(-1, 0, WNOHANG) > 0) running--;
        }
    }
}
