/* The floor of a boot in an order: starts each command, apart as pods are, in the moment in which all that it needs listen.
 *
 *     order FILE STARTS     a line `NAME NEEDS COMMAND...`, NEEDS being numbers of lines from 0, `1,4`, or `-`; STARTS gets a
 *                           line from each command once it listens, its NAME first (answers.c), and wakes this */
#include "starting.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum { MOST = 1024 };

static struct {
    char *name, **words;
    int *before, count, unmet, running;
    pid_t child;
} all[MOST];
static int total;

static void take(char *line) {
    char **words = calloc(MOST_WORDS + 1, sizeof *words);
    if (split(strdup(line), words) < 3) return;
    all[total].name = words[0];
    all[total].words = words + 2;
    all[total].before = calloc(MOST, sizeof(int));
    for (char *number = strtok(words[1], ",-"); number; number = strtok(0, ",-"))
        all[total].before[all[total].count++] = atoi(number);
    all[total].unmet = all[total].count;
    total++;
}

static void start_those_that_can(int null) {
    for (int at = 0; at < total; at++)
        if (!all[at].running && !all[at].unmet) {
            all[at].running = 1;
            all[at].child = start((struct command){ all[at].words, null, 1 });
        }
}

static void listens(const char *name) {
    int found = 0;
    while (found < total && strcmp(all[found].name, name)) found++;
    for (int at = 0; at < total; at++)
        for (int i = 0; i < all[at].count; i++) all[at].unmet -= all[at].before[i] == found;
}

static void end(int number) {
    (void)number;
    for (int at = 0; at < total; at++)
        if (all[at].running) kill(all[at].child, SIGKILL);
    while (wait(0) > 0) {
    }
    _exit(0);
}

int main(int count, char **arguments) {
    FILE *file = count == 3 ? fopen(arguments[1], "r") : 0;
    must(file != 0, "usage: order FILE STARTS");
    char *line = 0;
    for (size_t size = 0; getline(&line, &size, file) > 0 && total < MOST;) take(line);
    int starts = open(arguments[2], O_RDONLY | O_CREAT | O_CLOEXEC, 0666), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int told = inotify_init1(IN_CLOEXEC);
    must(starts >= 0 && inotify_add_watch(told, arguments[2], IN_MODIFY) >= 0, arguments[2]);
    signal(SIGTERM, end);
    static char text[64 << 10], events[4096];
    for (int filled = 0;;) {
        start_those_that_can(null);
        if (read(told, events, sizeof events) < 0) continue;
        for (ssize_t got; (got = read(starts, text + filled, sizeof text - 1 - filled)) > 0;) {
            text[filled += got] = 0;
            char *from = text;
            for (char *stop; (stop = strchr(from, '\n')); from = stop + 1) {
                *stop = 0;
                from[strcspn(from, " ")] = 0;
                listens(from);
            }
            filled = strlen(from);
            memmove(text, from, filled + 1);
        }
    }
}
