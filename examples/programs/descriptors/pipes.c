// Shows: pipes to oneself: full, empty, non-blocking, closed.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

int main(void) {
    int ends[2], waiting;
    char bytes[1 << 16];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC))
        err(1, "pipe2");
    printf("ends %d and %d hold %d\n", ends[0], ends[1], fcntl(ends[0], F_GETPIPE_SZ));
    long total = 0;
    ssize_t length;
    while ((length = write(ends[1], bytes, 10000)) > 0)
        total += length;
    printf("full after %ld: %d\n", total, errno == EAGAIN);
    if (ioctl(ends[0], FIONREAD, &waiting))
        err(1, "FIONREAD");
    printf("%d waiting\n", waiting);
    while ((length = read(ends[0], bytes, sizeof bytes)) > 0)
        total -= length;
    printf("empty: %d, %ld left\n", errno == EAGAIN, total);
    if (getrandom(bytes, 16, 0) != 16 || write(ends[1], bytes, 16) != 16 || read(ends[0], bytes + 16, 20) != 16)
        err(1, "16 bytes");
    for (int i = 0; i < 16; i++)
        printf("%02x", (unsigned char)bytes[16 + i]);
    close(ends[1]);
    printf("\nat the end %zd\n", read(ends[0], bytes, 1));
    signal(SIGPIPE, SIG_IGN);
    if (pipe(ends))
        err(1, "pipe");
    close(ends[0]);
    length = write(ends[1], "x", 1);
    printf("to nobody %zd, %d\n", length, errno == EPIPE);
    return 0;
}
