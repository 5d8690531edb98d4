// Shows: what a program reads about itself in /proc.
#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void print_file(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file)
        err(1, "%s", path);
    char line[4096];
    while (fgets(line, sizeof line, file))
        fputs(line, stdout);
    fclose(file);
}

int main(void) {
    char path[4096];
    const char *links[] = {"/proc/self/exe", "/proc/self/cwd", "/proc/self/root", "/proc/thread-self"};
    for (unsigned i = 0; i < sizeof links / sizeof *links; i++) {
        ssize_t length = readlink(links[i], path, sizeof path);
        printf("%s is %.*s\n", links[i], (int)length, path);
    }
    print_file("/proc/self/stat");
    print_file("/proc/self/status");
    print_file("/proc/self/maps");
    print_file("/proc/self/limits");
    print_file("/proc/meminfo");
    print_file("/proc/uptime");
    DIR *descriptors = opendir("/proc/self/fd");
    struct dirent *entry;
    while (descriptors && (entry = readdir(descriptors)))
        printf("descriptor %s\n", entry->d_name);
    return 0;
}
