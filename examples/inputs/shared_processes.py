"""Processes that multiprocessing starts and that share memory: semaphores, values, queues and pools."""
import concurrent.futures
import multiprocessing
import os
import sys


def work(questions, answers, total):
    while (number := questions.get()) is not None:
        with total.get_lock():
            total.value += number
        answers.put((number, os.getpid()))


def square(number):
    return number * number, os.getpid()


def queues():
    questions, answers = multiprocessing.Queue(), multiprocessing.Queue()
    total = multiprocessing.Value("i", 0)
    processes = [multiprocessing.Process(target=work, args=(questions, answers, total)) for _ in range(2)]
    for process in processes:
        process.start()
    for number in range(50):
        questions.put(number)
    for _ in processes:
        questions.put(None)
    print([answers.get() for _ in range(50)])
    for process in processes:
        process.join()
    print(total.value)


def pool():
    with multiprocessing.Pool(2) as workers:
        print(workers.map(square, range(40), 1))


def executor():
    with concurrent.futures.ProcessPoolExecutor(2) as workers:
        print(list(workers.map(square, range(40))))


if __name__ == "__main__":
    {"queues": queues, "pool": pool, "executor": executor}[sys.argv[1]]()
