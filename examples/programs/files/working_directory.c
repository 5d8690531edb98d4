// Shows: the working directory, by name, by descriptor and after it has been deleted.
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
    char path[PATH_MAX];
    puts(getcwd(path, sizeof path));
    int start = open(".", O_DIRECTORY);
    if (mkdir("below", 0700) || chdir("below"))
        err(1, "below");
    puts(getcwd(path, sizeof path));
    puts(realpath("..", path));
    if (rmdir("../below"))
        err(1, "rmdir");
    if (getcwd(path, sizeof path) || errno != ENOENT)
        errx(1, "a deleted directory has a name");
    if (fchdir(start))
        err(1, "fchdir");
    puts(getcwd(path, sizeof path));
    if (getcwd(path, 3) || errno != ERANGE)
        errx(1, "a long name in three bytes");
    return chdir("/") || !getcwd(path, sizeof path) || puts(path) < 0;
}
