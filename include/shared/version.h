/* SPDX-License-Identifier: MIT
 * version.h - which library is loaded. Compare with SHARED_VERSION, the one compiled against.
 */
#ifndef SHARED_VERSION_H
#define SHARED_VERSION_H

#include <shared/api.h>

SHARED_BEGIN

/** Version of these headers: major << 16 | minor << 8 | patch. */
#define SHARED_VERSION 0x000100

/** Version of the loaded library, in the form of SHARED_VERSION. Any thread. Added in 0.1.0. */
SHARED_API uint32_t shared_version(void);

/** The same as text, "0.1.0". Static storage. Any thread. Added in 0.1.0. */
SHARED_API const char *shared_version_text(void);

/** What this process has of us and of what we stand on, as a JSON object of texts: libshared, libpq,
 *  openssl, zlib as they are loaded; hiredis, jansson, compiler as they were when this was built. For a
 *  report of a fault. Static storage. Any thread. Added in 0.1.0. */
SHARED_API const char *shared_build_info(void);

SHARED_END

#endif
