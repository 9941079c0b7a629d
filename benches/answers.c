/* A service that answers HTTP with a word, as many connections as come, and notes each of its starts.
 *
 *     answers STARTS NAME [WORD] [DELAY]     STARTS gets a line `NAME PID BEGUN LISTENING WORD` (CLOCK_MONOTONIC, ns);
 *                                            the word is that in the file WORD; DELAY in ms before it listens;
 *                                            where ANSWERS_SAY is set, each answer is told in a line */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char answer[256];
static int length;
static const char *says;

static long now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000L + at.tv_nsec;
}

static void *serve(void *given) {
    int caller = (int)(long)given, filled = 0;
    char bytes[4096];
    for (;;) {
        ssize_t count = read(caller, bytes + filled, sizeof bytes - 1 - filled);
        if (count <= 0) break;
        filled += count;
        bytes[filled] = 0;
        char *end;
        while ((end = strstr(bytes, "\r\n\r\n"))) {
            if (write(caller, answer, length) != length) break;
            if (says) dprintf(1, "%ld %s GET / 200\n", now(), says);
            filled -= end + 4 - bytes;
            memmove(bytes, end + 4, filled + 1);
        }
        if (filled == sizeof bytes - 1) break;
    }
    close(caller);
    return 0;
}

int main(int count, char **words) {
    long begun = now();
    const char *port = getenv("PORT");
    if (count < 3 || !port) return 2;
    says = getenv("ANSWERS_SAY") ? words[2] : 0;
    char word[64] = "";
    int file = count > 3 ? open(words[3], O_RDONLY) : -1;
    ssize_t size = file < 0 ? 0 : read(file, word, sizeof word - 1);
    word[size > 0 ? size : 0] = 0;
    word[strcspn(word, "\n")] = 0;
    if (!*word) strcpy(word, "none");
    if (count > 4) usleep(atoi(words[4]) * 1000);
    length = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(word), word);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in here = {
        .sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr.s_addr = htonl(INADDR_ANY),
    };
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 512)) return 3;
    char line[256];
    int written = sprintf(line, "%s %d %ld %ld %s\n", words[2], getpid(), begun, now(), word);
    int starts = open(words[1], O_WRONLY | O_APPEND | O_CREAT, 0666);
    if (starts < 0 || write(starts, line, written) != written) return 4;
    signal(SIGPIPE, SIG_IGN);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    for (;;) {
        long caller = accept(listener, 0, 0);
        pthread_t thread;
        if (caller >= 0 && pthread_create(&thread, &small, serve, (void *)caller)) close(caller);
        else if (caller >= 0) pthread_detach(thread);
    }
}
