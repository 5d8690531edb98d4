// Shows: file positions and sparse files: lseek in all its forms, pread and pwrite, holes, truncation.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
    char text[16] = "";
    int file = open("sparse", O_CREAT | O_TRUNC | O_RDWR, 0600);
    if (file < 0 || pwrite(file, "far", 3, 8 << 20) != 3 || write(file, "near", 4) != 4)
        err(1, "write");
    printf("at %ld, end %ld\n", lseek(file, 0, SEEK_CUR), lseek(file, 0, SEEK_END));
    printf("hole at %ld, data at %ld\n", lseek(file, 0, SEEK_HOLE), lseek(file, 1 << 20, SEEK_DATA));
    if (pread(file, text, 3, 8 << 20) != 3)
        err(1, "pread");
    puts(text);
    if (ftruncate(file, 2) || lseek(file, 0, SEEK_SET) || read(file, text, sizeof text) != 2)
        err(1, "ftruncate");
    puts(text);
    if (fallocate(file, 0, 0, 100000))
        err(1, "fallocate");
    if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096))
        err(1, "punch");
    memset(text, 'x', sizeof text);
    printf("read %zd, first byte %d\n", pread(file, text, 8, 0), text[0]);
    printf("beyond the end %zd\n", pread(file, text, 8, 1000000));
    if (lseek(file, -1, SEEK_SET) != -1)
        errx(1, "position -1");
    warn("position -1");
    return lseek(0, 0, SEEK_CUR) == -1 && lseek(1, 0, SEEK_CUR) == -1;
}
