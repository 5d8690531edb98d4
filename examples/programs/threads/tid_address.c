// Shows: a thread that asks for the word that is cleared when it ends, sets none, and sets it again. Whoever joins it waits for
// that word, of which the recorder has another.
#define _GNU_SOURCE
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *work(void *unused) {
    int *word = NULL, *later = NULL;
    if (prctl(PR_GET_TID_ADDRESS, &word))
        err(1, "PR_GET_TID_ADDRESS");
    long id = syscall(SYS_set_tid_address, NULL);
    if (prctl(PR_GET_TID_ADDRESS, &later))
        err(1, "PR_GET_TID_ADDRESS");
    printf("%s, then %s\n", word && *word == gettid() ? "a word with the thread's id" : "another word",
           later ? "one" : "none");
    printf("%s\n", syscall(SYS_set_tid_address, word) == id && id == gettid() ? "its id" : "another id");
    return unused;
}

int main(void) {
    int *word = NULL;
    if (prctl(PR_GET_TID_ADDRESS, &word))
        err(1, "PR_GET_TID_ADDRESS");
    printf("the first thread has %s\n", word && *word == gettid() ? "a word with its id" : "another word");
    for (int round = 0; round < 20; round++) {
        pthread_t thread;
        pthread_create(&thread, NULL, work, NULL);
        pthread_join(thread, NULL);
    }
    puts("all have ended");
    return 0;
}
