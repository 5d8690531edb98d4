// Shows: the auxiliary vector behind the environment, where runtimes such as Go's look for it, in programs that are executed with
// and without an LD_PRELOAD of their own. What the recorder takes out of the environment may leave nothing between the two.
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

static void execute(char *program, char *variable) {
    char *arguments[] = {program, "child", NULL}, *environment[] = {"ONE=1", variable, NULL};
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execve("/proc/self/exe", arguments, environment);
        _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
    printf("ended with %d\n", status);
}

int main(int count, char **arguments) {
    char **word = arguments + count + 1;
    while (*word)
        word++;
    unsigned long *vector = (unsigned long *)(word + 1);
    for (; *vector != AT_NULL; vector += 2)
        if (*vector == AT_PAGESZ || *vector == AT_PHENT || *vector == AT_CLKTCK)
            printf("%lu: %lu, getauxval says %lu\n", vector[0], vector[1], getauxval(vector[0]));
    if (count == 1) {
        execute(arguments[0], NULL);
        execute(arguments[0], "LD_PRELOAD=libm.so.6");
        execute(arguments[0], "TWO=2");
    }
    return 0;
}
