char *reverse(const char *text);
