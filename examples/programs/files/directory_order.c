// Shows: the order in which a directory gives its entries, and their inodes: the file system's own business.
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
    char name[64];
    if (mkdir("directory", 0700) || chdir("directory"))
        err(1, "directory");
    for (unsigned i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "%08x", i * 2654435761u);
        if (close(creat(name, 0600)))
            err(1, "%s", name);
    }
    DIR *directory = opendir(".");
    struct dirent *entry;
    while ((entry = readdir(directory)))
        printf("%lu %ld %d %s\n", entry->d_ino, entry->d_off, entry->d_type, entry->d_name);
    rewinddir(directory);
    unsigned again = 0;
    while ((entry = readdir(directory)))
        again += entry->d_name[0] != '.' && unlink(entry->d_name) == 0;
    printf("%u unlinked\n", again);
    closedir(directory);
    return chdir("..") || rmdir("directory");
}
