#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// node webcodecs.mjs
// What `sluice encode` writes, in Chromium's WebCodecs without a description: one unit in, its
// picture out, for every software H.264 encoder there is; with a forced IDR picture and a change of
// bitrate on the way, and the colours that went in.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { scratch } from './_ladders.mjs';
import { check, launch, openPage, run, settings } from './_lib.mjs';

const PICTURES = 24;
const FORCED = 15; // picture that is to be an IDR
const CHANGED = 8; // picture from which on the bitrate is a fifth
const TOLERANCE = 3; // of 255, for each of R, G and B
// Corners and the inside of the cube, as many as fill four columns and three rows.
const PATCHES = [[0, 0, 0], [255, 255, 255], [128, 128, 128], [255, 0, 0], [0, 255, 0], [0, 0, 255],
  [255, 255, 0], [0, 255, 255], [255, 0, 255], [200, 120, 40], [30, 90, 160], [70, 150, 90]];
const COLUMNS = 4;
const ROWS = 3;
const home = scratch();

function command(name, args, input) {
  const done = spawnSync(name, args, { input, maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'pipe'] });
  check(done.status === 0, `${name} ${args.join(' ')}: ${done.error ?? done.stderr}`);
  return done.stdout;
}

const sluice = (args, input) => command(settings.sluice, args, input);

const listed = JSON.parse(sluice(['encoders', '--json']));
const backends = listed.filter((b) => b.codec === 'h264' && b.available && !b.hardware);

const clips = new Map();
function clip(width, height) {
  const key = `${width}x${height}`;
  if (!clips.has(key)) {
    const file = path.join(home, `${key}.y4m`);
    command('ffmpeg', ['-nostdin', '-v', 'error', '-f', 'lavfi', '-i', `testsrc2=size=${key}:rate=30`, '-frames:v',
      `${PICTURES}`, '-pix_fmt', 'yuv420p', file]);
    clips.set(key, file);
  }
  return clips.get(key);
}

// RGB24, every picture the same.
function patches(width, height, count) {
  const picture = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const patch = Math.floor(y * ROWS / height) * COLUMNS + Math.floor(x * COLUMNS / width);
      picture.set(PATCHES[patch], (y * width + x) * 3);
    }
  }
  return Buffer.concat(Array(count).fill(picture));
}

const types = { html: 'text/html', 264: 'application/octet-stream', jsonl: 'text/plain' };
const server = createServer((request, response) => {
  const name = path.basename(new URL(request.url, 'http://localhost').pathname);
  const file = name === 'webcodecs.html' ? new URL(name, import.meta.url) : path.join(home, name);
  try {
    const data = readFileSync(file);
    response.writeHead(200, { 'content-type': types[name.split('.').at(-1)] }).end(data);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const browser = await launch({ gl: true });

async function play(stream, query = '') {
  const url = `http://127.0.0.1:${server.address().port}/webcodecs.html?stream=${stream}${query}`;
  const { page, problems, context } = await openPage(browser, url);
  try {
    await page.waitForFunction(() => window.outcome !== undefined);
    const outcome = await page.evaluate(() => window.outcome);
    check(!outcome.error, `${outcome.error}`);
    check(problems.length === 0, problems.join('; '));
    check(outcome.rest === 0, `${outcome.rest} bytes after the last unit`);
    check(outcome.left === 0, `${outcome.left} pictures came late`);
    return outcome;
  } finally {
    await context.close();
  }
}

async function live(backend, width, height) {
  const stream = `${backend.name}-${width}x${height}`;
  sluice(['encode', clip(width, height), '--backend', backend.name, '--gop', '0', '--rate-control', 'cbr',
    '--bitrate', '5M', '--buffer', '500k',
    '--change', `${CHANGED}:bitrate=1M`, '--change', `${CHANGED}:buffer=100k`, '--force-idr', `${FORCED}`,
    '--stats', path.join(home, `${stream}.jsonl`), '-o', path.join(home, `${stream}.264`)]);
  const { head, units, shown } = await play(stream);
  check(head.backend === backend.name, `the stream is of ${head.backend}`);
  check(shown.length === PICTURES && units.length === PICTURES, `${shown.length} pictures of ${units.length} units`);
  shown.forEach((picture, i) => {
    check(picture.time === i, `picture ${i} has the time ${picture.time}`);
    check(picture.width === width && picture.height === height, `picture ${i} is ${picture.width}x${picture.height}`);
    check(picture.matrix === 'bt709' && picture.full === false, `picture ${i} is ${picture.matrix}`);
  });
  const keys = units.flatMap((unit, i) => (unit.key ? [i] : [])).join();
  const changes = backend.flags.includes('reconfigures') ? `0,${FORCED}` : `0,${CHANGED},${FORCED}`;
  check(keys === changes, `IDR pictures at ${keys}, expected ${changes}`);
  const mean = (from, to) => units.slice(from, to).reduce((sum, unit) => sum + unit.size, 0) / (to - from);
  check(mean(CHANGED + 1, FORCED) < mean(1, CHANGED) / 2, `units of ${mean(1, CHANGED)} bytes became `
    + `${mean(CHANGED + 1, FORCED)}`);
}

async function colours(backend, width, height, matrix) {
  const stream = `${backend.name}-patches-${height}`;
  sluice(['encode', '-', '--raw', 'rgb24', '--size', `${width}x${height}`, '--rate', '30', '--backend', backend.name,
    '--bitrate', '40M', '--stats', path.join(home, `${stream}.jsonl`), '-o', path.join(home, `${stream}.264`)],
  patches(width, height, 5));
  const { shown, colours: found } = await play(stream, `&columns=${COLUMNS}&rows=${ROWS}`);
  check(shown.at(-1).matrix === matrix, `the matrix is ${shown.at(-1).matrix}`);
  const wrong = PATCHES.flatMap((patch, i) => {
    const off = Math.max(...patch.map((value, c) => Math.abs(value - found[i][c])));
    return off <= TOLERANCE ? [] : [`${patch} became ${found[i]}`];
  });
  check(wrong.length === 0, wrong.join('; '));
}

const tests = backends.flatMap((backend) => [
  ...[[1280, 720], [1920, 1080]].map(([width, height]) =>
    [`${backend.name} ${width}x${height}: one in, one out`, () => live(backend, width, height)]),
  [`${backend.name}: colours of 1280x720 (BT.709)`, () => colours(backend, 1280, 720, 'bt709')],
  [`${backend.name}: colours of 640x360 (BT.601)`, () => colours(backend, 640, 360, 'smpte170m')],
]);
const status = backends.length > 0 ? await run(tests) : 0;
if (backends.length === 0) console.log('ok - webcodecs # SKIP no software H.264 encoder');
await browser.close();
server.close();
process.exit(status);
