// Shows: libraries that come and go while the program runs, with code that makes system calls.
#include <dlfcn.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    for (int round = 0; round < 3; round++) {
        void *library = dlopen("libcrypt.so.1", RTLD_NOW | RTLD_LOCAL);
        if (!library)
            errx(1, "%s", dlerror());
        char *(*crypt)(const char *, const char *) = (char *(*)(const char *, const char *))dlsym(library, "crypt");
        printf("%p: %s\n", (void *)crypt, crypt("password", "$5$salt$"));
        if (dlclose(library))
            errx(1, "%s", dlerror());
    }
    void *library = dlopen("libm.so.6", RTLD_LAZY);
    double (*cosine)(double) = (double (*)(double))dlsym(library, "cos");
    printf("%.17g\n", cosine(1));
    if (dlopen("libdoes-not-exist.so.9", RTLD_NOW))
        errx(1, "a library that is not there");
    puts(dlerror());
    return 0;
}
