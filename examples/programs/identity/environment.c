// Shows: the environment and the arguments as the program, the kernel and /proc have them. Nothing of the recorder
// may be seen in them: no variable, no library.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static void print_file(const char *path) {
    FILE *file = fopen(path, "r");
    int byte;
    printf("%s: ", path);
    while (file && (byte = getc(file)) != EOF)
        putchar(byte ? byte : '\n');
    putchar('\n');
}

int main(int count, char **arguments, char **environment) {
    for (int i = 0; i < count; i++)
        printf("argument %d: %s\n", i, arguments[i]);
    for (char **variable = environ; *variable; variable++)
        puts(*variable);
    printf("main's environment is %s\n", environment == environ ? "the same" : "another");
    for (const char **name = (const char *[]){"LD_PRELOAD", "IMITATE_MODE", "IMITATE_SESSION", "IMITATE_TRACE", 0};
         *name; name++)
        printf("%s: %s\n", *name, getenv(*name) ? getenv(*name) : "unset");
    print_file("/proc/self/cmdline");
    print_file("/proc/self/comm");
    setenv("ANOTHER", "variable", 1);
    unsetenv("HOME");
    fflush(stdout);
    return system("env | sort");
}
