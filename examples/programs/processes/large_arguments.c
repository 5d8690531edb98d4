// Shows: an argument list and an environment of a megabyte, which move the stack and all that is below it.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS = 500 };

int main(int count, char **arguments, char **environment) {
    if (count == 1) {
        char **words = calloc(WORDS + 2, sizeof *words), **variables = calloc(WORDS + 1, sizeof *variables);
        words[0] = arguments[0];
        for (int i = 0; i < WORDS; i++) {
            words[i + 1] = malloc(1001), variables[i] = malloc(1001);
            memset(words[i + 1], 'a' + i % 26, 1000), memset(variables[i], 'A' + i % 26, 1000);
            words[i + 1][1000] = variables[i][1000] = 0;
            variables[i][i % 900 + 5] = '=';
        }
        execve("/proc/self/exe", words, variables);
        err(1, "execve");
    }
    int variables = 0;
    size_t length = 0;
    while (environment[variables])
        length += strlen(environment[variables++]);
    printf("%d arguments, %d variables of %zu bytes, stack near %p\n", count, variables, length, (void *)&length);
    return 0;
}
