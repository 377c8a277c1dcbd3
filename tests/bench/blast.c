/* The load of the rows of requests a second: many connections, one request at a time on each, counted for some seconds.
 *
 * Run as `blast PORT CONNECTIONS SECONDS FILE`: FILE holds the bytes of one request. Prints the requests a second.
 * An answer must have the status 200 and a content-length; anything else ends the run with the exit code 1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_LIMIT = 1024, READ = 65536, HEAD_LIMIT = 16384 };

struct connection {
    int fd;
    size_t sent;        /* of the request */
    size_t head_size;   /* of what is in `head` */
    long left;          /* bytes of the body still to come; -1 while the head is not whole */
    char head[HEAD_LIMIT + 1];
};

static char *request;
static size_t request_size;

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void read_request(const char *name) {
    FILE *file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END)) fail("the request cannot be read");
    request_size = (size_t)ftell(file);
    rewind(file);
    request = malloc(request_size);
    if (!request || fread(request, 1, request_size, file) != request_size) fail("the request cannot be read");
    fclose(file);
}

static int connect_to(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) fail("no connection");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Sends what the socket takes; watches for more room only where it took less than all. */
static void send_more(int epoll, struct connection *c) {
    while (c->sent < request_size) {
        ssize_t n = send(c->fd, request + c->sent, request_size - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) break;
        c->sent += (size_t)n;
    }
    struct epoll_event event = {.events = EPOLLIN | (c->sent < request_size ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
}

static void begin(int epoll, struct connection *c) {
    c->sent = c->head_size = 0;
    c->left = -1;
    send_more(epoll, c);
}

/* Takes bytes of an answer; 1 when it is whole. */
static int take(struct connection *c, const char *data, size_t size) {
    if (c->left < 0) {
        if (c->head_size + size > HEAD_LIMIT) fail("the head of an answer is too long");
        memcpy(c->head + c->head_size, data, size);
        c->head_size += size;
        c->head[c->head_size] = 0;
        char *end = strstr(c->head, "\r\n\r\n");
        if (!end) return 0;
        char *field = strcasestr(c->head, "\r\ncontent-length:");
        if (strncmp(c->head, "HTTP/1.1 200 ", 13) || !field || field > end) fail("an answer is not what was sent");
        c->left = strtol(field + 17, NULL, 10) - (long)(c->head_size - (size_t)(end + 4 - c->head));
    } else {
        c->left -= (long)size;
    }
    if (c->left < 0) fail("an answer is longer than it says");
    return c->left == 0;
}

int main(int count, char **words) {
    if (count != 5) fail("blast PORT CONNECTIONS SECONDS FILE");
    int connections = atoi(words[2]), epoll = epoll_create1(0);
    if (connections < 1 || connections > CONNECTIONS_LIMIT || epoll < 0) fail("no such number of connections");
    read_request(words[4]);
    static char data[READ];
    struct connection *all = calloc((size_t)connections, sizeof *all);
    if (!all) fail("no memory");
    for (int i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        all[i].fd = connect_to(atoi(words[1]));
        epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &event);
        begin(epoll, &all[i]);
    }
    double start = now(), end = start + atof(words[3]);
    long whole = 0;
    while (now() < end) {
        struct epoll_event events[64];
        int ready = epoll_wait(epoll, events, 64, 1000);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT) send_more(epoll, c);
            if (!(events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) continue;
            ssize_t n = recv(c->fd, data, READ, MSG_DONTWAIT);
            if (n <= 0) fail("a connection was closed");
            if (take(c, data, (size_t)n)) {
                whole++;
                begin(epoll, c);
            }
        }
    }
    printf("%.1f\n", (double)whole / (now() - start));
    return 0;
}
