// Shows: exec from a thread that is not the first, while others compute and sleep: they vanish, the process stays.
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile long counter;

static void *compute(void *unused) {
    for (;;)
        counter++;
}

static void *sleep_long(void *unused) {
    for (;;)
        pause();
}

static void *become(void *program) {
    char words[2][32];
    while (!counter)
        usleep(1000);
    snprintf(words[0], 32, "%ld", counter);
    snprintf(words[1], 32, "%d", getpid());
    execl(program, program, words[0], words[1], NULL);
    err(1, "execl");
}

int main(int count, char **words) {
    if (count == 3) {
        printf("counted to %s; %s process\n", words[1], atoi(words[2]) == getpid() ? "same" : "another");
        return 0;
    }
    pthread_t thread;
    pthread_create(&thread, NULL, compute, NULL);
    pthread_create(&thread, NULL, sleep_long, NULL);
    pthread_create(&thread, NULL, become, "/proc/self/exe");
    pause();
}
