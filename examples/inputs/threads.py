"""Threads, queues, a pool of threads, locks and events."""
import concurrent.futures
import queue
import random
import threading
import time

numbers = queue.Queue(5)
taken = []


def produce(name):
    for number in range(200):
        numbers.put((name, number))
    numbers.put(None)


def consume():
    while (item := numbers.get()) is not None:
        taken.append(item)


def count(total):
    for _ in range(100_000):
        total[0] += 1


threads = [threading.Thread(target=produce, args=(name,)) for name in range(3)]
threads += [threading.Thread(target=consume) for _ in range(3)]
total = [0]
threads += [threading.Thread(target=count, args=(total,)) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(hash(tuple(taken)), taken[::20], total)

with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(list(pool.map(lambda x: (x * random.random(), threading.current_thread().name), range(40))))

go = threading.Event()
timer = threading.Timer(0.02, go.set)
timer.start()
go.wait()
condition = threading.Condition()
with condition:
    print(condition.wait(0.01), time.time_ns())
