// Shows: signals in recursion and indirect calls: an array is sorted by qsort and by hand, comparisons are counted.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { LENGTH = 4000 };
static volatile int signals;
static volatile long comparisons, rounds;
static unsigned random_state = 1;
static int numbers[LENGTH];

static void handler(int signal) {
    char line[80];
    int length = snprintf(line, sizeof line, "signal %d in round %ld, comparison %ld\n", ++signals, rounds, comparisons);
    write(1, line, length);
}

static int compare(const void *a, const void *b) {
    comparisons++;
    return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static void quicksort(int *low, int *high) {
    while (low < high) {
        int pivot = low[(high - low) / 2], *i = low, *j = high;
        while (i <= j) {
            while (*i < pivot) i++;
            while (*j > pivot) j--;
            if (i <= j) {
                int swapped = *i;
                *i++ = *j;
                *j-- = swapped;
            }
        }
        quicksort(low, j);
        low = i;
    }
}

static void shuffle(void) {
    for (int i = 0; i < LENGTH; i++) {
        random_state = random_state * 1103515245 + 12345;
        numbers[i] = random_state >> 8;
    }
}

int main(void) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 5000}, {0, 5000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    while (signals < 20) {
        shuffle();
        qsort(numbers, LENGTH, sizeof numbers[0], compare);
        shuffle();
        quicksort(numbers, numbers + LENGTH - 1);
        rounds++;
    }
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("%ld rounds, %ld comparisons, %d\n", rounds, comparisons, numbers[LENGTH / 2]);
    return 0;
}
