// SPDX-License-Identifier: MIT
// package.test.js - what npm packs: it installs without a network and without scripts, runs elsewhere, and its types,
// names and style are right.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const exec = promisify(execFile);
const here = path.dirname(fileURLToPath(import.meta.url));
const tree = path.resolve(here, '../..'); // build-node
const bin = (name) => path.join(tree, 'node_modules', '.bin', name);

/** Runs a program; what it says when it fails is the failure. */
async function runs(argv, options) {
  try {
    return (await exec(argv[0], argv.slice(1), { cwd: tree, ...options })).stdout;
  } catch (error) {
    throw new Error(`${argv.join(' ')}\n${error.stdout}${error.stderr}`, { cause: error });
  }
}

async function folderOf(t) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'lex node '));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function packed(folder) {
  const packages = (await readdir(tree)).filter((name) => name.startsWith('shared'));
  for (const name of packages)
    await runs(['npm', 'pack', '--silent', '--pack-destination', folder], { cwd: path.join(tree, name) });
  return (await readdir(folder)).filter((name) => name.endsWith('.tgz')).map((name) => path.join(folder, name));
}

const SMOKE = `
  const { connect, buildInfo, version } = module_;
  const client = await connect();
  await client.ping();
  const [{ one }] = await client.session().query\`SELECT 1 AS one\`;
  await client.close();
  console.log(one, version === buildInfo().libshared);`;

test('the tarballs install offline, without scripts, and run as ES module, CommonJS and in two workers', async (t) => {
  const folder = await folderOf(t);
  const tarballs = await packed(folder);
  assert.equal(tarballs.length, 2);
  await writeFile(path.join(folder, 'package.json'), '{"private": true}');
  await runs(
    [
      'npm',
      'install',
      '--offline',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--cache',
      path.join(folder, 'cache'),
      ...tarballs,
    ],
    { cwd: folder },
  );
  const manifest = JSON.parse(await readFile(path.join(folder, 'node_modules/@lex-intel/shared/package.json')));
  assert.equal(manifest.dependencies, undefined);
  assert.equal(manifest.scripts, undefined);
  await writeFile(path.join(folder, 'smoke.mjs'), `import * as module_ from '@lex-intel/shared';${SMOKE}`);
  await writeFile(
    path.join(folder, 'smoke.cjs'),
    `const module_ = require('@lex-intel/shared'); (async () => {${SMOKE}})();`,
  );
  await writeFile(
    path.join(folder, 'workers.mjs'),
    `
    import { Worker } from 'node:worker_threads';
    for (let n = 0; n < 2; n++) new Worker(new URL('./smoke.cjs', import.meta.url));`,
  );
  for (const [file, out] of [
    ['smoke.mjs', '1 true\n'],
    ['smoke.cjs', '1 true\n'],
    ['workers.mjs', '1 true\n1 true\n'],
  ]) {
    assert.equal(await runs([process.execPath, file], { cwd: folder }), out);
  }
});

test("without its platform's package it says what to do", async (t) => {
  const folder = await folderOf(t);
  const [main] = (await packed(folder)).filter((name) => !/linux|darwin/.test(path.basename(name)));
  await writeFile(path.join(folder, 'package.json'), '{"private": true}');
  await runs(
    [
      'npm',
      'install',
      '--offline',
      '--omit=optional',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--cache',
      path.join(folder, 'cache'),
      main,
    ],
    { cwd: folder },
  );
  await assert.rejects(
    runs([process.execPath, '-e', 'require("@lex-intel/shared")'], { cwd: folder }),
    /there is no native part for .*--omit=optional/,
  );
});

test('the native half needs nothing that was not said, and no path of this machine', async () => {
  const [name] = (await readdir(tree)).filter((folder) => folder.startsWith('shared-'));
  const file = path.join(tree, name, 'shared.node');
  const dynamic = await runs(['readelf', '-d', file]);
  const needed = [...dynamic.matchAll(/NEEDED.*\[(.*?)\]/g)].map(([, library]) => library);
  for (const library of needed)
    assert.match(library, /^(libpq|libhiredis|libjansson|libssl|libcrypto|libz|libc|libm|ld-linux)/);
  assert.ok(!/R(UN)?PATH/.test(dynamic));
  assert.match(dynamic, /FLAGS_1.*NODELETE/); // a worker that ends leaves threads behind
  assert.ok(!(await readFile(file)).includes(tree));
});

test('types: tsc --strict is content with a program that uses all of them', async () => {
  await runs([bin('tsc'), '-p', path.join(here, 'types')]);
});

test('types and values have the same names', async () => {
  const text = await readFile(path.join(tree, 'shared', 'index.d.ts'), 'utf8');
  const typed = [...text.matchAll(/^export (?:class|function|const) (\w+)/gm)].map(([, name]) => name);
  const module_ = await import('@lex-intel/shared');
  assert.deepEqual(
    [...new Set(typed)].sort(),
    Object.keys(module_)
      .filter((name) => name !== 'default')
      .sort(),
  );
});

test('each function of the library is there, in the flat layer', async () => {
  const require = createRequire(import.meta.url);
  const native = require(path.join(tree, 'node_modules/@lex-intel/shared/cjs/native.cjs'));
  const map = await readFile(path.join(tree, 'libshared', 'shared.map'), 'utf8');
  // In node.i: what rows.c does in one call for all, and what the garbage collector calls.
  const without = new Set([
    'client_wait',
    'event_data',
    'query_bind_int_array',
    'record_array_text',
    'record_bytes',
    'log_pairs',
    'config_free',
    'client_free',
    'session_free',
    'query_free',
    'message_free',
    'record_unref',
    'task_unref',
  ]);
  const names = [...map.matchAll(/\bshared_(\w+);/g)].map(([, name]) => name);
  assert.ok(names.length > 150, `${names.length} names`);
  assert.deepEqual(
    names.filter((name) => !without.has(name) && typeof native[name] !== 'function'),
    [],
  );
});

test('eslint', async () => {
  await runs([
    bin('eslint'),
    '--max-warnings=0',
    '-c',
    path.join(here, 'eslint.config.js'),
    'tests/node',
    'tests/node-proof',
    'bindings/node',
    'benchmarks/node',
    'examples/node-service',
  ]);
});

test('publint and attw', async () => {
  const shared = path.join(tree, 'shared');
  await runs([bin('publint'), '--strict', shared]);
  await runs([bin('attw'), '--pack', shared]);
});
