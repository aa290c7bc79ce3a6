// SPDX-License-Identifier: MIT
// service.js - documents and their progress over HTTP, and a page that shows it: node service.js [PORT]
import { ConflictError, InvalidError, NotFoundError, SchemaError, connect } from '@lex-intel/shared';
import Fastify from 'fastify';
import { Readable } from 'node:stream';

const client = await connect();
const stopping = new AbortController();
const relaying = client.queue.relay({ signal: stopping.signal }); // sends what sessions here enqueue
const app = Fastify({ logger: process.env.LOG_LEVEL === 'debug', forceCloseConnections: true });

const statuses = new Map([[NotFoundError, 404], [ConflictError, 409], [InvalidError, 422], [SchemaError, 422]]);

app.setErrorHandler((error, request, reply) => {
  const status = statuses.get(error.constructor) ?? (error.retryable ? 503 : (error.statusCode ?? 500));
  reply.code(status).send({ detail: error.message });
});

app.get('/api/documents/:id', async ({ params }) => {
  const session = client.session();
  const document = await session.get('document', params.id);
  await session.close();
  if (!document) throw new NotFoundError(`Document ${params.id} not found`);
  return { ...document, byteSize: document.byteSize === null ? null : Number(document.byteSize) };
});

app.post('/api/documents/:id/extract', async ({ params }, reply) => {
  const session = client.session();
  session.update('document', { id: params.id, extractionStatus: 'pending' });
  session.enqueue('extract_text_from_document', [{ document_id: params.id }], { key: params.id });
  await session.commit();
  await session.close();
  return reply.code(202).send({ detail: 'It is read again' });
});

app.get('/api/documents/:id/progress', async ({ params, headers }, reply) => {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  const events = client.progress.sse(params.id, { lastEventId: headers['last-event-id'], signal: gone.signal });
  const first = await events.next(); // a document that is not there is a 404, not a stream
  if (first.done) return reply.code(204).send(); // all is said: EventSource does not come again
  async function* body() {
    yield first.value;
    try {
      yield* events;
    } catch (error) {
      if (!gone.signal.aborted) throw error;
    }
  }
  return reply
    .header('content-type', 'text/event-stream')
    .header('cache-control', 'no-cache, no-transform')
    .header('x-accel-buffering', 'no')
    .send(Readable.from(body(), { objectMode: true }));
});

app.get('/', (request, reply) =>
  reply.type('text/html').send(`<!doctype html><meta charset="utf-8"><title>Progress</title>
<progress id="bar" max="100"></progress> <output id="message"></output>
<script type="module">
  const documentId = new URLSearchParams(location.search).get('id');
  const eventSource = new EventSource(\`/api/documents/\${documentId}/progress\`);
  eventSource.onmessage = (event) => {
    const progress = JSON.parse(event.data);
    document.querySelector('#bar').value = progress.progress;
    document.querySelector('#message').value = progress.message;
  };
</script>`),
);

const stop = async () => {
  await app.close();
  stopping.abort();
  await relaying;
  await client.close();
};
process.once('SIGTERM', stop).once('SIGINT', stop);
console.log(await app.listen({ port: Number(process.argv[2] ?? 0), host: '127.0.0.1' }));
