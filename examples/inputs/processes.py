"""Processes that multiprocessing starts, in each of its ways, and that talk through pipes."""
import multiprocessing
import os
import time


def square(pipe):
    while (number := pipe.recv()) is not None:
        pipe.send((number * number, os.getpid(), time.time_ns()))


if __name__ == "__main__":
    for method in ["fork", "spawn", "forkserver"]:
        context = multiprocessing.get_context(method)
        pipes, processes = [], []
        for _ in range(2):
            ours, theirs = context.Pipe()
            processes.append(context.Process(target=square, args=(theirs,)))
            processes[-1].start()
            pipes.append(ours)
        for number in range(20):
            pipes[number % 2].send(number)
        print(method, [pipes[number % 2].recv() for number in range(20)])
        for pipe, process in zip(pipes, processes):
            pipe.send(None)
            process.join()
            print(process.exitcode)
