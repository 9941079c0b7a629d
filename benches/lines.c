/* Writes numbered lines as fast as they are taken, when it is told to.
 *
 *     lines REPORT COUNT        reports into slot 0 when it waits, 1 when it begins, 2 when the last line is taken
 *
 * One line comes before the wait, so that whoever follows can be seen to follow. SIGUSR1 begins, SIGTERM ends. */
#include <signal.h>
#include <string.h>

#include "report.h"

enum { WIDTH = 100, DIGITS = 9, LINES_AT_ONCE = 655 };

static void write_all(const char *bytes, size_t left) {
    while (left > 0) {
        ssize_t taken = write(STDOUT_FILENO, bytes, left);
        if (taken < 0) {
            perror("write");
            exit(1);
        }
        bytes += taken;
        left -= taken;
    }
}

static void fill(char *line, long number) {
    memset(line, 'x', WIDTH - 1);
    for (int digit = DIGITS - 1; digit >= 0; digit--, number /= 10) line[digit] = '0' + number % 10;
    line[DIGITS] = ' ';
    line[WIDTH - 1] = '\n';
}

int main(int count, char **words) {
    if (count < 3) {
        fprintf(stderr, "usage: lines REPORT COUNT\n");
        return 2;
    }
    sigset_t begin;
    sigemptyset(&begin);
    sigaddset(&begin, SIGUSR1);
    sigprocmask(SIG_BLOCK, &begin, 0);
    write_all("waiting\n", 8);
    report(words[1], 0);
    int signal;
    sigwait(&begin, &signal);

    static char piece[LINES_AT_ONCE * WIDTH];
    long total = atol(words[2]);
    report(words[1], 1);
    for (long number = 0; number < total;) {
        int filled = 0;
        while (filled < LINES_AT_ONCE && number < total) fill(piece + WIDTH * filled++, number++);
        write_all(piece, (size_t)filled * WIDTH);
    }
    report(words[1], 2);
    for (;;) pause();
}
