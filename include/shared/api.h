/* SPDX-License-Identifier: MIT
 * api.h - what every public header opens with: fixed-size integers and the mark of an exported name.
 * The library is built with hidden visibility; SHARED_API names stand in libshared/shared.map too.
 */
#ifndef SHARED_API_H
#define SHARED_API_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define SHARED_BEGIN extern "C" {
#define SHARED_END   }
#else
#define SHARED_BEGIN
#define SHARED_END
#endif

#if defined(__GNUC__)
#define SHARED_API __attribute__((visibility("default")))
#else
#define SHARED_API
#endif

#endif
