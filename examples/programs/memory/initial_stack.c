// Shows: all that the kernel has put on the stack before the program began: arguments, environment, auxiliary vector, random bytes,
// and strings of which nobody knows any more. It is the same in replay, where a recorder is told other things in the environment.
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

int main(int count, char **arguments) {
    // The name of the executable is the last of it.
    const char *name = (const char *)getauxval(AT_EXECFN);
    unsigned long sum = count;
    for (const char *byte = (const char *)arguments; byte < name + strlen(name); byte++)
        sum = sum * 31 + (unsigned char)*byte;
    printf("%lx\n", sum);
    return 0;
}
