// Shows: a shared file mapping: stores reach the file, and write() reaches the mapping.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void) {
    char text[64] = "";
    int file = open("shared", O_CREAT | O_RDWR, 0600);
    if (file < 0 || ftruncate(file, 8192))
        err(1, "shared");
    char *mapped = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    char *second = mmap(NULL, 8192, PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED || second == MAP_FAILED)
        err(1, "mmap");
    strcpy(mapped + 100, "stored through the mapping");
    if (msync(mapped, 8192, MS_SYNC) || pread(file, text, 40, 100) != 40)
        err(1, "msync");
    printf("the file has: %s\n", text);
    printf("the second mapping has: %s\n", second + 100);
    if (pwrite(file, "written by a call", 18, 5000) != 18)
        err(1, "pwrite");
    printf("the mappings have: %s, %s\n", mapped + 5000, second + 5000);
    int zero = open("/dev/urandom", O_RDONLY);
    // The kernel stores into the shared page on behalf of read().
    if (read(zero, mapped + 200, 8) != 8 || memcmp(mapped + 200, second + 200, 8))
        errx(1, "a read into a shared mapping");
    for (int i = 0; i < 8; i++)
        printf("%02x", (unsigned char)second[200 + i]);
    putchar('\n');
    return munmap(mapped, 8192) || munmap(second, 8192);
}
