"""Two processes write to one SQLite database, each waiting for the other's locks."""
import os
import sqlite3
import sys

path, journal = sys.argv[1:]


def connect():
    return sqlite3.connect(path, timeout=60, isolation_level=None)


first = connect()
first.execute(f"pragma journal_mode={journal}")
first.execute("create table rows(process, number, chance)")
first.close()
child = os.fork()
database = connect()
for number in range(50):
    database.execute("begin immediate")
    database.execute("insert into rows values(?, ?, random())", (os.getpid(), number))
    database.execute("commit")
if child == 0:
    database.close()
    os._exit(0)
os.waitpid(child, 0)
print(database.execute("select * from rows").fetchall())
database.close()
