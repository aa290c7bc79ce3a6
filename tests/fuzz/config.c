/* SPDX-License-Identifier: MIT
 * config.c - fuzz target: any text as the value of any setting, and as a number, a time, a line of a
 * message and of the log. The first byte chooses the setting.
 */
#include <shared/config.h>
#include <stdio.h>
#include <strings.h>

#include "base/log.h"
#include "base/log_line.h"
#include "base/text.h"
#include "base/time.h"
#include "fuzz.h"
#include "model/json.h"

static void check_setting(shared_config *config, const char *name, const char *value) {
    char before[32];
    (void)snprintf(before, sizeof before, "%lld", (long long)shared_config_int(config, name));
    if (shared_config_set(config, name, value) < 0) {
        const char *message = shared_error_message(shared_error_last());
        char after[32];
        (void)snprintf(after, sizeof after, "%lld", (long long)shared_config_int(config, name));
        require(strstr(message, name) && text_is_utf8(message, strlen(message)));
        require(strcmp(before, after) == 0);
        return;
    }
    /* "": the default; words are kept in small letters, and of the words for yes and no 1 and 0 */
    const char *kept = shared_config_get(config, name);
    require(!*value || strcasecmp(kept, value) == 0 || strcmp(kept, "1") == 0 ||
            strcmp(kept, "0") == 0);
    require(shared_config_safe(config, name) != NULL);
}

static void check_number(const char *text, size_t size) {
    char shown[32];
    int64_t number;
    if (!text_to_int(text, size, -1000, INT64_MAX, &number)) return;
    require(number >= -1000);
    int shown_size = snprintf(shown, sizeof shown, "%lld", (long long)number);
    require(shown_size > 0 && (size_t)shown_size <= size); /* the text may have zeros in front */
}

static void check_text(char *text, size_t size) {
    if (text_is_utf8(text, size)) {
        size_t length = text_length(text, size);
        require(length <= size && text_cut(text, size, length) == size);
        for (size_t i = 0; i < length && i < 10; i++) {
            size_t cut = text_cut(text, size, i);
            require(text_is_utf8(text, cut) && text_length(text, cut) == i);
        }
    }
    text_tidy(text);
    require(text_is_utf8(text, strlen(text)) && !strpbrk(text, "\r\n\t\x1b\x7f"));
}

static void check_time(const char *text, size_t size) {
    int64_t time_us;
    int64_t again;
    char shown[TIME_TEXT_SIZE];
    if (!time_from_text(text, size, &time_us)) return;
    require(time_us >= TIME_MIN_US && time_us <= TIME_MAX_US);
    time_to_isoformat(time_us, shown);
    require(time_from_text(shown, strlen(shown), &again) && again == time_us);
}

/* A line of the log stays one, and whole. */
static void check_line(const char *text) {
    char line[LOG_LINE_SIZE];
    const char *const pairs[] = {text, text, "name", NULL, text};
    const struct log_message message = {
        .logger = text, .message = text, .names = pairs, .values = pairs, .count = 5, .lost = 1};
    for (int json = 0; json < 2; json++) {
        size_t size = json ? log_line_json(line, &message) : log_line_text(line, &message);
        require(size <= sizeof line && line[size - 1] == '\n' && text_is_utf8(line, size));
        require(memchr(line, '\n', size) == line + size - 1);
        require(!json || json_is(line, size, '{'));
    }
    (void)log_levels_valid(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static shared_config *config;
    if (!config) require(shared_config_from_env(&config) == SHARED_OK);
    if (!size) return 0;
    /* Seeds keep theirs, whose number is below 64. */
    const char *name = shared_config_name(*data < 128 ? *data % 64 : *data - 64);
    char *text = fuzz_text(data + 1, size - 1);
    if (name) check_setting(config, name, text);
    check_number((const char *)data + 1, size - 1);
    check_time((const char *)data + 1, size - 1);
    check_line(text);
    check_text(text, strlen(text));
    free(text);
    return 0;
}
