// Puts, reads and scans 50 thousand pairs in a LevelDB database in the working directory.
#include <leveldb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 50000 };

static void check(char *error) {
    if (error == NULL) return;
    fprintf(stderr, "%s\n", error);
    exit(1);
}

int main(void) {
    char *error = NULL;
    leveldb_options_t *options = leveldb_options_create();
    leveldb_destroy_db(options, "leveldb", &error);
    check(error);
    leveldb_options_set_create_if_missing(options, 1);
    leveldb_options_set_write_buffer_size(options, 1 << 20);
    leveldb_t *database = leveldb_open(options, "leveldb", &error);
    check(error);
    leveldb_writeoptions_t *writing = leveldb_writeoptions_create();
    leveldb_readoptions_t *reading = leveldb_readoptions_create();
    char key[32], value[100];
    memset(value, 'v', sizeof value);
    for (long i = 0; i < PAIRS; i++) {
        int length = snprintf(key, sizeof key, "%08ld", i * 7919 % PAIRS);
        leveldb_put(database, writing, key, length, value, sizeof value, &error);
        check(error);
    }
    for (long i = 0; i < PAIRS; i++) {
        size_t found;
        int length = snprintf(key, sizeof key, "%08ld", i * 104729 % PAIRS);
        char *read = leveldb_get(database, reading, key, length, &found, &error);
        check(error);
        if (read == NULL || found != sizeof value) return 1;
        leveldb_free(read);
    }
    leveldb_iterator_t *all = leveldb_create_iterator(database, reading);
    long count = 0;
    for (leveldb_iter_seek_to_first(all); leveldb_iter_valid(all); leveldb_iter_next(all)) count++;
    leveldb_iter_destroy(all);
    leveldb_close(database);
    return count != PAIRS;
}
