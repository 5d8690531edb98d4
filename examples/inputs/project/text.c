#include "text.h"
#include <stdlib.h>
#include <string.h>

char *reverse(const char *text) {
    size_t length = strlen(text);
    char *result = malloc(length + 1);
    for (size_t i = 0; i < length; i++)
        result[i] = text[length - 1 - i];
    result[length] = 0;
    return result;
}
