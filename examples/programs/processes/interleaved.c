// Shows: several processes that write to the same output at once: a replay repeats the order in which they came.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    for (int child = 0; child < 4; child++)
        if (fork() == 0) {
            for (int line = 0; line < 50; line++)
                dprintf(line % 5 ? 1 : 2, "child %d line %d\n", child, line);
            exit(0);
        }
    while (wait(NULL) > 0)
        dprintf(1, "one has ended\n");
    return 0;
}
