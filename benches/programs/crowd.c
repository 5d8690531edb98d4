// So many processes at a time as the argument says: each makes some calls, and ends when all have begun.
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments) {
    int processes = count == 2 ? atoi(arguments[1]) : 0;
    int begun[2], end[2];
    if (processes < 1 || pipe(begun) != 0 || pipe(end) != 0) return 2;
    for (int i = 0; i < processes; i++) {
        pid_t child = fork();
        if (child < 0) return 1;
        if (child == 0) {
            char byte = 0;
            for (int call = 0; call < 200; call++) getppid();
            close(end[1]);
            // The end of a pipe: everybody at once.
            return write(begun[1], &byte, 1) != 1 || read(end[0], &byte, 1) != 0;
        }
    }
    for (int i = 0; i < processes; i++) {
        char byte;
        if (read(begun[0], &byte, 1) != 1) return 1;
    }
    close(end[1]);
    int failed = 0;
    for (int i = 0; i < processes; i++) {
        int status;
        if (wait(&status) < 0 || status != 0) failed = 1;
    }
    return failed;
}
