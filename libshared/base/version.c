/* SPDX-License-Identifier: MIT
 * version.c - which library is loaded. The text is meson.build's, the number the header's.
 */
#include <shared/version.h>

uint32_t shared_version(void) {
    return SHARED_VERSION;
}

const char *shared_version_text(void) {
    return SHARED_VERSION_TEXT;
}
