// SPDX-License-Identifier: MIT
// recipes.test.js - the recipes of docs/NODE.md and the README's example, each run as it stands there.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, test } from 'node:test';
import { run, withClient } from './helper.js';

const page = await readFile(new URL('../../docs/NODE.md', import.meta.url), 'utf8');
const section = page.split('\n## Ten recipes\n')[1].split('\n## ')[0];
const recipes = [...section.matchAll(/^\d+\. ([^\n]+)\n```js\n(.*?)```/gms)].map(([, title, code]) => [title, code]);

before(() =>
  withClient(async (client) => {
    const session = client.session();
    if (!(await session.get('document', 'doc-123'))) session.add('document', { id: 'doc-123', fileName: 'will.pdf' });
    await session.commit();
  }),
);

test('there are ten', () => assert.equal(recipes.length, 10));

for (const [title, code] of recipes) {
  test(title, async () => {
    const { code: status, err } = await run(code);
    assert.deepEqual([status, err], [0, '']);
  });
}

test('the example of the README', async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const [, code] = /^## From Node\n.*?```js\n(.*?)```/ms.exec(readme);
  await withClient(async (client) => {
    const session = client.session();
    session.update('document', { id: 'doc-123', extractionStatus: 'completed' });
    await session.commit();
  });
  const { code: status, out, err } = await run(code);
  assert.deepEqual([status, err], [0, '']);
  assert.match(out, /^100 /m);
});
