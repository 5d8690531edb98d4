// Shows: local time, whose zone comes from a file or the TZ variable: the recording's, not the replay's.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(void) {
    char text[100];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const char *zones[] = {getenv("TZ"), "Europe/London", ":America/New_York", "XYZ-3:30"};
    for (unsigned i = 0; i < sizeof zones / sizeof *zones; i++) {
        if (zones[i])
            setenv("TZ", zones[i], 1);
        tzset();
        strftime(text, sizeof text, "%c %Z %z", localtime(&now.tv_sec));
        printf("%s and %ld ns\n", text, now.tv_nsec);
    }
    return 0;
}
