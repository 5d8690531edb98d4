// Shows: signals while vector registers are in use: each prints how far the product of two matrices is.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { SIZE = 96 };
static float a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];
static volatile int signals;
static volatile long rounds;

static void handler(int signal) {
    double sum = 0;
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) sum += c[i][j];
    char line[64];
    int length = snprintf(line, sizeof line, "signal %d in round %ld: %.17g\n", ++signals, rounds, sum);
    write(1, line, length);
}

int main(void) {
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) a[i][j] = i * 0.25f - j, b[i][j] = 1.0f / (1 + i + j);
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 5000}, {0, 5000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    while (signals < 20) {
        for (int i = 0; i < SIZE; i++)
            for (int k = 0; k < SIZE; k++)
                for (int j = 0; j < SIZE; j++) c[i][j] += a[i][k] * b[k][j];
        rounds++;
    }
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("%ld rounds, %.9g\n", rounds, c[5][7]);
    return 0;
}
