// Shows: the process ends while threads that it created have hardly begun, or not yet; and while another one is in the
// middle of something, by a signal.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, PROCESSES = 20 };

static void *run(void *argument) {
    for (;;) {
        getppid();
    }
    return argument;
}

static void be(int number, int by_signal) {
    for (int me = 0; me < THREADS; me++) {
        pthread_t thread;
        pthread_create(&thread, NULL, run, NULL);
    }
    for (int line = 0; line < number; line++) {
        getppid();
    }
    if (by_signal) {
        raise(SIGUSR1);
    }
    _exit(number);
}

int main(int count, char **words) {
    int by_signal = count > 1 && !strcmp(words[1], "by-signal");
    for (int number = 0; number < PROCESSES; number++) {
        if (fork() == 0) {
            be(number, by_signal);
        }
        int status;
        wait(&status);
        printf("%x\n", status);
    }
    fflush(stdout);
    be(PROCESSES, by_signal);
}
