// Shows: signals in a walk along a circular list: short loops of loads that depend on each other.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { NODES = 1000 };
struct node {
    struct node *next;
    long visits;
};
static volatile int signals;
static struct node *volatile here;
static struct node *first;

static void handler(int signal) {
    long total = 0;
    for (int i = 0; i < NODES; i++) total += first[i].visits;
    char line[80];
    int length = snprintf(line, sizeof line, "signal %d at node %ld after %ld\n", ++signals, (long)(here - first), total);
    write(1, line, length);
}

int main(void) {
    first = calloc(NODES, sizeof *first);
    for (int i = 0; i < NODES; i++) first[i].next = &first[(i * 7 + 1) % NODES];
    here = first;
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 5000}, {0, 5000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    struct node *node = first;
    while (signals < 20) {
        node->visits++;
        node = node->next;
        here = node;
    }
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("%ld %ld\n", first[0].visits, first[1].visits);
    return 0;
}
