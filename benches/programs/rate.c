// Computes for about as long however many calls it makes: STEPS_BETWEEN steps before each, ALL_STEPS in all.
//   rate STEPS_BETWEEN ALL_STEPS
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count != 3) return 2;
    long between = atol(arguments[1]), all = atol(arguments[2]);
    volatile unsigned long kept;
    unsigned long state = 1;
    for (long done = 0; done < all; done += between) {
        for (long i = 0; i < between; i++) state = state * 6364136223846793005 + 1442695040888963407;
        kept = state;
        getppid();
    }
    (void)kept;
    return 0;
}
