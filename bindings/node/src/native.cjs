// SPDX-License-Identifier: MIT
// native.cjs - finds and loads the native half: the package of this platform, or what `npm run build` made beside this
// file. In CommonJS, since only there a file can be loaded with dlopen's flags.
'use strict';
const { existsSync } = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const libc = process.report?.getReport?.().header.glibcVersionRuntime ? 'gnu' : 'musl';
const platform = `${process.platform}-${process.arch}-${libc}`;

function find() {
  const built = path.join(__dirname, 'shared.node');
  if (existsSync(built)) return built;
  try {
    return require.resolve(`@lex-intel/shared-${platform}`);
  } catch (cause) {
    throw new Error(
      `@lex-intel/shared: there is no native part for ${platform}. Install without --omit=optional, so ` +
        `that @lex-intel/shared-${platform} comes with it, or build it from the sources: npm run build`,
      { cause },
    );
  }
}

// Node has an OpenSSL of its own, whose names would else be taken for those of the one that libpq wants.
const { RTLD_DEEPBIND = 0, RTLD_NOW } = os.constants.dlopen;
const flags = process.env.LD_PRELOAD?.includes('asan') ? RTLD_NOW : RTLD_NOW | RTLD_DEEPBIND;
const loaded = { exports: {} };
process.dlopen(loaded, find(), flags);
module.exports = loaded.exports;
