// SPDX-License-Identifier: MIT
// script.js - renames a document and watches it being read: node script.js doc-123 "Last will.pdf"
import { connect } from '@lex-intel/shared';

const [, , id, fileName] = process.argv;
const client = await connect();
const session = client.session();
session.update('document', { id, fileName });
await session.commit();
for await (const { progress, message } of client.progress.watch(id)) console.log(`${progress} % ${message}`);
await client.close();
