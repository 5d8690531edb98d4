"""What Python scripts do every day: random numbers, clocks, files, children, hashing order, big imports."""
import hashlib
import json
import os
import platform
import random
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
import uuid

print(sys.version, ssl.OPENSSL_VERSION)
print(random.random(), random.SystemRandom().getrandbits(64), uuid.uuid4(), os.urandom(8).hex())
print(time.time(), time.monotonic_ns(), time.strftime("%c"), time.perf_counter())
print(set("the order of a set of strings depends on the hash seed".split()), hash("seed"))
print(id(object()) % 4096, os.getpid(), platform.node(), socket.gethostname())
with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, "numbers")
    with open(path, "w") as file:
        for _ in range(20000):
            print(random.randrange(10**9), file=file)
    with open(path, "rb") as file:
        print(path, hashlib.sha256(file.read()).hexdigest(), os.stat(path).st_ino)
    database = sqlite3.connect(os.path.join(directory, "database"))
    database.execute("create table numbers (number)")
    database.executemany("insert into numbers values (?)", ((random.random(),) for _ in range(1000)))
    database.commit()
    print(database.execute("select sum(number), max(number) from numbers").fetchone())
    print(sorted(os.listdir(directory)))
print(subprocess.run(["date", "+%N"], capture_output=True, text=True).stdout)
print(subprocess.check_output("echo $$; cat /proc/sys/kernel/random/uuid", shell=True, text=True))
print(json.dumps(dict(os.environ), sort_keys=True))
time.sleep(0.01)
print(sum(i * i for i in range(200000)), time.process_time())
