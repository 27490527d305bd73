#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// node remux.mjs
// Chromium's Media Source Extensions play what `sluice remux FILE -o -` writes into its pipe, as the bytes
// come: no gap, picture and sound together, the right picture at the right time. What begins within the
// film is played in two ways: as a file, where the edit list hides what the first picture needs; and by
// Media Source Extensions with --decode-time. (Those drop whatever lies before 0, the key frame too, and all
// that depends on it: MSE, coded frame processing, "append window".)
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { film, luma, RATE, SECONDS } from './_films.mjs';
import { scratch } from './_ladders.mjs';
import { check, launch, openPage, run, settings, stateOf, waitFor } from './_lib.mjs';

const MP4Box = createRequire(import.meta.url)('mp4box');
const home = scratch();

const FILMS = [
  { name: 'h264-aac.mkv', type: /avc1\.\w{6},mp4a\.40\.2/ },
  { name: 'h264-eac3.mkv', type: /avc1\.\w{6},mp4a\.40\.2/ },
  { name: 'h264-opus.mkv', type: /avc1\.\w{6},opus/i },
  { name: 'h264-flac.mkv', type: /avc1\.\w{6},flac/i },
  { name: 'h264-aac.ts', type: /avc1\.\w{6},mp4a\.40\.2/ },
  { name: 'h264-aac.mp4', type: /avc1\.\w{6},mp4a\.40\.2/ },
  { name: 'vp9-opus.webm', type: /vp09[.\d]+,opus/i },
  { name: 'h264-aac.mkv', type: /avc1/, start: 10.2, absolute: true },
  { name: 'h264-eac3.mkv', type: /avc1/, start: 10.2, absolute: true },
  { name: 'h264-opus.mkv', type: /avc1/, start: 3, absolute: true },
  { name: 'vp9-opus.webm', type: /vp09/, start: 10.2, absolute: true },
  { name: 'h264-aac.mkv', file: true },
  { name: 'h264-eac3.mkv', file: true, start: 10.2 },
  { name: 'h264-opus.mkv', file: true, start: 3 },
  { name: 'vp9-opus.webm', file: true, start: 10.2 },
  { name: 'h264-aac.mkv', file: true, faststart: true },
  { name: 'h264-eac3.mkv', file: true, faststart: true, start: 10.2 },
];

// Runs in the page: appends what comes, and says in its data attributes how far it is.
async function play() {
  const video = document.querySelector('video');
  const { dataset } = document.querySelector('main');
  const fail = (why) => {
    dataset.state = 'failed';
    document.querySelector('#message').textContent = why;
  };
  window.spans = () => Array.from({ length: video.buffered.length }, (_, i) =>
    [video.buffered.start(i), video.buffered.end(i)]);
  window.pixel = () => {
    const canvas = document.createElement('canvas');
    canvas.width = 1;
    canvas.height = 1;
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data[1];
  };
  if (location.search === '?file') {
    video.src = '/file';
    video.addEventListener('loadeddata', () => { dataset.complete = 'true'; });
  }
  video.addEventListener('error', () => fail(`video: ${video.error.message}`));
  for (const name of ['playing', 'ended']) {
    video.addEventListener(name, () => { dataset.state = name; });
  }
  if (video.src) return;
  try {
    const response = await fetch('/stream');
    const type = response.headers.get('Content-Type');
    dataset.type = type;
    if (!MediaSource.isTypeSupported(type)) throw new Error(`${type} is not supported`);
    const media = new MediaSource();
    video.src = URL.createObjectURL(media);
    await new Promise((resolve) => { media.addEventListener('sourceopen', resolve, { once: true }); });
    const buffer = media.addSourceBuffer(type);
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const ended = new Promise((resolve, reject) => {
        buffer.addEventListener('updateend', resolve, { once: true });
        buffer.addEventListener('error', () => reject(new Error('a fragment was refused')), { once: true });
      });
      buffer.appendBuffer(value);
      await ended;
    }
    media.endOfStream();
    dataset.complete = 'true';
  } catch (error) {
    fail(error.message);
  }
}

const PAGE = `<!doctype html><title>remux</title><link rel="icon" href="data:,"><main><video muted></video>
<p id="message"></p></main><script>(${play})()</script>`;

// The type is read from the first bytes, as a server would that is handed nothing but the pipe.
async function typeOf(stream) {
  const mp4 = MP4Box.createFile();
  const seen = [];
  let at = 0;
  let type = null;
  mp4.onReady = (info) => { type = `video/mp4; codecs="${info.tracks.map((t) => t.codec).join()}"`; };
  while (!type) {
    const piece = stream.read();
    if (!piece) {
      await Promise.race([once(stream, 'readable'), once(stream, 'end')]);
      check(!stream.readableEnded, 'the pipe ended before the header was complete');
      continue;
    }
    const copy = new Uint8Array(piece).buffer;
    copy.fileStart = at;
    at += piece.length;
    seen.push(piece);
    mp4.appendBuffer(copy);
  }
  return { type, seen };
}

// A finished file, with ranges, so that it can be sought in.
function serveFile(file, request, response) {
  const { size } = statSync(file);
  const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '') ?? [];
  const first = Number(from ?? 0);
  const last = to ? Math.min(Number(to), size - 1) : size - 1;
  response.writeHead(from === undefined ? 200 : 206, {
    'Content-Type': 'video/mp4', 'Accept-Ranges': 'bytes', 'Content-Length': last - first + 1,
    ...(from === undefined ? {} : { 'Content-Range': `bytes ${first}-${last}/${size}` }),
  });
  createReadStream(file, { start: first, end: last }).pipe(response);
}

async function serve(args, file) {
  const codes = [];
  const server = createServer(async (request, response) => {
    if (request.url === '/file') {
      serveFile(file, request, response);
      return;
    }
    if (request.url !== '/stream') {
      response.setHeader('Content-Type', 'text/html');
      response.end(PAGE);
      return;
    }
    const child = spawn(settings.sluice, ['remux', ...args, '-o', '-'], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.once('exit', (code) => codes.push(code));
    const { type, seen } = await typeOf(child.stdout);
    response.setHeader('Content-Type', type);
    seen.forEach((piece) => response.write(piece));
    child.stdout.pipe(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}/`, codes, stop: () => server.close() };
}

async function seek(page, seconds) {
  await page.evaluate((t) => { document.querySelector('video').currentTime = t; }, seconds);
  await waitFor(page, `seek to ${seconds}`, (s) => !s.seeking);
}

// The picture at a time of the output is that of the film, to a frame.
async function shows(page, at, start) {
  await seek(page, at);
  const lumas = [-1, 0, 1].map((n) => luma(at + start + n / (2 * RATE)));
  let seen = 0;
  for (let tries = 0; tries < 40; tries += 1) { // a seek is over before its picture has been drawn
    seen = await page.evaluate(() => window.pixel());
    if (lumas.some((y) => Math.abs((y - 16) * (255 / 219) - seen) < 5)) return;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  check(false, `at ${at} the picture has a level of ${seen}, expected luma ${lumas.join(' or ')}`);
}

async function judge(page, { type, start = 0, absolute = false, file = false, faststart = false }) {
  await waitFor(page, 'all of it is appended', (s) => s.complete === 'true' || s.state === 'failed');
  const state = await stateOf(page);
  check(state.state !== 'failed', state.message);
  check(file || type.test(state.type), state.type);
  const zero = absolute ? start : 0; // time of the output at which the film is at start
  const end = zero + SECONDS - start;
  if (!file) {
    const spans = await page.evaluate(() => window.spans());
    check(spans.length === 1, `gaps: ${JSON.stringify(spans)}`);
    check(spans[0][0] < zero + 0.03, `it begins at ${spans[0][0]}`);
    check(Math.abs(spans[0][1] - end) < 0.1, `it ends at ${spans[0][1]}, expected ${end}`);
  }
  // Of a fragmented file Chromium adds up what the edit list hides, too.
  const more = file && !faststart && start > 0 ? 2.5 : 0;
  check(state.duration > end - 0.1 && state.duration < end + more + 0.1, `${state.duration} s, expected ${end}`);
  for (const at of [0, 0.5, 0.9, 1.3, SECONDS - start - 0.6]) await shows(page, zero + at, start - zero);
  await seek(page, zero);
  await page.evaluate(() => document.querySelector('video').play());
  const playing = await waitFor(page, 'it plays', (s) => s.state === 'playing' && s.time > zero + 1.2);
  check(playing.width === 320 && playing.height === 180, `${playing.width}x${playing.height}`);
  check(playing.audio > 0, 'no sound was decoded');
  await seek(page, end - 1);
  await page.evaluate(() => document.querySelector('video').play());
  await waitFor(page, 'the end', (s) => s.ended);
}

function title({ name, start, file, faststart }) {
  return [name, ...(start ? [`from ${start}`] : []), ...(file ? ['as a file'] : []),
    ...(faststart ? ['with moov first'] : [])].join(' ');
}

const browser = await launch();
const status = await run(FILMS.map((one) => [title(one), async () => {
  const args = [film(home, one.name), ...(one.start ? ['--start', String(one.start)] : []),
    ...(one.absolute ? ['--decode-time', String(one.start)] : []), ...(one.faststart ? ['--faststart'] : [])];
  const file = path.join(home, 'out.mp4');
  if (one.file) {
    const done = spawnSync(settings.sluice, ['remux', ...args, '-o', file], { encoding: 'utf8' });
    check(done.status === 0, done.stderr);
  }
  const server = await serve(args, file);
  const { page, problems, context } = await openPage(browser, server.url + (one.file ? '?file' : ''));
  try {
    await judge(page, one);
    check(problems.length === 0, problems.join('; '));
    check(server.codes.every((code) => code === 0), `sluice remux ended with ${server.codes}`);
  } finally {
    await context.close();
    server.stop();
  }
}]));
await browser.close();
process.exit(status);
