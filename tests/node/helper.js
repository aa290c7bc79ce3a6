// SPDX-License-Identifier: MIT
// helper.js - what several tests here need: a client that is closed with its test, an empty database, waiting without
// sleeping. The servers' settings are the environment's (servers.py).
import { connect } from '@lex-intel/shared';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import pg from 'pg';

/** A client that ends with the test. */
export async function clientOf(t, settings) {
  const client = await connect(settings);
  t.after(() => client.close());
  return client;
}

/** Does something with a client that is closed behind it. */
export async function withClient(work) {
  const client = await connect();
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Another driver's connection, to look at what ours did. */
export async function peerOf(t) {
  const peer = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await peer.connect();
  t.after(() => peer.end());
  return peer;
}

/** An id that no other test has. */
let ids = 0;
export const id = (what) => `${what}-${process.pid}-${++ids}`;

/** Stores a document; its id. */
export async function documentOf(client, values = {}) {
  const session = client.session();
  const { id: made } = session.add('document', { id: id('doc'), fileName: 'a.pdf', ...values });
  await session.commit();
  await session.close();
  return made;
}

/** Runs JavaScript in a process of its own: its exit code and output. */
export async function run(source, { args = [], env = {} } = {}) {
  const child = spawn(process.execPath, [...args, '--input-type=module', '--eval', source], {
    env: { ...process.env, ...env },
    cwd: import.meta.dirname ?? new URL('.', import.meta.url).pathname,
  });
  const [out, err, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { out, err, code: code ?? signal };
}
