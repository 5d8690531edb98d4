// Shows: a private file mapping: read, written without touching the file, and followed by zeros to the page's end.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

int main(void) {
    unsigned char bytes[10000];
    int file = open("input", O_CREAT | O_RDWR, 0600);
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes || write(file, bytes, sizeof bytes) != sizeof bytes)
        err(1, "input");
    unsigned char *mapped = mmap(NULL, sizeof bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    unsigned char *second = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 4096);
    if (mapped == MAP_FAILED || second == MAP_FAILED)
        err(1, "mmap");
    close(file);
    printf("%p %p\n", (void *)mapped, (void *)second);
    for (unsigned i = 0; i < sizeof bytes; i += 97)
        printf("%02x", mapped[i]);
    printf("\nafter the end %02x %02x\n", mapped[sizeof bytes], mapped[12287]);
    if (memcmp(mapped, bytes, sizeof bytes) || memcmp(second, bytes + 4096, 4096))
        errx(1, "the mapping is not the file");
    mapped[0] ^= 255;
    file = open("input", O_RDONLY);
    if (read(file, bytes, 1) != 1 || bytes[0] == mapped[0])
        errx(1, "a private write reached the file");
    if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0) != MAP_FAILED)
        errx(1, "descriptor -1 was mapped");
    return munmap(mapped, sizeof bytes) || munmap(second, 4096);
}
