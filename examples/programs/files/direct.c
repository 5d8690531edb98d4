// Shows: files that are read past the page cache (O_DIRECT), where the kernel wants aligned memory, while another thread runs. What a
// recorder has the kernel write to must be aligned as well.
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 32 };

static void *wait_for_end(void *pipe_end) {
    char byte;
    return (void *)read(*(int *)pipe_end, &byte, 1);
}

static unsigned sum(const unsigned char *bytes, size_t length) {
    unsigned result = 0;
    for (size_t at = 0; at < length; at++)
        result = result * 31 + bytes[at];
    return result;
}

int main(void) {
    char name[] = "direct-XXXXXX";
    int file = mkstemp(name), ends[2];
    unsigned char *memory = aligned_alloc(BLOCK, BLOCKS * BLOCK);
    for (int at = 0; at < BLOCKS * BLOCK; at++)
        memory[at] = at * 7 + at / BLOCK;
    if (file < 0 || write(file, memory, BLOCKS * BLOCK) != BLOCKS * BLOCK || fsync(file) || pipe(ends))
        err(1, "%s", name);
    close(file);
    file = open(name, O_RDONLY | O_DIRECT);
    unlink(name);
    if (file < 0)
        err(1, "open with O_DIRECT");
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_end, &ends[0]);
    for (int blocks = 1; blocks <= BLOCKS; blocks *= 2) {
        memset(memory, 0, BLOCKS * BLOCK);
        long length = pread(file, memory, blocks * BLOCK, 0);
        printf("pread: %ld bytes, %x\n", length, sum(memory, BLOCKS * BLOCK));
    }
    struct iovec pieces[] = {{memory, BLOCK}, {memory + 3 * BLOCK, 2 * BLOCK}};
    memset(memory, 0, BLOCKS * BLOCK);
    long length = preadv(file, pieces, 2, BLOCK);
    printf("preadv: %ld bytes, %x\n", length, sum(memory, BLOCKS * BLOCK));
    length = read(file, memory + BLOCK, 5 * BLOCK);
    printf("read: %ld bytes, %x\n", length, sum(memory, BLOCKS * BLOCK));
    if (write(ends[1], "", 1) != 1)
        err(1, "write");
    pthread_join(thread, NULL);
    return 0;
}
