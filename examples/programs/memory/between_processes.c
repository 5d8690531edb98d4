// Shows: two programs that meet in a named file in memory, each with mappings of its own, taking turns by pipes.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char *meeting_place(void) {
    int file = open("place", O_CREAT | O_RDWR, 0600);
    if (file < 0 || ftruncate(file, 65536))
        err(1, "place");
    char *place = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (place == MAP_FAILED)
        err(1, "mmap");
    return place;
}

static void other(void) {
    char *place = meeting_place(), byte;
    for (int i = 0; read(0, &byte, 1) == 1; i++) {
        sprintf(place + 40000 + i * 100, "%d answers '%s'", getpid(), place + i * 100);
        if (write(1, "x", 1) != 1)
            err(1, "write");
    }
    exit(0);
}

int main(int count, char **arguments) {
    if (count > 1)
        other();
    int there[2], back[2];
    char byte, *place = meeting_place();
    if (pipe(there) || pipe(back))
        err(1, "pipe");
    pid_t child = fork();
    if (child == 0) {
        dup2(there[0], 0);
        dup2(back[1], 1);
        close(there[1]);
        execl("/proc/self/exe", arguments[0], "other", (char *)NULL);
        err(1, "execl");
    }
    for (int i = 0; i < 20; i++) {
        sprintf(place + i * 100, "%d says %d", getpid(), i);
        if (write(there[1], "x", 1) != 1 || read(back[0], &byte, 1) != 1)
            err(1, "turns");
        puts(place + 40000 + i * 100);
    }
    int status;
    return close(there[1]) || waitpid(child, &status, 0) != child || status;
}
