// Shows: several threads log while one tries again and again to execute something that the kernel refuses: an exec ends a
// process's other threads only if it succeeds. At last one does.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>
#include <errno.h>

enum { THREADS = 3, ROUNDS = 300 };

static int wake[THREADS][2], answer[2];
static char *const no_arguments[] = {"rubbish", NULL};
static char *const no_variables[] = {NULL};

static void *work(void *argument) {
    long number = (long)argument;
    char byte;
    while (read(wake[number][0], &byte, 1) == 1) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        byte = (char)('a' + now.tv_nsec / 1000 % 26);
        if (write(answer[1], &byte, 1) != 1) abort();
    }
    return NULL;
}

int main(void) {
    int file = open("rubbish", O_CREAT | O_WRONLY, 0700);
    if (file < 0 || write(file, "\1\2\3\4", 4) != 4 || close(file) != 0 || pipe(answer) != 0) return 1;
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++) {
        if (pipe(wake[i]) != 0 || pthread_create(&threads[i], NULL, work, (void *)i) != 0) return 1;
    }
    char letters[ROUNDS + 1] = "";
    for (int i = 0; i < ROUNDS; i++) {
        if (execve("./rubbish", no_arguments, no_variables) != -1 || errno != ENOEXEC) return 2;
        // A thread that was left alive must still be heard.
        if (write(wake[i % THREADS][1], "x", 1) != 1 || read(answer[0], letters + i, 1) != 1) return 3;
    }
    printf("%s\n", letters);
    fflush(stdout);
    execl("/bin/echo", "echo", "replaced", NULL);
    return 4;
}
