"""Six clients of a memcached at the port that is given, at the same time; then the server's end."""
import os
import signal
import socket
import sys
import threading


def connect():
    while True:
        try:
            return socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        except ConnectionRefusedError:
            pass  # It has not come so far yet.


def talk(name):
    connection = connect()
    answers = connection.makefile("rb")
    for number in range(200):
        connection.sendall(b"set %d-%d 0 0 5\r\nhello\r\n" % (name, number))
        answers.readline()
        connection.sendall(b"get %d-%d\r\n" % (name, number))
        while answers.readline() != b"END\r\n":
            pass
    connection.sendall(b"incr counter 1\r\ndelete %d-1\r\nquit\r\n" % name)
    answers.read()


threads = [threading.Thread(target=talk, args=(name,)) for name in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
os.kill(int(open("server.pid").read()), signal.SIGTERM)
