// Shows: children of children, each a copy of a more and more complicated process.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int generation(int left, char **history, int length) {
    int status = 0;
    history[length] = malloc(50 + left);
    snprintf(history[length], 50, "%d (%p)", getpid(), (void *)history[length]);
    for (int i = 0; i <= length; i++)
        printf("%s ", history[i]);
    putchar('\n');
    fflush(stdout);
    for (int child = 0; child < 2 && left > 0; child++) {
        pid_t forked = fork();
        if (forked == 0)
            exit(generation(left - 1, history, length + 1) * 2 + child);
        if (waitpid(forked, &status, 0) != forked)
            err(1, "waitpid");
        printf("%d ended with %d\n", forked, WEXITSTATUS(status));
    }
    return WEXITSTATUS(status) & 31;
}

int main(void) {
    char *history[10];
    return generation(4, history, 0) == 100;
}
