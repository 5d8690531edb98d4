// Shows: what the kernel counts about a process and the machine: CPU time, faults, memory, load.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <time.h>

int main(void) {
    volatile double sum = 0;
    for (int i = 0; i < 20000000; i++)
        sum += i * 0.5;
    for (int who = RUSAGE_CHILDREN; who <= RUSAGE_THREAD; who++) {
        struct rusage usage;
        if (getrusage(who, &usage))
            err(1, "getrusage %d", who);
        printf("%2d: user %ld.%06ld system %ld.%06ld, %ld KiB, faults %ld %ld, switches %ld %ld\n", who,
               usage.ru_utime.tv_sec, usage.ru_utime.tv_usec, usage.ru_stime.tv_sec, usage.ru_stime.tv_usec,
               usage.ru_maxrss, usage.ru_minflt, usage.ru_majflt, usage.ru_nvcsw, usage.ru_nivcsw);
    }
    struct tms ticks;
    clock_t elapsed = times(&ticks);
    printf("times %ld: %ld %ld %ld %ld\n", elapsed, ticks.tms_utime, ticks.tms_stime, ticks.tms_cutime,
           ticks.tms_cstime);
    printf("clock %ld\n", clock());
    struct sysinfo machine;
    if (sysinfo(&machine))
        err(1, "sysinfo");
    printf("up %ld s, load %lu %lu %lu, free %lu of %lu, %u processes\n", machine.uptime, machine.loads[0],
           machine.loads[1], machine.loads[2], machine.freeram, machine.totalram, machine.procs);
    double load[3];
    if (getloadavg(load, 3) != 3)
        errx(1, "getloadavg");
    printf("load from /proc %.2f %.2f %.2f\n", load[0], load[1], load[2]);
    return 0;
}
