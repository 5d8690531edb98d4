// Shows: writing to a terminal by all the ways there are to get at it.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void say(int file, const char *what) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    dprintf(file, "%s at %ld\n", what, now.tv_nsec);
}

int main(void) {
    char key;
    const char *names[] = {"/dev/tty", "/dev/stdin", ttyname(0)};
    say(1, "standard output");
    say(0, "standard input");
    for (int i = 0; i < 3; i++) {
        int file = open(names[i], O_RDWR);
        if (file < 0)
            err(1, "%s", names[i]);
        say(file, names[i]);
    }
    dprintf(0, "press a key: ");
    if (read(0, &key, 1) != 1)
        return 1;
    dprintf(0, "\n");
    return 0;
}
