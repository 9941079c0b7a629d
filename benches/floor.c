/* The floor: starts every command of a file, waits, and ends all at SIGTERM or SIGINT. Whoever boots services has to
 * do this much; what takes longer than this is the tool's own.
 *
 *     floor inherit FILE        one command a line, words split at spaces; output goes where the floor's goes
 *     floor pipes FILE          a pipe takes each command's output, read and thrown away: what showing logs needs
 *     floor spaces FILE         the same, each command in a network and a process table of its own, with nothing set up
 *                               there but the loopback: the kernel's part of a pod */
#include "starting.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static void watch(int epoll, int file) {
    struct epoll_event event = { .events = EPOLLIN, .data.fd = file };
    must(!epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event), "epoll_ctl");
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
