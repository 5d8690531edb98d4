// Shows: mappings of files that lose their changes, grow, appear late or are split still show the file; large files
// that are only read are mapped shared, too.
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define PAGE 4096
#define LARGE (3 << 20)

static unsigned long sum(const unsigned char *bytes, long length) {
    unsigned long sum = 0;
    for (long i = 0; i < length; i++)
        sum = sum * 31 + bytes[i];
    return sum;
}

static unsigned char *map(long length, int protection, int flags, int file, long offset) {
    unsigned char *place = mmap(NULL, length, protection, flags, file, offset);
    if (place == MAP_FAILED)
        err(1, "mmap");
    return place;
}

int main(void) {
    static unsigned char bytes[8 * PAGE];
    int file = open("file", O_CREAT | O_RDWR, 0600);
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes || write(file, bytes, sizeof bytes) != sizeof bytes)
        err(1, "file");

    unsigned char *own = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, PAGE);
    memset(own, 'x', 2 * PAGE);
    printf("changed: %016lx\n", sum(own, 4 * PAGE));
    if (madvise(own, 4 * PAGE, MADV_DONTNEED))
        err(1, "madvise");
    printf("the file again: %016lx\n", sum(own, 4 * PAGE));

    // Only anonymous memory can be freed in this way.
    own[10] = 'y';
    if (!madvise(own, PAGE, MADV_FREE) || own[10] != 'y')
        errx(1, "a file was freed");

    // Growing shows more of the file; the new place may be another one.
    own = mremap(own, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE);
    printf("grown: %016lx\n", sum(own, 6 * PAGE));
    if (munmap(own + PAGE, PAGE) || pwrite(file, "through the hole", 16, 4 * PAGE) != 16)
        err(1, "munmap");
    printf("split: %016lx %016lx\n", sum(own, PAGE), sum(own + 2 * PAGE, 4 * PAGE));

    unsigned char *late = map(2 * PAGE, PROT_NONE, MAP_SHARED, file, 0);
    if (pwrite(file, "before it is readable", 21, 100) != 21 || mprotect(late, 2 * PAGE, PROT_READ | PROT_WRITE))
        err(1, "mprotect");
    unsigned char *twin = mremap(late, 0, 2 * PAGE, MREMAP_MAYMOVE);
    if (twin == MAP_FAILED)
        err(1, "mremap");
    late[200] ^= 1;
    printf("late: %016lx %016lx %s\n", sum(late, 2 * PAGE), sum(twin, 2 * PAGE), (char *)twin + 100);

    // A new mapping in the place of an old one.
    unsigned char *replaced = mmap(late, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file, 3 * PAGE);
    if (replaced != late || pwrite(file, "replaced", 8, 3 * PAGE) != 8)
        err(1, "mmap");
    printf("replaced: %.8s %016lx\n", (char *)late, sum(late, 2 * PAGE));

    int large = open("large", O_CREAT | O_RDWR, 0600);
    for (int i = 0; i < LARGE / (int)sizeof bytes; i++) {
        bytes[i] ^= i;
        if (write(large, bytes, sizeof bytes) != sizeof bytes)
            err(1, "large");
    }
    close(large);
    large = open("large", O_RDONLY);
    unsigned char *all = map(LARGE, PROT_READ, MAP_SHARED | MAP_POPULATE, large, 0);
    close(large);
    printf("large: %016lx\n", sum(all, LARGE));
    return munmap(all, LARGE);
}
