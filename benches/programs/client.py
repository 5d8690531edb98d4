# Asks a server many times over several connections, and prints how many answers a second there were and how long one took.
#   client.py PROTOCOL PORT CONNECTIONS REQUESTS
import json, socket, sys, threading, time

protocol, port, connections, requests = sys.argv[1], *map(int, sys.argv[2:])


def connect():
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def memcached(me, number):
    if number % 2 == 0:
        return b"set key%d%d 0 0 5\r\nvalue\r\n" % (me, number // 2 % 100), b"STORED\r\n"
    return b"get key%d%d\r\n" % (me, number // 2 % 100), b"END\r\n"


# The page is a kilobyte that ends so.
def http(me, number):
    return b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n", b"the end\n"


def echo(me, number):
    message = b"message %d of %d.\n" % (number, me)
    return message, message


protocols = {
    "memcached": (memcached, b"shutdown\r\n"),
    "http": (http, None),
    "echo": (echo, b"q"),
}
question, farewell = protocols[protocol]
latencies = []


def ask(me):
    own = []
    with connect() as server:
        for number in range(requests // connections):
            text, end = question(me, number)
            began = time.perf_counter_ns()
            server.sendall(text)
            answer = server.recv(4096)
            while not answer.endswith(end):
                more = server.recv(4096)
                assert more, answer
                answer += more
            own.append(time.perf_counter_ns() - began)
    latencies.extend(own)


began = time.perf_counter()
threads = [threading.Thread(target=ask, args=(me,)) for me in range(connections)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
seconds = time.perf_counter() - began
assert len(latencies) == requests // connections * connections, "a connection failed"
if farewell is not None:
    connect().sendall(farewell)
latencies.sort()
print(json.dumps({
    "requests_per_second": len(latencies) / seconds,
    "p50_microseconds": latencies[len(latencies) // 2] / 1000,
    "p99_microseconds": latencies[len(latencies) * 99 // 100] / 1000,
}))
