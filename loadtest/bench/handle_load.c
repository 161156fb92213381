/* Load of Handle requests over UDP or TCP, closed loop, one thread.
 *
 *     handle_load udp|tcp PORT REQUESTS SECONDS
 *
 * REQUESTS holds whole messages, each behind its length in four bytes (big endian). They are sent
 * in random order to 127.0.0.1 with RequestIds of our own: over UDP by UDP_SOCKETS sockets with
 * UDP_WINDOW outstanding each, over TCP one after the other on TCP_SOCKETS connections. An answer is
 * wrong unless it is whole, has the RequestId and response code 1. What is not answered within
 * LOST_S is lost and asked again. RequestId 0 is taken for ours. Prints one line of JSON.
 *
 * sendmmsg(2) and recvmmsg(2) take a window at a time, so that this costs less than any server.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { UDP_SOCKETS = 16, UDP_WINDOW = 16, TCP_SOCKETS = 32, MOST = 32, ROOM = 65536 };
enum { ENVELOPE = 20, ID_AT = 8, SEQUENCE_AT = 12, LENGTH_AT = 16, CODE_AT = 24 };
enum { SLOWEST_US = 1000000 };
static const double LOST_S = 0.5;

struct peer {
    int fd;
    uint32_t next_id;              /* of the next request */
    int outstanding;
    double heard;                  /* when the last answer came */
    double sent[256];              /* by the last byte of the id */
    char in[ROOM];                 /* TCP: what has come of the next answer */
    size_t have;
};

static int is_udp;
static char *requests, **request;
static uint32_t *request_size, request_count;
static uint64_t answered, lost, wrong, latency[SLOWEST_US + 1];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static uint32_t number_at(const char *at) {
    uint32_t n;
    memcpy(&n, at, 4);
    return ntohl(n);
}

static void read_requests(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) fail(path);
    long size = ftell(file);
    rewind(file);
    requests = malloc(size);
    request = malloc(size / 4 * sizeof *request);
    request_size = malloc(size / 4 * sizeof *request_size);
    if (fread(requests, 1, size, file) != (size_t)size) fail(path);
    for (long at = 0; at < size; at += 4 + request_size[request_count++]) {
        request[request_count] = requests + at + 4;
        request_size[request_count] = number_at(requests + at);
    }
    fclose(file);
}

static uint32_t drawn(void) {
    static uint32_t state = 20261121;
    state = state * 1664525u + 1013904223u;
    return ((uint64_t)state * request_count) >> 32;
}

/* Send `count` requests, which fit the kernel's buffers. */
static void ask(struct peer *peer, int count, double at) {
    static char out[UDP_WINDOW][2048];
    static struct iovec place[UDP_WINDOW];
    static struct mmsghdr head[UDP_WINDOW];
    for (int i = 0; i < count; i++) {
        uint32_t n = drawn(), id = peer->next_id++, wire = htonl(id);
        memcpy(out[i], request[n], request_size[n]);
        memcpy(out[i] + ID_AT, &wire, 4);
        peer->sent[id & 255] = at;
        place[i] = (struct iovec){out[i], request_size[n]};
        head[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &place[i], .msg_iovlen = 1}};
    }
    int sent = is_udp ? sendmmsg(peer->fd, head, count, 0)
                      : (write(peer->fd, out[0], place[0].iov_len) == (ssize_t)place[0].iov_len);
    if (sent != count) fail("send");
    peer->outstanding += count;
}

/* Judge one answer; the packets of a long one after the first do not count. */
static int judge(struct peer *peer, const char *answer, size_t size, double at) {
    if (size < ENVELOPE + 24) {
        wrong++;
        return 1;
    }
    if (number_at(answer + SEQUENCE_AT)) return 0;
    uint32_t id = number_at(answer + ID_AT), length = number_at(answer + LENGTH_AT);
    if (!id) id = peer->next_id - 1; /* fixed bytes: a ceiling */
    int is_whole = length == size - ENVELOPE || (is_udp && length > size - ENVELOPE);
    uint32_t age = peer->next_id - id;
    if (!is_whole || age == 0 || age > 255 || number_at(answer + CODE_AT) != 1) {
        wrong++;
        return 1;
    }
    double us = (at - peer->sent[id & 255]) * 1e6;
    latency[us < SLOWEST_US ? (int)us : SLOWEST_US]++;
    answered++;
    return 1;
}

static int hear_udp(struct peer *peer, double at) {
    static char in[MOST][2048];
    static struct iovec place[MOST];
    static struct mmsghdr head[MOST];
    for (int i = 0; i < MOST; i++) {
        place[i] = (struct iovec){in[i], sizeof in[i]};
        head[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &place[i], .msg_iovlen = 1}};
    }
    int count = recvmmsg(peer->fd, head, MOST, MSG_DONTWAIT, NULL), answers = 0;
    for (int i = 0; i < count; i++) answers += judge(peer, in[i], head[i].msg_len, at);
    return answers;
}

static int hear_tcp(struct peer *peer, double at) {
    ssize_t size = read(peer->fd, peer->in + peer->have, ROOM - peer->have);
    if (size <= 0) {
        if (size < 0 && errno == EAGAIN) return 0;
        fail("the server closed a connection");
    }
    peer->have += size;
    if (peer->have < ENVELOPE) return 0;
    size_t whole = ENVELOPE + number_at(peer->in + LENGTH_AT);
    if (whole > ROOM) fail("an answer is too long");
    if (peer->have < whole) return 0;
    int answers = judge(peer, peer->in, whole, at);
    peer->have = 0; /* one is outstanding, so nothing follows it */
    return answers;
}

static void open_peer(struct peer *peer, int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    peer->fd = socket(AF_INET, is_udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (peer->fd < 0 || connect(peer->fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
    if (!is_udp) setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(peer->fd, F_SETFL, O_NONBLOCK);
}

static int percentile(double part) {
    uint64_t wanted = answered * part, seen = 0;
    for (int us = 0; us <= SLOWEST_US; us++)
        if ((seen += latency[us]) > wanted) return us;
    return SLOWEST_US;
}

int main(int count, char **arguments) {
    static struct peer peers[TCP_SOCKETS];
    if (count != 5) return 2;
    is_udp = !strcmp(arguments[1], "udp");
    read_requests(arguments[3]);
    double seconds = atof(arguments[4]);
    int sockets = is_udp ? UDP_SOCKETS : TCP_SOCKETS, window = is_udp ? UDP_WINDOW : 1;
    int epoll = epoll_create1(0);
    for (int n = 0; n < sockets; n++) {
        open_peer(&peers[n], atoi(arguments[2]));
        peers[n].next_id = 1;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &peers[n]};
        epoll_ctl(epoll, EPOLL_CTL_ADD, peers[n].fd, &event);
    }
    double began = now(), at = began;
    for (int n = 0; n < sockets; n++) {
        ask(&peers[n], window, at);
        peers[n].heard = at;
    }
    while (at < began + seconds) {
        struct epoll_event events[TCP_SOCKETS];
        int ready = epoll_wait(epoll, events, sockets, 20);
        at = now();
        for (int i = 0; i < ready; i++) {
            struct peer *peer = events[i].data.ptr;
            int answers = is_udp ? hear_udp(peer, at) : hear_tcp(peer, at);
            peer->heard = at;
            /* What was given up for lost may still come, and must not widen the window. */
            peer->outstanding -= answers < peer->outstanding ? answers : peer->outstanding;
            int more = window - peer->outstanding;
            if (answers && more > 0) ask(peer, more < answers ? more : answers, at);
        }
        for (int n = 0; is_udp && n < sockets; n++) {
            if (at - peers[n].heard < LOST_S) continue;
            lost += peers[n].outstanding;
            peers[n].outstanding = 0;
            peers[n].heard = at;
            ask(&peers[n], window, at);
        }
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec +
                 (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
    printf("{\"answered\": %lu, \"lost\": %lu, \"wrong\": %lu, \"seconds\": %.6f, "
           "\"p50_us\": %d, \"p99_us\": %d, \"cores\": %.3f}\n",
           answered, lost, wrong, at - began, percentile(0.5), percentile(0.99),
           cpu / (at - began));
    return 0;
}
