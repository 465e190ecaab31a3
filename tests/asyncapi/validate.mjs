// What the AsyncAPI project's own parser says of a document: its errors as JSON, one a line.
import { readFileSync } from 'node:fs';
import { AvroSchemaParser } from '@asyncapi/avro-schema-parser';
import { Parser } from '@asyncapi/parser';

const text = readFileSync(process.argv[2], 'utf8');
const avro = AvroSchemaParser();
const parser = new Parser();
parser.registerSchemaParser(avro);
const { document, diagnostics } = await parser.parse(text);
const errors = diagnostics.filter((one) => one.severity === 0);

// The parser asks its plugins whether a payload is right in AsyncAPI 2 only (3.6.6), so we do.
for (const [name, { payload }] of Object.entries(JSON.parse(text).components.messages)) {
  const path = ['components', 'messages', name, 'payload', 'schema'];
  const known = avro.getMimeTypes().includes(payload.schemaFormat);
  if (!known) errors.push({ code: 'schema-format', message: String(payload.schemaFormat), path });
  else for (const one of await avro.validate({ data: payload.schema, path })) errors.push({ code: 'avro', ...one });
}
if (!document && !errors.length) errors.push({ code: 'no-document', message: '', path: [] });

for (const { code, message, path } of errors) console.log(JSON.stringify({ code, message, path }));
process.exit(errors.length ? 1 : 0);
