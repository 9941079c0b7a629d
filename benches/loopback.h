/* Sockets on the loopback, for the programs of the proxy's benchmark. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static inline struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

static inline int without_delay(int socket) {
    int one = 1;
    if (socket >= 0) setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return socket;
}

static inline int listen_at(int port) {
    signal(SIGPIPE, SIG_IGN);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in here = loopback(port);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 1024)) {
        perror("listen");
        exit(2);
    }
    return listener;
}

/* The next caller's socket; negative when there is none. */
static inline int take(int listener) {
    return without_delay(accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

static inline void watch(int epoll, int file) {
    struct epoll_event event = { .events = EPOLLIN, .data.fd = file };
    epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event);
}
