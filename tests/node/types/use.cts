// SPDX-License-Identifier: MIT
// use.cts - the same types for CommonJS.
import shared = require('@lex-intel/shared');

export async function first(): Promise<shared.Case | null> {
  const client = await shared.connect();
  try {
    return await client.session().get('case', 'case-1');
  } finally {
    await client.close();
  }
}
