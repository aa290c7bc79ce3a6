/* SPDX-License-Identifier: MIT
 * encrypted.h - two PDFs encrypted with 40-bit RC4 (revision 2 of the standard handler), as far as
 * they differ: the /O and /U of their passwords and their encrypted content stream, object 4. The
 * first one needs the user's password "secret", the second one has only an owner's. /P is -4, /ID
 * is 31c1b9a2.
 */
#ifndef TEST_ENCRYPTED_H
#define TEST_ENCRYPTED_H

#define USER_O       "92fe0f4454ad4c9644693f33c07cb54f587dce1e2682fe9ecea6107a1ef630dd"
#define USER_U       "22ec567481d38e9f4a87adc50bf48149e93dccba30ad0accf5718e7d026c49e5"
#define USER_CONTENT "a0ae063dfec1ea7eca80a3ed78ba050bc97d40ac1e9546341fe2588fbcc1266aea45680d"
#define OWNER_O      "c92422687facee686e373f10b5c7d04738053152f7e2ee30e11c69ec442576ab"
#define OWNER_U      "36c9a58bbddc3c1c63c177fed86797a2630d707ebef43a948fdcbfad4b1a8d66"
#define OWNER_CONTENT                                                                              \
    "f007d7768ad8cffa0e38481b85d4a66e09e5d740f590959e7b7429830d5afee693c9463d9713ff70"

#endif
