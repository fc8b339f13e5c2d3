// A node job: JSON, strings and maps, buffers outside V8's own heap, and worker threads.
// Usage: node objects.js [SCALE]    SCALE 10 (the default) takes a second. Prints digests only.
'use strict';
const crypto = require('crypto');
const zlib = require('zlib');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const digest = (data) => crypto.createHash('sha256').update(data).digest('hex').slice(0, 16);

function numbers(seed) {
  let state = seed;
  return () => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) >> 8;
}

function json(scale) {
  const next = numbers(42);
  const rows = [];
  for (let i = 0; i < 3000 * scale; i++) {
    rows.push({ id: i, name: 'n' + next(), list: [next(), next(), { deep: String(next()) }] });
  }
  let text = '';
  for (let i = 0; i < 3; i++) text = JSON.stringify(JSON.parse(text || JSON.stringify(rows)));
  return `${text.length} ${digest(text)}`;
}

function buffers(scale, seed) {
  const next = numbers(seed);
  const hash = crypto.createHash('sha256');
  let kept = [];
  for (let i = 0; i < 800 * scale; i++) {
    const block = Buffer.alloc(4096 + (next() % 60000), i & 255);
    block.writeUInt32LE(block.length, 0);
    if (i % 4 === 0) kept.push(block.subarray(0, 100));
    if (kept.length > 50) {
      hash.update(Buffer.concat(kept));
      kept = [];
    }
  }
  hash.update(zlib.gzipSync(Buffer.alloc(100000 * scale, 'prairie')));
  return hash.digest('hex').slice(0, 16);
}

function worker(scale, seed) {
  return new Promise((resolve, reject) => {
    const thread = new Worker(__filename, { workerData: { scale, seed } });
    thread.once('message', resolve);
    thread.once('error', reject);
  });
}

async function main() {
  const scale = Number(process.argv[2] || 10);
  console.log('json', json(scale));
  console.log('buffers', buffers(scale, 7));
  const results = await Promise.all([1, 2, 3].map((seed) => worker(scale, seed)));
  console.log('workers', results.join(' '));
}

if (isMainThread) {
  main();
} else {
  parentPort.postMessage(buffers(Math.ceil(workerData.scale / 4), workerData.seed));
}
