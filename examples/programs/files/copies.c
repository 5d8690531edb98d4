// Shows: data that moves between descriptors without passing through the program, also to standard output.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

int main(void) {
    char text[4096];
    int random = open("/dev/urandom", O_RDONLY), from = open("from", O_CREAT | O_RDWR, 0600);
    int to = open("to", O_CREAT | O_RDWR, 0600), ends[2], others[2];
    if (read(random, text, sizeof text) != sizeof text || write(from, text, sizeof text) != sizeof text)
        err(1, "from");
    if (pipe(ends) || pipe(others))
        err(1, "pipe");
    loff_t start = 0;
    if (copy_file_range(from, &start, to, NULL, 1000, 0) != 1000)
        err(1, "copy_file_range");
    off_t offset = 1000;
    if (sendfile(to, from, &offset, 1000) != 1000 || offset != 2000)
        err(1, "sendfile");
    start = 2000;
    if (splice(from, &start, ends[1], NULL, 1000, 0) != 1000 || tee(ends[0], others[1], 1000, 0) != 1000)
        err(1, "splice");
    if (splice(ends[0], NULL, to, NULL, 1000, 0) != 1000)
        err(1, "splice from a pipe");
    // vmsplice hands pages of the program to the pipe.
    struct iovec piece = {text + 3000, 96};
    if (vmsplice(ends[1], &piece, 1, 0) != 96 || splice(ends[0], NULL, to, NULL, 96, 0) != 96)
        err(1, "vmsplice");
    char copy[4096];
    if (pread(to, copy, sizeof copy, 0) != 3096 || memcmp(text, copy, 3096))
        errx(1, "the copy differs");
    if (read(others[0], copy, sizeof copy) != 1000 || memcmp(text + 2000, copy, 1000))
        errx(1, "the second pipe differs");
    offset = 0;
    if (sendfile(1, from, &offset, 500) != 500)
        err(1, "sendfile to stdout");
    if (splice(from, &(loff_t){500}, ends[1], NULL, 500, 0) != 500)
        err(1, "splice");
    // Standard output may be a file, a pipe or a terminal; splice takes the first two.
    return splice(ends[0], NULL, 1, NULL, 500, 0) != 500;
}
