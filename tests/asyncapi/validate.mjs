// What the AsyncAPI project's own parser says of a document: its errors as JSON, one a line.
import { readFileSync } from 'node:fs';
import { AvroSchemaParser } from '@asyncapi/avro-schema-parser';
import { Parser } from '@asyncapi/parser';

const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
const { document, diagnostics } = await parser.parse(readFileSync(process.argv[2], 'utf8'));
const errors = diagnostics.filter((one) => one.severity === 0);
for (const { code, message, path } of errors) console.log(JSON.stringify({ code, message, path }));
if (!document && !errors.length) console.log(JSON.stringify({ code: 'no-document', message: '', path: [] }));
if (document) console.error(document.allChannels().all().map((one) => one.address()).join('\n'));
process.exit(errors.length || !document ? 1 : 0);
