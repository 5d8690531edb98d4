// Shows: name resolution and the machine's interfaces, which open sockets and read configuration inside libc.
#include <arpa/inet.h>
#include <err.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void print(const struct sockaddr *address) {
    char host[200] = "";
    if (address && (address->sa_family == AF_INET || address->sa_family == AF_INET6))
        getnameinfo(address, sizeof(struct sockaddr_in6), host, sizeof host, NULL, 0, NI_NUMERICHOST);
    puts(host);
}

int main(void) {
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
    int problem = getaddrinfo("localhost", "http", &hints, &found);
    if (problem)
        errx(1, "localhost: %s", gai_strerror(problem));
    for (struct addrinfo *one = found; one; one = one->ai_next)
        print(one->ai_addr);
    freeaddrinfo(found);
    problem = getaddrinfo("no-such-host.invalid", NULL, &hints, &found);
    printf("no-such-host.invalid: %s\n", gai_strerror(problem));
    struct ifaddrs *interfaces;
    if (getifaddrs(&interfaces))
        err(1, "getifaddrs");
    for (struct ifaddrs *one = interfaces; one; one = one->ifa_next) {
        printf("%s %x ", one->ifa_name, one->ifa_flags);
        print(one->ifa_addr);
    }
    freeifaddrs(interfaces);
    printf("loopback is interface %u\n", if_nametoindex("lo"));
    struct servent *service = getservbyname("ssh", "tcp");
    printf("ssh %d\n", service ? ntohs(service->s_port) : -1);
    return 0;
}
