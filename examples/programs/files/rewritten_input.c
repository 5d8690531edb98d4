// Shows: a large file that is read through one descriptor while it is written through another one, by another process and
// through a mapping; and one that is deleted while it is read.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 1 << 16, PIECES = 40 };

static char piece[PIECE];

static void write_at(int file, const char *text, long offset) {
    if (pwrite(file, text, strlen(text), offset) < 0)
        err(1, "pwrite");
}

static void show(const char *when, int file) {
    unsigned long sum = getpid();
    lseek(file, 0, SEEK_SET);
    for (long length; (length = read(file, piece, sizeof piece)) > 0;)
        for (long i = 0; i < length; i++)
            sum = sum * 31 + piece[i];
    printf("%s: %lx\n", when, sum);
}

int main(void) {
    int writer = open("input", O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (int i = 0; i < PIECES; i++) {
        memset(piece, 'a' + i % 26, sizeof piece);
        if (write(writer, piece, sizeof piece) < 0)
            err(1, "write");
    }
    int reader = open("input", O_RDONLY);
    show("with a writer", reader);
    for (int i = 0; i < PIECES; i++) {
        if (pread(reader, piece, sizeof piece, i * PIECE) < 0)
            err(1, "pread");
        piece[i]++;
        if (pwrite(writer, piece, sizeof piece, i * PIECE) < 0)
            err(1, "pwrite");
    }
    show("changed", reader);
    close(writer);
    close(reader);

    reader = open("input", O_RDONLY);
    show("without a writer", reader);
    if (fork() == 0) {
        write_at(open("input", O_WRONLY), "child", 100000);
        _exit(0);
    }
    wait(NULL);
    show("changed by a child", reader);
    close(reader);

    reader = open("input", O_RDONLY);
    show("without a writer again", reader);
    writer = open("input", O_RDWR | O_NONBLOCK);
    if (writer < 0)
        err(1, "open for writing");
    char *mapping = mmap(NULL, PIECE * PIECES, PROT_READ | PROT_WRITE, MAP_SHARED, writer, 0);
    close(writer);
    mapping[2000000] ^= 1;
    show("changed through a mapping", reader);
    munmap(mapping, PIECE * PIECES);
    close(reader);

    reader = open("input", O_RDONLY);
    show("to be deleted", reader);
    unlink("input");
    show("deleted", reader);
    if (truncate("/proc/self/fd/3", 1 << 20) == 0)
        show("shortened", reader);
}
