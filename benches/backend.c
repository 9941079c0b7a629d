/* The service behind the proxies: answers every request with the same kibibyte and keeps the connection.
 *
 *     backend [PORT]        without a port the variable PORT says where. Requests have no bodies. */
#define _GNU_SOURCE
#include <string.h>

#include "loopback.h"

enum { BODY = 1024 };

int main(int count, char **words) {
    const char *port = count > 1 ? words[1] : getenv("PORT");
    if (!port) return 2;
    static char answer[256 + BODY];
    int head = snprintf(answer, 256, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", BODY);
    memset(answer + head, 'x', BODY);

    int listener = listen_at(atoi(port)), epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    static char request[64 << 10];
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            int file = events[i].data.fd;
            if (file == listener) {
                for (int caller; (caller = take(listener)) >= 0;) watch(epoll, caller);
                continue;
            }
            ssize_t got = read(file, request, sizeof request - 1);
            if (got <= 0) {
                close(file);
                continue;
            }
            request[got] = 0;
            for (char *end = request; (end = strstr(end, "\r\n\r\n")); end += 4)
                if (write(file, answer, head + BODY) != head + BODY) break;
        }
    }
}
