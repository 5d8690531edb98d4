// Shows: system calls with nonsense for arguments: numbers that do not exist, pointers to nowhere, absurd sizes.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void show(const char *what, long result) {
    int problem = errno;
    printf("%s: %ld %s\n", what, result, result < 0 ? strerrorname_np(problem) : "");
}

int main(void) {
    void *nowhere = (void *)0x10, *kernel = (void *)0xffffffff80000000;
    show("number 5000", syscall(5000));
    show("number -1", syscall(-1));
    show("a number of 33 bits", syscall(0x100000000 + SYS_getpid) > 0 ? 1 : -1);
    show("read into nowhere", read(open("/dev/zero", O_RDONLY), nowhere, 100));
    show("read into the kernel", read(open("/dev/zero", O_RDONLY), kernel, 100));
    show("write from nowhere", write(open("/dev/null", O_WRONLY), nowhere, SIZE_MAX));
    show("open nowhere", open(nowhere, O_RDONLY));
    show("stat nowhere", syscall(SYS_newfstatat, AT_FDCWD, "/", nowhere, 0));
    show("pipe nowhere", syscall(SYS_pipe, nowhere));
    show("clock nowhere", syscall(SYS_clock_gettime, CLOCK_REALTIME, nowhere));
    show("readv of nowhere", syscall(SYS_readv, 0, nowhere, 3));
    show("readv of too many", syscall(SYS_readv, 0, nowhere, 100000));
    struct iovec bad[2] = {{nowhere, 10}, {kernel, 10}};
    show("writev of bad pieces", writev(open("/dev/zero", O_WRONLY), bad, 2));
    show("sigaction nowhere", syscall(SYS_rt_sigaction, 10, nowhere, NULL, 8));
    show("sigaction of another size", syscall(SYS_rt_sigaction, 10, NULL, NULL, 4));
    show("mmap of nothing", syscall(SYS_mmap, NULL, 0, 1, 0x22, -1, 0));
    show("munmap of everything", syscall(SYS_munmap, 0, SIZE_MAX & ~4095ul));
    show("execve of nowhere", syscall(SYS_execve, nowhere, NULL, NULL));
    show("ioctl of nonsense", syscall(SYS_ioctl, 1, 0xdeadbeef, nowhere));
    show("fcntl of nonsense", syscall(SYS_fcntl, 1, 9999, nowhere));
    show("prctl of nonsense", syscall(SYS_prctl, 0x7777, 1, 2, 3, 4));
    char path[8192];
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = 0;
    show("a path that is too long", open(path, O_RDONLY));
    return 0;
}
