// Makes many calls of several sizes, so that whatever a recorder keeps in memory has been used, then says its process
// id and waits for the end of its input while somebody looks at its memory.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
    static char block[1 << 18];
    int random = open("/dev/urandom", O_RDONLY);
    for (int i = 0; i < 200000; i++)
        getppid();
    for (int i = 0; i < 200; i++)
        if (read(random, block, sizeof block) < 0)
            return 1;
    printf("%d\n", getpid());
    fflush(stdout);
    return read(0, block, 1) != 0;
}
