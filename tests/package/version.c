/* SPDX-License-Identifier: MIT
 * version.c - what a stranger's program needs to be linked and run: prints the library's version, and fails when the
 * headers are of another one. Talks to no server.
 */
#include <shared.h>
#include <stdio.h>

int main(void) {
    puts(shared_version_text());
    return shared_version() == SHARED_VERSION ? 0 : 1;
}
