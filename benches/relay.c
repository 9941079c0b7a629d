/* The floor of a proxy in user space: copies bytes both ways, and knows nothing of HTTP.
 *
 *     relay PORT BACKEND_PORT */
#define _GNU_SOURCE
#include "loopback.h"

enum { MOST_FILES = 1 << 16 };

/* The other end of each connection; 0 for none. */
static int other[MOST_FILES];

static int call(int port) {
    int callee = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in there = loopback(port);
    if (connect(callee, (struct sockaddr *)&there, sizeof there)) {
        close(callee);
        return -1;
    }
    return without_delay(callee);
}

int main(int count, char **words) {
    if (count < 3) return 2;
    int listener = listen_at(atoi(words[1])), epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    static char piece[64 << 10];
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            int file = events[i].data.fd;
            if (file == listener) {
                for (int caller; (caller = take(listener)) >= 0;) {
                    int callee = call(atoi(words[2]));
                    if (callee < 0) {
                        close(caller);
                        continue;
                    }
                    other[caller] = callee;
                    other[callee] = caller;
                    watch(epoll, caller);
                    watch(epoll, callee);
                }
                continue;
            }
            int to = other[file];
            if (!to) continue;
            ssize_t got = read(file, piece, sizeof piece);
            if (got <= 0 || write(to, piece, got) != got) {
                other[file] = other[to] = 0;
                close(file);
                close(to);
            }
        }
    }
}
