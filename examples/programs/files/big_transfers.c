// Shows: single calls that move more than any buffer in between can hold: 8 MiB at once, and a thousand pieces.
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SIZE = 8 << 20, PIECES = 1000 };

static uint64_t hash_of(const unsigned char *bytes, size_t length) {
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

int main(void) {
    unsigned char *block = malloc(SIZE), *again = malloc(SIZE);
    int source = open("/dev/urandom", O_RDONLY), file = open("big", O_CREAT | O_RDWR, 0600);
    ssize_t length = read(source, block, SIZE);
    printf("read %zd random bytes: %016lx\n", length, hash_of(block, length));
    if (write(file, block, SIZE) != SIZE || pread(file, again, SIZE, 0) != SIZE)
        err(1, "big file");
    printf("the file has %016lx\n", hash_of(again, SIZE));
    struct iovec pieces[PIECES];
    size_t total = 0;
    for (int i = 0; i < PIECES; i++) {
        pieces[i] = (struct iovec){again + total, i * 7 % 4096};
        total += pieces[i].iov_len;
    }
    if (preadv(source, pieces, PIECES, 0) != (ssize_t)total)
        err(1, "preadv");
    printf("%zu bytes in pieces: %016lx\n", total, hash_of(again, total));
    if (pwritev(file, pieces, PIECES, 12345) != (ssize_t)total || pread(file, block, total, 12345) != (ssize_t)total)
        err(1, "pwritev");
    printf("and back again: %016lx\n", hash_of(block, total));
    // All of it also to standard output: what is seen must be byte for byte the same.
    for (size_t written = 0; written < total;) {
        length = write(1, block + written, total - written);
        if (length < 0)
            err(1, "stdout");
        written += length;
    }
    return 0;
}
