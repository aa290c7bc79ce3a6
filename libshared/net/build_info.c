/* SPDX-License-Identifier: MIT
 * build_info.c - which libraries are in this process: those that can say so themselves are asked, of the
 * others the version that this one was compiled against. Here, since base/ knows none of them.
 */
#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <shared/version.h>
#include <stdio.h>
#include <zlib.h>

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static char info[512];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void info_make(void) {
    int libpq = PQlibVersion(); /* 150014 is 15.14 */
    (void)snprintf(
        info, sizeof info,
        "{\"libshared\":\"%s\",\"libpq\":\"%d.%d\",\"openssl\":\"%s\",\"hiredis\":\"%s\","
        "\"jansson\":\"%s\",\"zlib\":\"%s\",\"compiler\":\"%s\"}",
        shared_version_text(), libpq / 10000, libpq % 10000,
        OpenSSL_version(OPENSSL_VERSION_STRING), HIREDIS_VERSION_TEXT, JANSSON_VERSION_TEXT,
        zlibVersion(), COMPILER);
}

const char *shared_build_info(void) {
    (void)pthread_once(&once, info_make);
    return info;
}
