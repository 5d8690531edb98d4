// Shows: stat in all its forms: inodes, devices and times that are different for each new file.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void print(const char *how, const struct stat *status) {
    printf("%s: %lx:%lu %o %lu, %ld bytes, %ld blocks, %ld.%09ld %ld.%09ld\n", how, status->st_dev, status->st_ino,
           status->st_mode, status->st_nlink, status->st_size, status->st_blocks, status->st_mtim.tv_sec,
           status->st_mtim.tv_nsec, status->st_ctim.tv_sec, status->st_ctim.tv_nsec);
}

int main(void) {
    struct stat status;
    struct statx extended;
    struct statfs system_status;
    int file = open("file", O_CREAT | O_RDWR, 0640);
    if (file < 0 || write(file, "hello", 5) != 5 || symlink("file", "link"))
        err(1, "file");
    if (stat("file", &status))
        err(1, "stat");
    print("stat", &status);
    if (fstat(file, &status))
        err(1, "fstat");
    print("fstat", &status);
    if (lstat("link", &status))
        err(1, "lstat");
    print("lstat", &status);
    if (fstatat(AT_FDCWD, "link", &status, 0))
        err(1, "fstatat");
    print("fstatat", &status);
    if (statx(AT_FDCWD, "file", 0, STATX_ALL, &extended))
        err(1, "statx");
    printf("statx: born %lld.%09u\n", extended.stx_btime.tv_sec, extended.stx_btime.tv_nsec);
    struct timespec times[2] = {{1000000000, 5}, {1100000000, 6}};
    if (futimens(file, times) || fstat(file, &status))
        err(1, "futimens");
    print("dated", &status);
    if (fstatfs(file, &system_status))
        err(1, "fstatfs");
    printf("file system %lx, %lu blocks free\n", system_status.f_type, system_status.f_bfree);
    if (stat("missing", &status) == 0)
        errx(1, "a file that nobody made");
    warn("missing");
    return access("file", X_OK) == 0 && getuid() != 0;
}
