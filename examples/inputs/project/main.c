#include "text.h"
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
    char *reversed = reverse(count > 1 ? arguments[1] : BUILT);
    printf("built at %s, backwards %s\n", BUILT, reversed);
    free(reversed);
    return 0;
}
