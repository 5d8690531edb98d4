// Shows: output in every way there is: buffered, unbuffered, in pieces, to both streams in turn.
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>
#include <wchar.h>
#include <locale.h>

int main(void) {
    setlocale(LC_ALL, "");
    setvbuf(stdout, NULL, _IOLBF, 200);
    for (int i = 0; i < 50; i++) {
        printf("line %d ", i);
        printf("in two pieces\n");
        fprintf(stderr, "complaint %d\n", i);
    }
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    for (int i = 0; i < 20000; i++)
        printf("%d ", i);
    fflush(stdout);
    char pieces[3][8] = {"some ", "gathered", "pieces\n"};
    struct iovec vector[3] = {{pieces[0], 5}, {pieces[1], 8}, {pieces[2], 7}};
    if (writev(1, vector, 3) != 20)
        return 1;
    if (write(1, "", 0) != 0 || write(2, "\0\377", 2) != 2)
        return 1;
    FILE *other = fdopen(dup(1), "w");
    fwprintf(other, L"wide \u00e9\u4e2d\n");
    fclose(other);
    perror("no error");
    puts("flushed by exit");
    return 0;
}
