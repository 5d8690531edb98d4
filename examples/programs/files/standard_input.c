// Shows: input that is gone afterwards: a pipe, read by stdio, by read and by getdelim.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void) {
    char *line = NULL;
    size_t size = 0;
    ssize_t length = getline(&line, &size, stdin);
    printf("first line of %zd bytes: %s", length, line);
    int number = 0;
    printf("%d number, ", scanf("%d", &number));
    printf("it is %d\n", number);
    int byte, count = 0;
    while ((byte = getchar()) != EOF)
        count += byte == 'e';
    printf("%d times e, at the end %d, more %zd\n", count, feof(stdin), read(0, line, 1));
    return 0;
}
