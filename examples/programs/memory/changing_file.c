// Shows: mappings of a file follow every call that changes it: the writes, transfers from other files, truncation,
// holes, appending; so do the untouched pages of a private mapping, but not those that the program has changed.
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096

static unsigned char *shared, *private_copy;

static void show(const char *what) {
    unsigned long sums[2] = {0, 0};
    for (int i = 0; i < 4 * PAGE; i++) {
        sums[0] = sums[0] * 31 + shared[i];
        sums[1] = sums[1] * 31 + private_copy[i];
    }
    printf("%s: %016lx %016lx\n", what, sums[0], sums[1]);
}

static char *chance(char *bytes, int length) {
    if (getrandom(bytes, length, 0) != length)
        err(1, "getrandom");
    return bytes;
}

int main(void) {
    char bytes[2 * PAGE];
    int file = open("file", O_CREAT | O_RDWR, 0600), other = open("other", O_CREAT | O_RDWR, 0600);
    if (write(file, chance(bytes, PAGE), PAGE) != PAGE || ftruncate(file, 4 * PAGE))
        err(1, "file");
    if (write(other, chance(bytes, 2 * PAGE), 2 * PAGE) != 2 * PAGE)
        err(1, "other");
    shared = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, file, 0);
    private_copy = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (shared == MAP_FAILED || private_copy == MAP_FAILED)
        err(1, "mmap");
    show("mapped");
    private_copy[2 * PAGE] = 'x';
    if (write(file, chance(bytes, 100), 100) != 100)
        err(1, "write");
    show("write at the position");
    if (pwrite(file, chance(bytes, 100), 100, 2 * PAGE - 50) != 100)
        err(1, "pwrite");
    show("pwrite across pages");
    struct iovec pieces[2] = {{bytes, 1000}, {bytes + 3000, 2000}};
    chance(bytes, 5000);
    if (writev(file, pieces, 2) != 3000)
        err(1, "writev");
    show("writev");
    if (pwritev(file, pieces, 2, 3 * PAGE) != 3000 || pwritev2(file, pieces, 2, 10, 0) != 3000)
        err(1, "pwritev");
    show("pwritev");
    off_t from = 17;
    if (sendfile(file, other, &from, 500) != 500)
        err(1, "sendfile");
    show("sendfile");
    loff_t start = 1000, to = 3 * PAGE + 7;
    if (copy_file_range(other, &start, file, &to, 600, 0) != 600)
        err(1, "copy_file_range");
    show("copy_file_range");
    int ends[2];
    if (pipe(ends) || write(ends[1], bytes, 300) != 300 || splice(ends[0], NULL, file, &(loff_t){PAGE}, 300, 0) != 300)
        err(1, "splice");
    show("splice");
    if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, PAGE))
        err(1, "fallocate");
    show("hole");
    // What was cut off comes back as zeros, also within the last page.
    if (ftruncate(file, PAGE + 100) || ftruncate(file, 4 * PAGE))
        err(1, "ftruncate");
    show("truncated and grown");
    int end = open("file", O_WRONLY | O_APPEND);
    if (ftruncate(file, 3 * PAGE + 10) || write(end, bytes, 100) != 100 || pwrite(end, bytes, 50, 0) != 50)
        err(1, "append");
    if (fallocate(file, 0, 4 * PAGE - 1, 1))
        err(1, "fallocate");
    show("appended");
    if (open("file", O_RDWR | O_TRUNC) < 0 || truncate("file", 4 * PAGE))
        err(1, "open");
    show("truncated by open");
    return 0;
}
