// Shows: signals in a loop that only counts in memory: a timer's handler prints how far it has come.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static volatile long counter;
static volatile int signals;

static void handler(int signal) {
    char line[64];
    int length = snprintf(line, sizeof line, "signal %d at %ld\n", ++signals, counter);
    write(1, line, length);
}

int main(void) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 5000}, {0, 5000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    while (signals < 20) {
        counter++;
    }
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("%ld\n", counter);
    return 0;
}
