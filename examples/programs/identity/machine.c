// Shows: which machine this is.
#include <err.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

int main(void) {
    struct utsname names;
    char name[256];
    if (uname(&names) || gethostname(name, sizeof name))
        err(1, "uname");
    printf("%s %s %s %s %s\n%s\n", names.sysname, names.nodename, names.release, names.version, names.machine, name);
    if (getdomainname(name, sizeof name))
        err(1, "getdomainname");
    printf("%s, %ld processors, pages of %ld, %ld pages\n", name, sysconf(_SC_NPROCESSORS_CONF),
           sysconf(_SC_PAGESIZE), sysconf(_SC_PHYS_PAGES));
    for (int limit = 0; limit < RLIM_NLIMITS; limit++) {
        struct rlimit values;
        if (getrlimit(limit, &values))
            err(1, "getrlimit %d", limit);
        printf("limit %d: %lx %lx\n", limit, values.rlim_cur, values.rlim_max);
    }
    printf("priority %d, confstr %zu\n", getpriority(PRIO_PROCESS, 0), confstr(_CS_PATH, name, sizeof name));
    return 0;
}
