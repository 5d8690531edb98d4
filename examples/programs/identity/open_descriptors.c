// Shows: the descriptors that a program finds open when it starts. The recorder's own may not be among them, neither
// in /proc nor by trying each.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

int main(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    long bound = limit.rlim_cur < 70000 ? limit.rlim_cur : 70000;
    for (long i = 0; i < bound; i++)
        if (fcntl(i, F_GETFD) >= 0)
            printf("%ld is open\n", i);
    printf("the lowest that is free is %d\n", dup(0));
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (directory && readdir(directory))
        count++;
    printf("/proc has %d entries\n", count);
    return 0;
}
