// Shows: random bytes from the kernel: getrandom, getentropy, /dev/urandom, /dev/random, the uuid in /proc.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

static void print(const char *from, const unsigned char *bytes, int length) {
    printf("%-14s", from);
    for (int i = 0; i < length; i++)
        printf("%02x", bytes[i]);
    putchar('\n');
}

static void print_file(const char *path) {
    unsigned char bytes[36];
    int file = open(path, O_RDONLY);
    if (file < 0 || read(file, bytes, sizeof bytes) != sizeof bytes)
        err(1, "%s", path);
    close(file);
    print(path + 5, bytes, sizeof bytes);
}

int main(void) {
    unsigned char bytes[256];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        err(1, "getrandom");
    print("getrandom", bytes, sizeof bytes);
    if (getrandom(bytes, 7, GRND_NONBLOCK) != 7)
        err(1, "getrandom");
    print("getrandom", bytes, 7);
    if (getentropy(bytes, 100))
        err(1, "getentropy");
    print("getentropy", bytes, 100);
    print_file("/dev/urandom");
    print_file("/dev/random");
    print_file("/proc/sys/kernel/random/uuid");
    return 0;
}
