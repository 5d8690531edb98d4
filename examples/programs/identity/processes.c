// Shows: process and thread ids, which are in memory too (glibc keeps the thread's id in its descriptor) and which
// the kernel gives back in many places.
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    printf("process %d thread %d parent %d group %d session %d\n", getpid(), gettid(), getppid(), getpgrp(),
           getsid(0));
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_t mutex;
    pthread_mutex_init(&mutex, &kind);
    pthread_mutex_lock(&mutex);
    printf("the mutex says that its owner is %d\n", mutex.__data.__owner);
    char link[64];
    ssize_t length = readlink("/proc/self", link, sizeof link);
    printf("/proc/self is %.*s\n", (int)length, link);
    struct f_owner_ex owner = {F_OWNER_PID, getpid()};
    int ends[2];
    if (pipe(ends) || fcntl(ends[0], F_SETOWN_EX, &owner) || fcntl(ends[0], F_GETOWN_EX, &owner))
        err(1, "pipe owner");
    printf("the pipe's owner is %d\n", owner.pid);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        printf("child %d of %d\n", getpid(), getppid());
        exit(0);
    }
    int status;
    pid_t ended = wait(&status);
    printf("forked %d, %d ended, kill 0 says %d\n", child, ended, kill(child, 0));
    return status;
}
