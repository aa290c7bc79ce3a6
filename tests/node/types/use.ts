// SPDX-License-Identifier: MIT
// use.ts - a program that tsc --strict looks at; nobody runs it. A line below @ts-expect-error must be refused.
import {
  NotFoundError, PermanentError, SchemaError, SharedError, Timestamp, buildInfo, classify, connect, sql, version,
} from '@lex-intel/shared';
import type { Client, Document, DocumentChunk, NewDocument, ProgressEvent, Result, Session, Task } from '@lex-intel/shared';

const client: Client = await connect({ databaseUrl: 'postgresql://localhost/x', redisUrl: new URL('redis://localhost'), poolSize: 4 });
await using session: Session = client.session();
const { signal } = new AbortController();

const document: Document | null = await session.get('document', 'doc-123', { signal });
if (document) {
  const size: bigint | null = document.byteSize;
  const status: 'pending' | 'processing' | 'completed' | 'failed' = document.extractionStatus;
  const at: Timestamp = document.createdAt;
  console.log(size, status, at.microseconds, at.toMicroseconds() + 1n);
}
// @ts-expect-error a name that is no model
await session.get('documents', 'x');
// @ts-expect-error the key has two parts
await session.get('documentPage', 'x');
// @ts-expect-error a field that is not there
session.add('case', { titel: 'Smith v. Jones' });
// @ts-expect-error a number is no title
session.add('case', { title: 7 });
// @ts-expect-error without a title
session.add('case', { id: 'case-1' });

const page = await session.get('documentPage', { documentId: 'doc-123', page: 1 });
const source: 'text' | 'ocr' | 'failed' | undefined = page?.source;
const wanted: NewDocument = { fileName: 'a.pdf', byteSize: 7, createdAt: new Date() };
session.add('document', wanted);
session.addMany('documentChunk', [{ documentId: 'doc-123', chunkIndex: 0, content: 'words' }]);
session.update('document', { id: 'doc-123', fileName: 'b.pdf' });
session.delete('document', 'doc-123');
session.enqueue('extract_text_from_document', [{ document_id: 'doc-123' }], { key: 'doc-123' });
const chunks: DocumentChunk[] = await session.select('documentChunk', sql`document_id = ${'doc-123'}`, { orderBy: 'chunkIndex', limit: 10 });
const rows: Result<{ id: string; n: bigint }> = await session.query<{ id: string; n: bigint }>`SELECT id, ${1n} AS n FROM documents`;
const count: number = rows.count;
await session.query(sql`SELECT ${[1n, 2n]}, ${['a', null]}, ${Buffer.of(1)}, ${{ a: 1 }}, ${null}`, { readOnly: true });
interface Note { readonly words: string; pages?: number[] }
class Money {
  constructor(private readonly cents: bigint) {}
  toJSON(): string { return `${this.cents}`; }
}
const note: Note = { words: 'a' };
await session.query`SELECT ${note}, ${new Money(7n)}, ${{ nested: [note] }}, ${sql.json([note])}, ${new Date()}, ${new Uint8Array(1)}`;
// @ts-expect-error neither text[] nor bigint[]
await session.query`SELECT ${[note]}`;
// @ts-expect-error a function is no value
await session.query`SELECT ${() => 1}`;
// @ts-expect-error a promise that nobody awaited
await session.query`SELECT ${session.flush()}`;
// @ts-expect-error a Map has no JSON
await session.query`SELECT ${new Map([['a', 1]])}`;
// @ts-expect-error a text is no template
await session.query('SELECT 1');
// @ts-expect-error undefined is no value
await session.query`SELECT ${undefined}`;
for await (const row of session.stream<{ n: number }>(sql`SELECT n FROM generate_series(1, 9) n`, { rowsPerBatch: 3, signal })) console.log(row.n + 1);
const answer: number = await session.transaction(async (work) => {
  await work.flush();
  return 7;
}, { isolation: 'serializable' });
const touched: number = await session.commit({ signal });

for await (const event of client.progress.watch('doc-123', { lastEventId: '1-0', signal })) {
  const { progress, step, message }: ProgressEvent = event;
  console.log(progress, step, message, event.final ?? false);
}
for await (const { documentId } of client.progress.watch(['a', 'b'], { lastEventId: { a: '1-0' } })) console.log(documentId);
for await (const text of client.progress.sse('doc-123', { lastEventId: '1-0', signal })) console.log(text.length);
for await (const text of client.progress.sse(['a', 'b'], { lastEventId: { a: '1-0' } })) console.log(text.length);
const heard: number = await client.progress.publish('doc-123', 45, 'extracting', 'page 5 of 10');
const task: string = await client.queue.send('add', [1, 2], { countdownMs: 100, priority: 3, eta: new Date() });
const result: { sum: number } = await client.queue.result<{ sum: number }>(task, { timeoutMs: 1000 });
await client.queue.work('add', async ({ args: [a, b] }: Task<[number, number]>) => a + b, { concurrency: 4, signal });
await client.queue.work({ add: () => 1, other: async () => {} });

try {
  await client.ping();
} catch (error) {
  if (error instanceof SchemaError) console.log(error.failures[0]?.loc);
  else if (error instanceof NotFoundError || error instanceof PermanentError) console.log(error.code, error.hint);
  else if (error instanceof SharedError) console.log(error.retryable, classify(error) === 'retryable');
}
console.log(source, chunks, count, answer, touched, heard, result, version.length, buildInfo().libpq, new Timestamp(1n));
