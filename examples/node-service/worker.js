// SPDX-License-Identifier: MIT
// worker.js - reads text files, as lex-intel-worker does: any Celery client may send to it, and both may take from one
// queue. `documents.attempt` is the fence of a run: one that another has taken over can write nothing.
import { PermanentError, classify, connect } from '@lex-intel/shared';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

const CHUNK_SIZE = 1000;
const uploads = path.resolve(process.env.UPLOAD_DIR ?? 'uploads');
const client = await connect();
const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort()).once('SIGINT', () => stopping.abort());

/** The row, with a new attempt; a completed document is left as it is. */
async function claim(session, id) {
  await session.query`SELECT FROM documents WHERE id = ${id} FOR NO KEY UPDATE`;
  await session.query`UPDATE documents SET extraction_status = 'processing', attempt = attempt + 1, updated_at = now()
    WHERE id = ${id} AND extraction_status <> 'completed'`;
  const document = await session.get('document', id);
  await session.commit();
  if (!document) throw new PermanentError(`Document ${id} not found in database`);
  return document;
}

async function read({ filePath }) {
  const file = path.resolve(uploads, filePath ?? '');
  if (!file.startsWith(uploads + path.sep)) throw new PermanentError('The file of this document is no longer stored.');
  const bytes = await readFile(file);
  if (bytes.includes(0)) throw new PermanentError('Files of this type cannot be read.');
  return bytes.toString().normalize('NFC').split('\f');
}

/** Characters are code points, as PostgreSQL counts them; a page's last one is followed by its form feed. */
function chunksOf(documentId, pages) {
  const chunks = [];
  let before = 0; // code points of the pages before
  pages.forEach((text, n) => {
    const points = [...text];
    for (let start = 0; start < points.length; start += CHUNK_SIZE) {
      const content = points.slice(start, start + CHUNK_SIZE).join('');
      if (!content.trim()) continue;
      const where = { pageFrom: n + 1, pageTo: n + 1, charStart: before + start };
      const charEnd = before + Math.min(start + CHUNK_SIZE, points.length);
      chunks.push({ documentId, chunkIndex: chunks.length, content, ...where, charEnd });
    }
    before += points.length + 1;
  });
  return chunks;
}

/** Pages and chunks in one transaction. */
async function store(session, { id, attempt }, pages) {
  await session.transaction(async () => {
    await session.query`SELECT document_fence(${id}, ${attempt}::int)`;
    await session.query`DELETE FROM document_pages WHERE document_id = ${id}`;
    await session.query`DELETE FROM document_chunks WHERE document_id = ${id}`;
    session.addMany(
      'documentPage',
      pages.map((text, n) => ({ documentId: id, page: n + 1, text, source: 'text' })),
    );
    session.addMany('documentChunk', chunksOf(id, pages));
    await session.query`UPDATE documents SET extraction_status = 'completed', page_count = ${pages.length}::int,
      pages_failed = 0, error = NULL, error_class = NULL, error_code = NULL, updated_at = now() WHERE id = ${id}`;
  });
}

/** What a Celery client gets, in the names of Python. */
async function result(session, id) {
  const [row] = await session.query`SELECT id AS document_id, extraction_status, page_count, pages_failed,
    (SELECT count(*)::int FROM document_chunks WHERE document_id = ${id}) AS chunk_count
    FROM documents WHERE id = ${id}`;
  return row;
}

async function conclude(session, { id, attempt }, error) {
  const kind = classify(error);
  await session.rollback();
  await session.query`UPDATE documents SET extraction_status = ${kind === 'permanent' ? 'failed' : 'pending'},
    error = ${error.message}, error_class = ${kind}, error_code = 'internal', updated_at = now()
    WHERE id = ${id} AND attempt = ${attempt}::int`;
  await session.commit();
  if (kind === 'permanent') await client.progress.publish(id, 100, 'failed', error.message);
}

console.log('works');
const relaying = client.queue.relay({ signal: stopping.signal }); // also what a service that died has not sent
await client.queue.work(
  'extract_text_from_document',
  async ({ args: [{ document_id: id }] }) => {
    const session = client.session();
    let document = { id };
    try {
      document = await claim(session, id);
      if (document.extractionStatus === 'completed') return await result(session, id);
      await client.progress.publish(id, 0, 'starting', `Opening ${document.fileName}`);
      const pages = await read(document);
      await client.progress.publish(id, 50, 'extracting', `Extracted text from ${pages.length} pages`);
      await store(session, document, pages);
      await client.progress.publish(id, 100, 'completed', `Read ${pages.length} page${pages.length === 1 ? '' : 's'}`);
      console.log(`read ${id}`);
      return await result(session, id);
    } catch (error) {
      if (document.attempt) await conclude(session, document, error);
      throw error;
    } finally {
      await session.close();
    }
  },
  { concurrency: 4, signal: stopping.signal },
);
await relaying;
await client.close();
