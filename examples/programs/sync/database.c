// Shows: two threads that write to one SQLite database, each through a connection of its own, and wait for each other.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

// What of sqlite3.h is used here: the package with the library alone does not have it.
typedef struct sqlite3 sqlite3;
int sqlite3_open(const char *, sqlite3 **);
int sqlite3_close(sqlite3 *);
int sqlite3_busy_timeout(sqlite3 *, int);
int sqlite3_exec(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **);
enum { SQLITE_OK, SQLITE_BUSY = 5 };

enum { WRITERS = 2, ROWS = 60 };

static int busy[WRITERS];

static void *write_rows(void *argument) {
    long me = (long)argument;
    sqlite3 *database;
    if (sqlite3_open("numbers.db", &database) != SQLITE_OK || sqlite3_busy_timeout(database, 20) != SQLITE_OK)
        abort();
    for (int row = 0; row < ROWS;) {
        char statement[100];
        snprintf(statement, sizeof statement, "insert into numbers values (%ld, %d, random())", me, row);
        int result = sqlite3_exec(database, statement, NULL, NULL, NULL);
        if (result == SQLITE_BUSY)
            busy[me]++;
        else if (result == SQLITE_OK)
            row++;
        else
            abort();
    }
    sqlite3_close(database);
    return NULL;
}

static int print(void *unused, int columns, char **values, char **names) {
    (void)unused, (void)names;
    for (int i = 0; i < columns; i++)
        printf("%s ", values[i]);
    printf("\n");
    return 0;
}

int main(void) {
    sqlite3 *database;
    pthread_t threads[WRITERS];
    if (sqlite3_open("numbers.db", &database) != SQLITE_OK)
        abort();
    sqlite3_exec(database, "pragma synchronous = off; create table numbers (writer, number, random)", NULL, NULL, NULL);
    for (long i = 0; i < WRITERS; i++)
        pthread_create(&threads[i], NULL, write_rows, (void *)i);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    sqlite3_exec(database, "select writer, number, random from numbers order by rowid", print, NULL, NULL);
    sqlite3_close(database);
    printf("busy %d and %d times\n", busy[0], busy[1]);
}
