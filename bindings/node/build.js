// SPDX-License-Identifier: MIT
// build.js - makes what npm packs: node build.js [OUT [NODE_MODULES]]. The native half by meson, in OUT/native; the
// package itself in OUT/shared, and that of the platform in OUT/shared-<platform>. Never installs anything.
//
// What people import runs as CommonJS, in one copy: index.js hands it on to ES modules, so that an error's class is the
// same one however it was loaded, on Node 18 too.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../..');
const out = path.resolve(process.argv[2] ?? path.join(root, 'build-node'));
const modules = path.resolve(process.argv[3] ?? path.join(here, 'node_modules'));
const ts = createRequire(path.join(modules, 'none.js'))('typescript');
const libc = process.report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl';
const platform = `${process.platform}-${process.arch}-${libc}`;

function write(file, text) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function writeJson(file, value) {
  write(file, `${JSON.stringify(value, undefined, 2)}\n`);
}

function native() {
  const folder = path.join(out, 'native');
  const run = (...argv) => execFileSync(argv[0], argv.slice(1), { stdio: 'inherit' });
  if (!existsSync(path.join(folder, 'build.ninja'))) {
    run(
      'meson',
      'setup',
      folder,
      root,
      '-Dapps=false',
      '-Dtests=false',
      '--buildtype=release',
      `-Dwerror=${process.env.LEX_WERROR === '1'}`, // our own tests' alone: a newer compiler knows more warnings
      `-Dnode=${modules}`,
      ...(process.env.MESON_OPTIONS ?? '').split(' ').filter(Boolean),
    );
  }
  run('ninja', '-C', folder, 'bindings/node/shared.node');
  return path.join(folder, 'bindings', 'node', 'shared.node');
}

/** Made files and package.json that belong to one folder. */
function package_(folder, binary) {
  rmSync(folder, { recursive: true, force: true });
  const names = [];
  for (const name of readdirSync(path.join(here, 'src'))) {
    const source = readFileSync(path.join(here, 'src', name), 'utf8');
    const text = name.endsWith('.cjs')
      ? source
      : ts.transpileModule(source, {
          compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true },
        }).outputText;
    write(path.join(folder, 'cjs', name), text);
    if (name === 'index.js') names.push(...exported(source));
  }
  writeJson(path.join(folder, 'cjs', 'package.json'), { type: 'commonjs' });
  write(
    path.join(folder, 'index.js'),
    `// SPDX-License-Identifier: MIT
import shared from './cjs/index.js';
export const { ${names.join(', ')} } = shared;
`,
  );
  types(folder);
  for (const name of ['README.md', '../../LICENSE'])
    cpSync(path.join(here, name), path.join(folder, path.basename(name)));
  const { devDependencies, scripts, ...kept } = JSON.parse(readFileSync(path.join(here, 'package.json'), 'utf8'));
  void devDependencies;
  void scripts;
  const version = libraryVersion();
  writeJson(path.join(folder, 'package.json'), {
    ...kept,
    version,
    optionalDependencies: { [`@lex-intel/shared-${platform}`]: version },
  });
  if (!existsSync(binary)) throw new Error(`${binary} is not built`);
}

/** Names that a module exports, from its syntax. */
function exported(source) {
  const file = ts.createSourceFile('index.js', source, ts.ScriptTarget.ES2022, true);
  return file.statements.flatMap((statement) => {
    if (ts.isExportDeclaration(statement)) return statement.exportClause.elements.map(({ name }) => name.text);
    if (!statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return [];
    return statement.declarationList?.declarations.map(({ name }) => name.text) ?? [statement.name.text];
  });
}

/** The same types for both kinds of module. */
function types(folder) {
  for (const name of ['index', 'models']) {
    const text = readFileSync(path.join(here, `${name}.d.ts`), 'utf8');
    write(path.join(folder, `${name}.d.ts`), text);
    write(path.join(folder, `${name}.d.cts`), text.replaceAll(/'\.\/(\w+)\.js'/g, "'./$1.cjs'"));
  }
}

/** From the project's meson.build, the only place where it stands. */
function libraryVersion() {
  return /version: '([\d.]+)'/.exec(readFileSync(path.join(root, 'meson.build'), 'utf8'))[1];
}

function platformPackage(folder, binary) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const target = path.join(folder, 'shared.node');
  cpSync(binary, target);
  if (!process.env.MESON_OPTIONS) execFileSync('strip', ['--strip-unneeded', target]);
  cpSync(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'));
  write(path.join(folder, 'README.md'), `The native half of @lex-intel/shared for ${platform}.\n`);
  writeJson(path.join(folder, 'package.json'), {
    name: `@lex-intel/shared-${platform}`,
    version: libraryVersion(),
    license: 'MIT',
    main: 'shared.node',
    description: `The native half of @lex-intel/shared for ${platform}`,
    os: [process.platform],
    cpu: [process.arch],
    ...(process.platform === 'linux' && { libc: [libc === 'gnu' ? 'glibc' : libc] }),
    files: ['shared.node'],
  });
}

const binary = native();
package_(path.join(out, 'shared'), binary);
platformPackage(path.join(out, `shared-${platform}`), binary);
