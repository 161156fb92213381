/* The ceiling of UDP benches: every datagram is answered with the same bytes, but for its RequestId.
 *
 *     udp_fixed_answer ANSWER
 *
 * ANSWER is a file with the datagrams of one answer, each behind its length in four bytes (big
 * endian). Prints the port it listens on at 127.0.0.1. One thread, nothing but recvmmsg(2) and
 * sendmmsg(2) in batches of 64: no server that looks anything up can be quicker.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, ROOM = 2048, MOST_PACKETS = 8, ID_AT = 8 };

static char in[BATCH][ROOM], packet[MOST_PACKETS][ROOM], out[BATCH * MOST_PACKETS][ROOM];
static size_t packet_size[MOST_PACKETS];
static struct sockaddr_in name[BATCH];
static struct iovec in_place[BATCH], out_place[BATCH * MOST_PACKETS];
static struct mmsghdr in_head[BATCH], out_head[BATCH * MOST_PACKETS];

static int read_answer(const char *path) {
    FILE *file = fopen(path, "rb");
    int packets = 0;
    uint32_t size;
    if (!file) exit(1);
    while (packets < MOST_PACKETS && fread(&size, 4, 1, file) == 1) {
        packet_size[packets] = ntohl(size);
        if (packet_size[packets] > ROOM ||
            fread(packet[packets], 1, packet_size[packets], file) != packet_size[packets])
            exit(1);
        packets++;
    }
    fclose(file);
    return packets;
}

int main(int count, char **arguments) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 4 << 20;
    if (count != 2) return 2;
    int packets = read_answer(arguments[1]);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(fd, (struct sockaddr *)&at, size)) return 1;
    getsockname(fd, (struct sockaddr *)&at, &size);
    for (int i = 0; i < BATCH; i++) {
        in_place[i] = (struct iovec){in[i], ROOM};
        in_head[i].msg_hdr = (struct msghdr){
            .msg_name = &name[i], .msg_namelen = sizeof name[i],
            .msg_iov = &in_place[i], .msg_iovlen = 1};
        for (int p = 0; p < packets; p++) {
            int o = i * packets + p;
            memcpy(out[o], packet[p], packet_size[p]);
            out_place[o] = (struct iovec){out[o], packet_size[p]};
            out_head[o].msg_hdr = (struct msghdr){
                .msg_name = &name[i], .msg_namelen = sizeof name[i],
                .msg_iov = &out_place[o], .msg_iovlen = 1};
        }
    }
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    for (;;) {
        int received = recvmmsg(fd, in_head, BATCH, MSG_WAITFORONE, NULL);
        for (int i = 0; i < received; i++)
            for (int p = 0; p < packets; p++)
                memcpy(out[i * packets + p] + ID_AT, in[i] + ID_AT, 4);
        for (int done = 0; done < received * packets;) {
            int sent = sendmmsg(fd, out_head + done, received * packets - done, 0);
            if (sent < 1) break;
            done += sent;
        }
    }
}
