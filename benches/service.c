/* The trivial service that is booted many times: listens, reports, greets nobody, ends with SIGTERM.
 *
 *     service REPORT SLOT [PORT]        PORT 0 takes any; without it the variable PORT says where */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "report.h"

int main(int count, char **words) {
    const char *port = count > 3 ? words[3] : getenv("PORT");
    if (count < 3 || !port) {
        fprintf(stderr, "usage: service REPORT SLOT [PORT]\n");
        return 2;
    }
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in here = {
        .sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 64)) {
        perror("listen");
        return 2;
    }
    report(words[1], atol(words[2]));
    for (;;) {
        int caller = accept(listener, 0, 0);
        if (caller >= 0) close(caller);
    }
}
