/* SPDX-License-Identifier: MIT
 * buffer.h - bytes that grow. After a failed allocation the buffer is `failed` and takes no more:
 * build a whole text, then look once. data is always NUL-terminated once something was added.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *data;
    size_t size;
    size_t capacity;
    bool failed;
};

void buffer_finish(struct buffer *buffer); /* frees; reusable afterwards */
void buffer_clear(struct buffer *buffer);  /* size 0, keeps memory */
void buffer_add(struct buffer *buffer, const void *data, size_t size);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_add_char(struct buffer *buffer, char c);
__attribute__((format(printf, 2, 3))) void buffer_format(struct buffer *buffer, const char *format,
                                                         ...);
/* "..." with JSON escapes; text must be valid UTF-8 (callers check). */
void buffer_add_json(struct buffer *buffer, const char *text, size_t size);
void buffer_consume(struct buffer *buffer, size_t size); /* drops the first bytes */
bool buffer_reserve(struct buffer *buffer, size_t more); /* room for more bytes behind size */
char *buffer_take(struct buffer *buffer); /* the text is the caller's; NULL if failed */

#endif
